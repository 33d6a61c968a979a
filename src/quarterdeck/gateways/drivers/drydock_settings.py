"""Where a drydock is and how its driver behaves."""

import os

from msgspec import Struct, field


class DrydockSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the venue is and how to log in; times are milliseconds.

    Raises:
        ValueError: if not exactly one of `token` and `token_env` is given.
    """

    url: str
    """`ws://HOST:PORT/ws`."""
    login: str | None = None
    """Account name at the venue; None uses the gateway's account name."""
    token: str | None = None
    token_env: str | None = None
    """Environment variable that holds the token."""
    instruments: dict[str, str] = field(default_factory=dict)
    """Canonical ids of symbols for which the usual spelling would be wrong."""
    recv_window_ms: int = 5_000
    """How long a request stays valid at the venue; 1 to 60,000."""
    margin_ms: int = 1_000
    """By how much the two clocks may differ."""
    request_timeout_ms: int = 3_000
    probe_ms: int = 2_000
    """How often the venue is asked for its time: a sign of life, and the clocks' difference."""

    def __post_init__(self) -> None:
        if (self.token is None) == (self.token_env is None):
            raise ValueError("give exactly one of token and token_env")
        if not 1 <= self.recv_window_ms <= 60_000:
            raise ValueError(f"recv_window_ms: 1 to 60000 is allowed, not {self.recv_window_ms}")
        if min(self.margin_ms, self.request_timeout_ms, self.probe_ms) < 1:
            raise ValueError("margin_ms, request_timeout_ms and probe_ms must be at least 1")

    def secret(self) -> str | None:
        """Return the token; None when its environment variable is empty or missing."""
        return self.token or os.environ.get(self.token_env or "") or None
