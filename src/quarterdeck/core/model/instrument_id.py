"""Canonical instrument ids: `[ASSET_CLASS:]VENUE:INSTRUMENT_TYPE:PAYLOAD[@SUFFIX]`.

Owns the spelling: reading it into typed parts, saying precisely what is wrong with a text that is
no id, and printing the one canonical form. What an instrument costs or allows is not known here.

The payload has one form per type and the suffix follows from the type:

    SPOT_ASSET LST A_TOKEN DEBT_TOKEN   BASE                                         [@CHAIN]
    EQUITY INDEX                        BASE or BASE-QUOTE                           [@CHAIN]
    SPOT_PAIR                           BASE-QUOTE                                   [@CHAIN]
    POOL                                BASE-QUOTE:FEE_TIER                          [@CHAIN]
    PERPETUAL                           BASE-QUOTE                                   @LIN or @INV
    FUTURE                              BASE-QUOTE-YYMMDD                            [@LIN or @INV]
    OPTION                              BASE-QUOTE-YYMMDD-STRIKE-CALL or -PUT        [@LIN or @INV]
    MATCH_WINNER TOTAL_GOALS_OU_2_5     COMPETITION:YYYYMMDDTHHMM:HOME-AWAY          none
    BTTS                                COMPETITION:YYYYMMDDTHHMM:HOME-AWAY          none

Two things are easy to miss. An option may also be written `BASE-QUOTE-STRIKE-YYYYMMDD-C` (or `-P`);
it is the same id and prints in the form above. And a suffix is never guessed: without one a future
or option stays without, its settlement then comes from the venue's own terms, and the id is not
equal to one that says @LIN or @INV.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import Struct

from quarterdeck.core.model.decimals import Problem, canonical, parse_amount
from quarterdeck.core.model.instrument_payload import (
    Asset,
    Dated,
    Match,
    OptionTerms,
    Pair,
    Payload,
    PoolTerms,
    Right,
)

LENGTH_MAX: Final = 128
"""Characters an id may have."""


class InstrumentType(StrEnum):
    """What kind of thing an id names; decides the form of its payload."""

    SPOT_ASSET = "SPOT_ASSET"
    SPOT_PAIR = "SPOT_PAIR"
    PERPETUAL = "PERPETUAL"
    FUTURE = "FUTURE"
    OPTION = "OPTION"
    POOL = "POOL"
    LST = "LST"
    A_TOKEN = "A_TOKEN"  # noqa: S105 - a lending receipt, no secret
    DEBT_TOKEN = "DEBT_TOKEN"  # noqa: S105 - a loan owed, no secret
    EQUITY = "EQUITY"
    INDEX = "INDEX"
    MATCH_WINNER = "MATCH_WINNER"
    TOTAL_GOALS_OU_2_5 = "TOTAL_GOALS_OU_2_5"
    BTTS = "BTTS"


class Form(StrEnum):
    """How a payload is spelled, as a refusal shows it."""

    ASSET = "BASE"
    LISTED = "BASE or BASE-QUOTE"
    PAIR = "BASE-QUOTE"
    POOL = "BASE-QUOTE:FEE_TIER"
    DATED = "BASE-QUOTE-YYMMDD"
    OPTION = "BASE-QUOTE-YYMMDD-STRIKE-CALL (or -PUT)"
    MATCH = "COMPETITION:YYYYMMDDTHHMM:HOME-AWAY"


FORMS: Final[dict[InstrumentType, Form]] = {
    InstrumentType.SPOT_ASSET: Form.ASSET,
    InstrumentType.SPOT_PAIR: Form.PAIR,
    InstrumentType.PERPETUAL: Form.PAIR,
    InstrumentType.FUTURE: Form.DATED,
    InstrumentType.OPTION: Form.OPTION,
    InstrumentType.POOL: Form.POOL,
    InstrumentType.LST: Form.ASSET,
    InstrumentType.A_TOKEN: Form.ASSET,
    InstrumentType.DEBT_TOKEN: Form.ASSET,
    InstrumentType.EQUITY: Form.LISTED,
    InstrumentType.INDEX: Form.LISTED,
    InstrumentType.MATCH_WINNER: Form.MATCH,
    InstrumentType.TOTAL_GOALS_OU_2_5: Form.MATCH,
    InstrumentType.BTTS: Form.MATCH,
}
DERIVATIVES: Final = frozenset(
    {InstrumentType.PERPETUAL, InstrumentType.FUTURE, InstrumentType.OPTION}
)
LINEAR: Final = "LIN"
INVERSE: Final = "INV"


class Part(StrEnum):
    """The part of an id that a refusal is about."""

    ID = "id"
    ASSET_CLASS = "asset_class"
    VENUE = "venue"
    TYPE = "instrument_type"
    PAYLOAD = "payload"
    BASE = "base"
    QUOTE = "quote"
    EXPIRY = "expiry"
    STRIKE = "strike"
    RIGHT = "right"
    FEE_TIER = "fee_tier"
    COMPETITION = "competition"
    KICKOFF = "kickoff"
    HOME = "home"
    AWAY = "away"
    SUFFIX = "suffix"


class Malformed(Struct, frozen=True):
    """Why a text is not an id: the part at fault, its text as given, and what is allowed there."""

    part: Part
    text: str
    rule: str

    def __str__(self) -> str:
        return f"instrument id, {self.part}: {self.text!r}; {self.rule}"


class InstrumentId(Struct, frozen=True, cache_hash=True):
    """An instrument at a venue; made by `parse`, which alone checks the parts. Hashable."""

    asset_class: str | None
    venue: str
    type: InstrumentType
    payload: Payload
    suffix: str | None
    """Chain, LIN or INV, exactly as given; None when nothing was."""

    def __str__(self) -> str:
        head = f"{self.asset_class}:{self.venue}" if self.asset_class else self.venue
        tail = f"@{self.suffix}" if self.suffix else ""
        return f"{head}:{self.type.value}:{self.payload}{tail}"

    @property
    def base(self) -> str | None:
        """The asset that is traded; None for a match."""
        return None if isinstance(self.payload, Match) else self.payload.base

    @property
    def quote(self) -> str | None:
        """The asset that prices are in; None where the id does not name one."""
        return None if isinstance(self.payload, Asset | Match) else self.payload.quote

    @property
    def is_derivative(self) -> bool:
        """Whether it is a contract, bound to its venue: perpetual, future or option."""
        return self.type in DERIVATIVES

    @property
    def chain(self) -> str | None:
        """The chain it lives on, if the id names one."""
        return None if self.is_derivative else self.suffix

    def asset_id(self, asset: str) -> "InstrumentId":
        """Return the SPOT_ASSET id of an asset at the same venue (and chain, where there is one).

        Raises:
            ValueError: if the asset is not spelled as one.
        """
        made = InstrumentId(
            self.asset_class, self.venue, InstrumentType.SPOT_ASSET, Asset(asset), self.chain
        )
        if _SYMBOL.fullmatch(asset) is None or len(str(made)) > LENGTH_MAX:
            rule = f"{_SYMBOL_RULE}; its id has at most {LENGTH_MAX} characters"
            raise ValueError(f"{asset!r} is no asset, which {rule}")
        return made


# What each part may consist of, and how a refusal says it.
_SYMBOL: Final = re.compile(r"[A-Z0-9][A-Z0-9._]*")
_SYMBOL_RULE: Final = "starts with A-Z or 0-9, then A-Z 0-9 . _"
_NAME: Final = re.compile(r"[A-Z0-9][A-Z0-9-]*")
_NAME_RULE: Final = "starts with A-Z or 0-9, then A-Z 0-9 -"
_SPELLING: Final[dict[Part, tuple[re.Pattern[str], str]]] = {
    Part.ASSET_CLASS: (re.compile(r"[A-Z][A-Z0-9_]*"), "starts with A-Z, then A-Z 0-9 _"),
    Part.VENUE: (_NAME, _NAME_RULE),
    Part.BASE: (_SYMBOL, _SYMBOL_RULE),
    Part.QUOTE: (_SYMBOL, _SYMBOL_RULE),
    Part.STRIKE: (re.compile(r"[0-9]+(\.[0-9]+)?"), "a price such as 50000 or 0.25"),
    Part.RIGHT: (re.compile(r"CALL|PUT|C|P"), "CALL or PUT, or C or P in the other spelling"),
    Part.FEE_TIER: (re.compile(r"0|[1-9][0-9]{0,5}"), "millionths, 0 to 999999, such as 3000"),
    Part.COMPETITION: (re.compile(r"[A-Z0-9][A-Z0-9_-]*"), "A-Z 0-9 _ - such as ENG-CUP"),
    Part.HOME: (_SYMBOL, _SYMBOL_RULE),
    Part.AWAY: (_SYMBOL, _SYMBOL_RULE),
    Part.SUFFIX: (_NAME, _NAME_RULE),
}
_CHARSET: Final = re.compile(r"[A-Z0-9:@._-]+")
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9:@._-]")
_MINUTE: Final = re.compile(r"20[0-9]{10}")
_SHAPE: Final = "[ASSET_CLASS:]VENUE:INSTRUMENT_TYPE:PAYLOAD[@SUFFIX]"
_RIGHTS: Final = {"CALL": Right.CALL, "C": Right.CALL, "PUT": Right.PUT, "P": Right.PUT}
_TYPES_RULE: Final = "one of " + ", ".join(InstrumentType)


def parse(text: str) -> InstrumentId | Malformed:
    """Return the id that the text spells, or what is wrong with it. Never raises on any text."""
    if len(text) > LENGTH_MAX:  # Before the cache, which must not hold what has no bound.
        return Malformed(Part.ID, f"{text[:32]}…", f"at most {LENGTH_MAX} characters")
    return _read(text)


class _Refused(Exception):  # noqa: N818 - a way out of the reader, never seen outside this module
    def __init__(self, part: Part, text: str, rule: str) -> None:
        super().__init__(rule)
        self.malformed = Malformed(part, text, rule)


@lru_cache(maxsize=8192)
def _read(text: str) -> InstrumentId | Malformed:
    try:
        read = _id(text)
    except _Refused as refused:
        return refused.malformed
    # C becomes CALL, so the accepted option spelling may be shorter than what it stands for.
    if len(text) == LENGTH_MAX and len(str(read)) > LENGTH_MAX:
        return Malformed(Part.ID, str(read), f"at most {LENGTH_MAX} characters when canonical")
    return read


def _id(text: str) -> InstrumentId:
    if _CHARSET.fullmatch(text) is None:
        raise _foreign_character(text)
    body, at, suffix = text.partition("@")
    fields = body.split(":")
    # The asset class is optional, so the type stands second or third.
    place = 1 if len(fields) > 1 and fields[1] in InstrumentType else 2
    if len(fields) <= place or fields[place] not in InstrumentType:
        raise _without_type(text, fields)
    *asset_class, venue = fields[:place]
    if asset_class:
        _spelled(Part.ASSET_CLASS, asset_class[0])
    _spelled(Part.VENUE, venue)
    if venue in InstrumentType:
        raise _Refused(Part.VENUE, venue, "must not bear the name of an instrument type")
    type_ = InstrumentType(fields[place])
    payload = _payload(type_, fields[place + 1 :])
    return InstrumentId(
        asset_class[0] if asset_class else None,
        venue,
        type_,
        payload,
        _suffix(type_, suffix if at else None),
    )


def _foreign_character(text: str) -> _Refused:
    if not text:
        return _Refused(Part.ID, text, f"must have the form {_SHAPE}")
    if text.isascii() and _CHARSET.fullmatch(text.upper()):
        return _Refused(Part.ID, text, f"must be in upper case: {text.upper()}")
    place = next(i for i, char in enumerate(text) if _FOREIGN.fullmatch(char))
    rule = f"character {place + 1} is {text[place]!r}; only A-Z 0-9 : @ . _ - are allowed"
    return _Refused(Part.ID, text, rule)


def _without_type(text: str, fields: list[str]) -> _Refused:
    if fields[0] in InstrumentType:
        return _Refused(Part.VENUE, "", f"must come before the type: {_SHAPE}")
    if len(fields) == 1:
        return _Refused(Part.ID, text, f"must have the form {_SHAPE}")
    # A misspelt type stands third after an asset class; a hyphen tells a payload from it.
    third = len(fields) > 3 and "-" not in fields[2]
    return _Refused(Part.TYPE, fields[2] if third else fields[1], _TYPES_RULE)


def _payload(type_: InstrumentType, fields: list[str]) -> Payload:
    form = FORMS[type_]
    payload: Payload
    match form, [field.split("-") for field in fields]:
        case ((Form.ASSET | Form.LISTED), [[base]]):
            payload = Asset(_spelled(Part.BASE, base))
        case ((Form.PAIR | Form.LISTED), [[base, quote]]):
            payload = Pair(_spelled(Part.BASE, base), _spelled(Part.QUOTE, quote))
        case Form.POOL, [[base, quote], [fee]]:
            _spelled(Part.FEE_TIER, fee)
            payload = PoolTerms(_spelled(Part.BASE, base), _spelled(Part.QUOTE, quote), int(fee))
        case Form.DATED, [[base, quote, day]]:
            payload = Dated(_spelled(Part.BASE, base), _spelled(Part.QUOTE, quote), _day(day))
        case Form.OPTION, [[base, quote, *terms]] if len(terms) == 3:
            payload = _option(_spelled(Part.BASE, base), _spelled(Part.QUOTE, quote), *terms)
        case Form.MATCH, [words, [minute], [home, away]]:
            payload = Match(
                _spelled(Part.COMPETITION, "-".join(words)),
                _kickoff(minute),
                _spelled(Part.HOME, home),
                _spelled(Part.AWAY, away),
            )
        case _:
            raise _Refused(Part.PAYLOAD, ":".join(fields), f"a {type_} is written {form}")
    return payload


def _option(base: str, quote: str, third: str, fourth: str, letters: str) -> OptionTerms:
    _spelled(Part.RIGHT, letters)
    short = len(letters) == 1  # The accepted other spelling, with day and strike changed over.
    expiry = _long_day(fourth) if short else _day(third)
    text = _spelled(Part.STRIKE, third if short else fourth)
    strike_px = parse_amount(text, field=Part.STRIKE)
    if isinstance(strike_px, Problem):
        raise _Refused(Part.STRIKE, text, strike_px.text)
    # 50000.0 is kept as 50000, so that equal ids are equal in their stored bytes too.
    return OptionTerms(base, quote, expiry, Decimal(canonical(strike_px)), _RIGHTS[letters])


def _day(text: str) -> date:
    return _existing_day(f"20{text}", text, "an existing day as YYMMDD, such as 241225")


def _long_day(text: str) -> date:
    rule = "an existing day of 2000 to 2099 as YYYYMMDD, such as 20241225"
    return _existing_day(text, text, rule)


def _existing_day(digits: str, text: str, rule: str) -> date:
    moment = _moment(f"{digits}0000")
    if moment is None:
        raise _Refused(Part.EXPIRY, text, rule)
    return moment.date()


def _kickoff(text: str) -> datetime:
    moment = _moment(text.replace("T", "", 1)) if text[8:9] == "T" else None
    if moment is None:
        rule = "an existing UTC minute as YYYYMMDDTHHMM, such as 20250315T1500"
        raise _Refused(Part.KICKOFF, text, rule)
    return moment


def _moment(digits: str) -> datetime | None:
    if _MINUTE.fullmatch(digits) is None:
        return None
    month, day, hour, minute = (int(digits[i : i + 2]) for i in (4, 6, 8, 10))
    try:
        return datetime(int(digits[:4]), month, day, hour, minute, tzinfo=UTC)
    except ValueError:  # There is no such day or no such minute.
        return None


def _suffix(type_: InstrumentType, suffix: str | None) -> str | None:
    shown = "" if suffix is None else f"@{suffix}"
    if type_ in DERIVATIVES:
        optional = type_ is not InstrumentType.PERPETUAL
        if suffix not in {LINEAR, INVERSE} and not (optional and suffix is None):
            rule = f"a {type_} is marked @{LINEAR} (settled in quote) or @{INVERSE} (in base)"
            raise _Refused(Part.SUFFIX, shown, rule)
        return suffix
    if suffix is None:
        return None
    if FORMS[type_] is Form.MATCH:
        raise _Refused(Part.SUFFIX, shown, f"a {type_} has no suffix")
    if suffix in {LINEAR, INVERSE}:
        raise _Refused(Part.SUFFIX, shown, f"a {type_} is no derivative; only @CHAIN may follow")
    return _spelled(Part.SUFFIX, suffix)


def _spelled(part: Part, text: str) -> str:
    pattern, rule = _SPELLING[part]
    if pattern.fullmatch(text) is None:
        raise _Refused(part, text, rule)
    return text
