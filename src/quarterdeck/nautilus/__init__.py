"""The only package that knows NautilusTrader: its names, its data catalog, its hosts.

Everything else speaks canonical ids, Decimals and integer nanoseconds, so that another version of
NautilusTrader, or another library in its place, is a change of this package alone.
"""
