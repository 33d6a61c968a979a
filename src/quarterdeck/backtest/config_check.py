"""What a configuration may say: every rule, each fault with its place in the document."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from quarterdeck.backtest.config import BacktestConfig, InstrumentTerms, LimitTerms, VenueTerms
from quarterdeck.backtest.fault import Fault
from quarterdeck.core.desk import rfc3339
from quarterdeck.core.desk.intake import TRADABLE
from quarterdeck.core.model import instrument_id
from quarterdeck.core.model.decimals import Problem, check_amount, check_signed
from quarterdeck.core.model.ids import is_operation_id
from quarterdeck.core.model.instrument import Settlement
from quarterdeck.core.model.instrument_id import InstrumentType

FEE_BPS_MAX: Final = Decimal(1_000)
LATENCY_MS_MAX: Final = 60_000
VIEW_LEVELS_MAX: Final = 1_000


def config_faults(config: BacktestConfig) -> Iterator[Fault]:
    """Yield everything that is wrong with a configuration."""
    yield from _window(config)
    yield from _sizes(config)
    for name in ("data_folder", "catalog_folder", "results_folder"):
        if not getattr(config, name):
            yield Fault(name, "is empty; name a folder")
    if (config.orders_file is None) == (config.orders is None):
        yield Fault("orders_file", "give either orders_file or orders, and not both")
    if not config.venues:
        yield Fault("venues", "is empty; at least one venue is needed")
    for number, venue in enumerate(config.venues):
        yield from _venue(venue, f"venues[{number}]")
    yield from _unique(config)
    known = {terms.id for venue in config.venues for terms in venue.instruments}
    for name, limits in config.limits.items():
        yield from _limits(name, limits, known)


def _window(config: BacktestConfig) -> Iterator[Fault]:
    start_ns, end_ns = rfc3339.parse_ns(config.start), rfc3339.parse_ns(config.end)
    if start_ns is None:
        yield Fault("start", f"{config.start!r} is not {rfc3339.RULE}")
    if end_ns is None:
        yield Fault("end", f"{config.end!r} is not {rfc3339.RULE}")
    if start_ns is not None and end_ns is not None and end_ns <= start_ns:
        yield Fault("end", f"{config.end} is not after the start, {config.start}")


def _sizes(config: BacktestConfig) -> Iterator[Fault]:
    if not 1 <= config.view_levels <= VIEW_LEVELS_MAX:
        yield Fault("view_levels", f"{config.view_levels}: 1 to {VIEW_LEVELS_MAX} are allowed")
    if config.chunk_size is not None and config.chunk_size < 1:
        yield Fault("chunk_size", f"{config.chunk_size}: 1 or more, or null for all at once")
    if config.equity_interval_ms < 1:
        yield Fault("equity_interval_ms", f"{config.equity_interval_ms}: 1 or more")


def _venue(venue: VenueTerms, path: str) -> Iterator[Fault]:
    # Both become parts of names; what an order's id may be made of is safe in all of them.
    for name in ("venue", "account"):
        text = getattr(venue, name)
        if not is_operation_id(text):
            yield Fault(f"{path}.{name}", f"{text!r}: 1 to 64 characters out of A-Z a-z 0-9 . _ -")
    for name in ("maker_fee_bps", "taker_fee_bps"):
        fee_bps = getattr(venue, name)
        if not fee_bps.is_finite() or abs(fee_bps) > FEE_BPS_MAX:
            yield Fault(f"{path}.{name}", f"{fee_bps}: -{FEE_BPS_MAX} to {FEE_BPS_MAX} are allowed")
    for name in ("insert_latency_ms", "cancel_latency_ms"):
        latency_ms = getattr(venue, name)
        if not 0 <= latency_ms <= LATENCY_MS_MAX:
            yield Fault(f"{path}.{name}", f"{latency_ms}: 0 to {LATENCY_MS_MAX} are allowed")
    for asset, amount in venue.balances.items():
        problem = check_signed(amount, field=asset)
        if isinstance(problem, Problem):
            yield Fault(f"{path}.balances.{asset}", problem.text)
        elif amount < 0:
            yield Fault(f"{path}.balances.{asset}", f"{amount} is below zero")
    if not venue.instruments:
        yield Fault(f"{path}.instruments", "is empty; at least one instrument is needed")
    for number, terms in enumerate(venue.instruments):
        yield from _instrument(terms, venue.venue, f"{path}.instruments[{number}]")
    if len({terms.settlement is Settlement.SPOT for terms in venue.instruments}) > 1:
        text = "spot and derivatives cannot share an account here; give each a venue of its own"
        yield Fault(f"{path}.instruments", text)


def _instrument(terms: InstrumentTerms, venue: str, path: str) -> Iterator[Fault]:
    parsed = instrument_id.parse(terms.id)
    if isinstance(parsed, instrument_id.Malformed):
        yield Fault(f"{path}.id", str(parsed))
    elif str(parsed) != terms.id:
        yield Fault(f"{path}.id", f"write it as {parsed}: data is looked up by that name")
    elif parsed.venue != venue:
        yield Fault(f"{path}.id", f"{terms.id} is an instrument of {parsed.venue}, not of {venue}")
    elif parsed.type not in TRADABLE:
        yield Fault(f"{path}.id", f"a {parsed.type} cannot be traded; {' and '.join(TRADABLE)} can")
    elif (parsed.type is InstrumentType.SPOT_PAIR) is not (terms.settlement is Settlement.SPOT):
        yield Fault(f"{path}.settlement", f"a {parsed.type} is not settled as {terms.settlement}")
    for name in ("symbol", "base", "quote", "settle"):
        if not getattr(terms, name):
            yield Fault(f"{path}.{name}", "is empty")
    expected = terms.base if terms.settlement is Settlement.INVERSE else terms.quote
    if terms.settle != expected:
        yield Fault(f"{path}.settle", f"a {terms.settlement} instrument settles in {expected}")
    if terms.settlement is Settlement.SPOT and terms.multiplier != 1:
        yield Fault(f"{path}.multiplier", f"{terms.multiplier}: a spot instrument has 1")
    for name in ("tick_px", "lot_qty", "multiplier"):
        yield from _amount(getattr(terms, name), f"{path}.{name}")
    for name in ("min_qty", "max_qty", "min_notional", "max_notional"):
        bound = getattr(terms, name)
        if bound is not None:
            yield from _amount(bound, f"{path}.{name}")


def _limits(name: str, limits: LimitTerms, known: set[str]) -> Iterator[Fault]:
    path = f"limits.{name}"
    if name not in known:
        listed = ", ".join(sorted(known)) or "none"
        yield Fault(path, f"no venue lists this instrument; listed are: {listed}")
    for field in ("max_order_qty", "max_order_notional", "collar_bps"):
        yield from _amount(getattr(limits, field), f"{path}.{field}")
    if limits.reference_age_ms_max < 1:
        yield Fault(f"{path}.reference_age_ms_max", f"{limits.reference_age_ms_max}: 1 or more")


def _amount(value: Decimal, path: str) -> Iterator[Fault]:
    problem = check_amount(value, field=path)
    if isinstance(problem, Problem):
        yield Fault(path, problem.text)


def _unique(config: BacktestConfig) -> Iterator[Fault]:
    seen: dict[tuple[str, str], str] = {}
    for number, venue in enumerate(config.venues):
        named = [
            ("venue", venue.venue, f"venues[{number}].venue"),
            ("account", venue.account, f"venues[{number}].account"),
        ]
        named += [
            ("instrument", terms.id, f"venues[{number}].instruments[{place}].id")
            for place, terms in enumerate(venue.instruments)
        ]
        for kind, name, path in named:
            first = seen.setdefault((kind, name), path)
            if first != path:
                yield Fault(path, f"{kind} {name} is named at {first} already")
