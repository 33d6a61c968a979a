"""Proof that memory, tables and journal tell one story: fold the journal from empty and compare.

The chain proves that no row was changed; this proves that the rows lead to what the tables say.
"""

from collections.abc import AsyncIterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.desk.fold import apply
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.events import ChildFilled, ExternalFill
from quarterdeck.core.model.facts import Trade
from quarterdeck.desk.record import ACCOUNT, INSTRUMENT, SWITCHES, decode_body, encode, switches

MISMATCHES_MAX: Final = 20
"""More than this and the comparison stops: something is broken as a whole."""


class FoldVerdict(Struct, frozen=True, kw_only=True):
    """What the comparison found."""

    rows: int
    """Journal rows folded."""
    values: int
    """Stored values compared."""
    mismatches: tuple[str, ...]
    """What differs, each with its name; empty when all is well."""

    @property
    def ok(self) -> bool:
        """Whether the tables are what the journal leads to."""
        return not self.mismatches


class Folded(Struct, frozen=True, kw_only=True):
    """What a whole journal leads to."""

    state: DeskState
    trades: dict[str, Trade]
    """Every execution, by its name among the stored values."""
    rows: int


async def fold(rows: AsyncIterable[tuple[int, str]]) -> Folded:
    """Fold a journal from empty.

    Args:
        rows: (at_ns, body) of every row, in order.
    """
    state, trades, count = DeskState(), dict[str, Trade](), 0
    async for at_ns, body in rows:
        for event in decode_body(body).events:
            apply(state, event, at_ns)
            if isinstance(event, ChildFilled | ExternalFill):
                trade = event.trade
                trades[f"fill {trade.account} {trade.instrument} {trade.trade_id}"] = trade
        count += 1
    return Folded(state=state, trades=trades, rows=count)


def named_values(folded: Folded) -> dict[str, object]:
    """Return every value that tables keep, by table and name."""
    state = folded.state
    values: dict[str, object] = {f"parent {name}": v for name, v in state.parents.items()}
    values |= {f"child {name}": v for name, v in state.children.items()}
    values |= {
        f"position {key.account} {key.instrument}|{key.currency}": v
        for key, v in state.positions.items()
    }
    values |= {f"holding {key.account} {key.asset}": v for key, v in state.holdings.items()}
    values |= {f"singleton {ACCOUNT}{name}": v for name, v in state.accounts.items()}
    values |= {f"singleton {INSTRUMENT}{name}": v for name, v in state.instruments.items()}
    values[f"singleton {SWITCHES}"] = switches(state)
    return values | folded.trades


async def compare(folded: Folded, stored: AsyncIterable[tuple[str, object]]) -> FoldVerdict:
    """Compare what the journal leads to with stored values, by the names of `named_values`."""
    missing = named_values(folded)
    mismatches: list[str] = []
    count = 0
    async for name, value in stored:
        count += 1
        wanted = missing.pop(name, None)
        if wanted is None:
            mismatches.append(f"{name}: the table has it, the journal does not lead to it")
        elif _comparable(wanted) != _comparable(value):
            mismatches.append(f"{name}: the journal leads to another value than the table has")
        if len(mismatches) >= MISMATCHES_MAX:
            break
    else:
        # Switches are stored from the first time that one is turned.
        missing.pop(f"singleton {SWITCHES}", None)
        mismatches += [f"{name}: the journal leads to it, no table has it" for name in missing]
    return FoldVerdict(
        rows=folded.rows, values=count, mismatches=tuple(mismatches[:MISMATCHES_MAX])
    )


def _comparable(value: object) -> bytes:
    """Return a value's bytes; the fills of a child count as a set, tables do not order them."""
    if isinstance(value, ChildOrder):
        value = replace(value, trade_ids=tuple(sorted(value.trade_ids)))
    return encode(value)
