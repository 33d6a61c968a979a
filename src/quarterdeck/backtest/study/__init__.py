"""A recorded day of a desk through the backtest, on the market data captured while it traded."""
