"""The log: one JSON object per line, with secrets taken out on the way.

Two nets catch secrets. Values under a name that sounds like one are replaced whole; and whatever
looks like a token of ours or a credential in a URL is replaced inside any text, since most leaks
are an exception's message or a header that somebody logged in passing.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog

HIDDEN: Final = "***"
_SECRET_NAME = re.compile(
    r"(^|_)(secret|password|passwd|token|authorization|api_?key|private_?key|credentials?|dsn)($|_)",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"(?P<token>qd_[a-z0-9-]{1,32}_)[0-9a-f]{16,}"
    r"|(?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<user>://[^\s/:@]*:)[^\s/@]+(?=@)",
    re.IGNORECASE,
)
_DEPTH_MAX: Final = 6


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send this process's log, and that of the libraries it uses, to a stream.

    Args:
        level: debug, info, warning, error or critical.
        stream: standard error when left out.

    Raises:
        ValueError: if there is no such level.
    """
    levels = logging.getLevelNamesMapping()
    number = levels.get(level.upper())
    if number is None:
        allowed = "debug, info, warning, error, critical"
        raise ValueError(f"log level {level!r} is none of {allowed}")
    target = stream if stream is not None else sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
        structlog.processors.JSONRenderer(default=repr),
    ]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared[:-2],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                structlog.processors.JSONRenderer(default=repr),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.INFO))


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take secrets out of a log event; a structlog processor."""
    del logger, method
    return {name: _clean(name, value, _DEPTH_MAX) for name, value in event.items()}


def _clean(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    if _SECRET_NAME.search(name):
        return HIDDEN
    match value:
        case str():
            return _SECRET_TEXT.sub(_hide, value)
        case bytes():
            return _SECRET_TEXT.sub(_hide, repr(value))
        case Mapping() if depth:
            return {str(key): _clean(str(key), item, depth - 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset() if depth:
            return [_clean("", item, depth - 1) for item in value]
        case _:
            return _SECRET_TEXT.sub(_hide, repr(value))


def _hide(found: re.Match[str]) -> str:
    return f"{found['token'] or found['scheme'] or found['user'] or ''}{HIDDEN}"
