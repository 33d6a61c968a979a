"""What the demonstration finds out."""

from typing import Any

from msgspec import Struct

from quarterdeck.app.journal_check import JournalReport
from quarterdeck.backtest.study.result import Study
from quarterdeck.desk.replay.redecide import ReplayResult


class Proof(Struct, frozen=True, kw_only=True):
    """What the journal says, straight from the database."""

    journal: JournalReport
    replay: ReplayResult
    """All its decisions, made again."""


class Kill(Struct, frozen=True, kw_only=True):
    """One process killed, and how long until its account took new orders again."""

    what: str
    seconds: float


class Findings(Struct, frozen=True, kw_only=True):
    """Everything that the demonstration found out."""

    data: str
    orders: list[dict[str, Any]]
    """As `GET /api/orders/{id}` shows them, in the order of their submission."""
    refused: str
    refused_detail: str
    kills: list[Kill]
    journal: JournalReport
    replay: ReplayResult
    study: Study
    """The same parents through the backtest, over the market that was captured."""
    differences: list[str]
    """Between desk and venues; none when all is well."""
    open_at_end: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the promise held. How a backtest fills differs and is reported, not judged."""
        proven = self.journal.ok and not self.replay.problems()
        return proven and not self.differences and not self.open_at_end
