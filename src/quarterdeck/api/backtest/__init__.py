"""The backtest service's API (port 8000): start runs, watch them, read what they left."""
