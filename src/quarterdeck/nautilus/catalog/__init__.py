"""Recorded market data as a NautilusTrader catalog: converted once, checked, and found again."""
