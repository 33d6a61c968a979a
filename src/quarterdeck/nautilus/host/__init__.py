"""The backtest host: NautilusTrader's simulated venues, offered to a desk as its gateways."""
