"""The result of a study, and its JSON.

`quarterdeck replay-study --json` prints one object; amounts and basis points are decimals as
strings, times integer nanoseconds UTC, and what could not be had is null::

    desk_id, source          whose journal, and whether it was live, paper or of a backtest
    capture                  the folder of the market data
    run_id, run_folder       the backtest's own results, as `quarterdeck backtest show` reads them
    start_ns, end_ns         the window
    view_levels              levels a side that the backtest's decisions could look at
    identical                true only if every order is equal in decisions, fills and prices
    totals                   orders, equal_decisions, same_book, parted_on_same_book, equal,
                             measured, mean_bps, mean_abs_bps, median_abs_bps, max_abs_bps;
                             positive: the backtest was worse
    orders[]                 operation_id, instrument, side, quantity, algorithm, route,
                             same_book, decisions_equal, decisions_live, decisions_backtest,
                             parting {index, field, live, backtest} | null,
                             live and backtest {state, reason, filled, avg_px, arrival_px,
                             shortfall_bps, children}, difference_bps
    left_out[]               operation_id, why
    latencies[]              account, insert_ns, insert_samples, cancel_ns, cancel_samples as
                             measured; insert_ms, cancel_ms as simulated
    captured[]               instrument, first_ns, last_ns, book_rows, trade_rows, gaps, gaps_ns
    commands, commands_left_out   how many of each kind were asked again, and were not
    refused                  commands that the backtest's desk refused, by code
    notes[]                  sentences: what else the backtest did not have
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from quarterdeck.backtest.study.capture import Captured
from quarterdeck.backtest.study.difference import OrderStudy, Totals
from quarterdeck.backtest.study.latency import Measured
from quarterdeck.backtest.study.window import LeftOut


class Study(Struct, frozen=True, kw_only=True):
    """A day and its backtest, compared."""

    desk_id: str
    source: str
    """`live`, `paper` or `backtest`."""
    capture: str
    run_id: str
    run_folder: str
    start_ns: int
    end_ns: int
    view_levels: int
    identical: bool
    """Whether every order is equal in decisions, fills and prices."""
    totals: Totals
    orders: tuple[OrderStudy, ...]
    """In the order in which they were sent."""
    left_out: tuple[LeftOut, ...]
    latencies: tuple[Measured, ...]
    captured: tuple[Captured, ...]
    commands: dict[str, int]
    commands_left_out: dict[str, int]
    refused: dict[str, int]
    notes: tuple[str, ...]


_encoder: Final = msgspec.json.Encoder(decimal_format="string")


def study_document(study: Study) -> dict[str, Any]:
    """Return a study as plain values, as the module says."""
    document: dict[str, Any] = msgspec.json.decode(_encoder.encode(study))
    return document
