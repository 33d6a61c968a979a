"""Faults on order: which request or push goes wrong, how, and how often.

A rule names an operation (`submit`, `push:trade`, `*`), a fault, and which matches it strikes:
after `skip`, at most `count` times, each with a `probability` drawn from the rule's own seeded
stream. The same rules and the same sequence of matches give the same faults.

The first rule that strikes wins; rules in front of it have counted the match as seen.
"""

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from drydock.chance import Chance

PUSH: Final = "push:"
PUSH_KINDS: Final = ("accepted", "trade", "modified", "canceled", "expired")
_MILLION: Final = 1_000_000


class FaultKind(StrEnum):
    """What goes wrong."""

    REPLY_LOST = "reply_lost"
    """Processed, never answered."""
    REQUEST_LOST = "request_lost"
    """Neither processed nor answered."""
    DELAY = "delay"
    """Processed `delay_ms` later."""
    DELAY_REPLY = "delay_reply"
    """Processed at once, answered `delay_ms` later."""
    ERROR_BEFORE = "error_before"
    """Answered INTERNAL, not processed."""
    ERROR_AFTER = "error_after"
    """Processed, answered INTERNAL."""
    DISCONNECT = "disconnect"
    """The connection breaks before processing."""
    DISCONNECT_AFTER = "disconnect_after"
    """Processed, then the connection breaks without an answer."""
    PUSH_TWICE = "push_twice"
    PUSH_SWALLOW = "push_swallow"
    PUSH_REORDER = "push_reorder"
    """Sent after the account's next push."""
    PUSH_DELAY = "push_delay"
    """Sent `delay_ms` later, while later pushes overtake it."""


_NEEDS_DELAY: Final = {FaultKind.DELAY, FaultKind.DELAY_REPLY, FaultKind.PUSH_DELAY}


class FaultRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule, as an operator writes it."""

    op: str
    fault: FaultKind
    account: str | None = None
    skip: Annotated[int, Meta(ge=0)] = 0
    count: Annotated[int, Meta(ge=1)] | None = None
    """How often it may strike; None is without end."""
    probability: str = "1"
    seed: int = 0
    delay_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0

    def problem(self, request_ops: frozenset[str]) -> str | None:
        """Return what is wrong with the rule, or None."""
        about_push = self.op.startswith(PUSH) or (self.op == "*" and self._is_push_fault)
        kinds = {*PUSH_KINDS, "*"}
        if about_push and self.op != "*" and self.op.removeprefix(PUSH) not in kinds:
            return f"op {self.op!r}: pushes are {', '.join(sorted(kinds))}"
        if not about_push and self.op != "*" and self.op not in request_ops:
            return f"op {self.op!r}: operations are {', '.join(sorted(request_ops))}"
        if about_push != self._is_push_fault:
            return f"fault {self.fault} does not fit op {self.op!r}"
        if (self.delay_ms > 0) != (self.fault in _NEEDS_DELAY):
            return f"delay_ms {self.delay_ms} does not fit fault {self.fault}"
        return None if self.chance_ppm is not None else f"probability {self.probability!r}: 0 to 1"

    @property
    def _is_push_fault(self) -> bool:
        return self.fault.value.startswith("push_")

    @property
    def chance_ppm(self) -> int | None:
        """The probability in millionths, or None if it is no number from 0 to 1."""
        try:
            value = Decimal(self.probability)
        except InvalidOperation:
            return None
        return int(value * _MILLION) if value.is_finite() and 0 <= value <= 1 else None

    def concerns(self, op: str, account: str) -> bool:
        """Whether the rule is about this operation of this account."""
        if self.account is not None and self.account != account:
            return False
        if op.startswith(PUSH):
            return self._is_push_fault and self.op in {op, PUSH + "*", "*"}
        return not self._is_push_fault and self.op in {op, "*"}


class _Counted:
    """A rule with its stream of chance and its counters."""

    __slots__ = ("chance", "rule", "seen", "struck")

    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self.chance = Chance("fault", rule.seed)
        self.seen = 0
        self.struck = 0

    def strikes(self) -> bool:
        self.seen += 1
        rule = self.rule
        if self.seen <= rule.skip or (rule.count is not None and self.struck >= rule.count):
            return False
        if self.chance.below(_MILLION) >= (rule.chance_ppm or 0):
            return False
        self.struck += 1
        return True


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[_Counted] = []

    def set(self, rules: list[FaultRule]) -> None:
        """Put these rules in force in place of all others, with counters at zero."""
        self._rules = [_Counted(rule) for rule in rules]

    def match(self, op: str, account: str) -> FaultRule | None:
        """Return the rule that strikes this operation, counting the match."""
        for counted in self._rules:
            if counted.rule.concerns(op, account) and counted.strikes():
                return counted.rule
        return None

    def report(self) -> list[dict[str, Any]]:
        """Return the rules with how often they matched and struck."""
        return [
            {**msgspec.to_builtins(each.rule), "seen": each.seen, "struck": each.struck}
            for each in self._rules
        ]
