"""Backtests: a configuration in, a folder of results out, one process per run.

The desk of a backtest is the live desk's engine over the same core; only what surrounds it differs:
time and venues come from recorded data, the journal is a file, and orders come from a schedule.
"""
