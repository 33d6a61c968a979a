"""What one gateway process is told: which account, which driver, where to listen, how fast."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from quarterdeck.gateways.capture.settings import CaptureSettings
from quarterdeck.gateways.endpoint import Endpoint, GatewayKeys, endpoint_fault, local_endpoint
from quarterdeck.gateways.outbox import Rate


class GatewaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one account's gateway; times are milliseconds.

    Raises:
        ValueError: if values contradict each other; the text names the field.
    """

    account: str
    venue: str
    """As in canonical instrument ids, for example `BINANCE-SPOT`."""
    driver: str
    """A name that `quarterdeck.gateways.registry` knows."""
    driver_settings: dict[str, Any] = field(default_factory=dict)
    """As the driver's own settings type says."""
    run_dir: str
    """Folder of the lock and, unless `endpoint` is given, of the sockets."""
    endpoint: Endpoint | None = None
    keys: GatewayKeys | None = None
    desk_id: str | None = None
    """The only desk whose hello is taken; None takes the first that comes, for this run."""
    instruments: tuple[str, ...] = ()
    """Canonical ids whose books are watched; empty watches all that the venue lists."""
    book_depth: int = 20
    view_interval_ms: int = 100
    heartbeat_ms: int = 250
    rate: Rate = Rate()
    requests_at_once_max: int = 256
    request_timeout_ms: int = 10_000
    """Backstop around every driver call; a driver's own timeout should be shorter."""
    reconnect_ms: int = 250
    reconnect_ms_max: int = 15_000
    capture: CaptureSettings | None = None
    """Recording of what is published; None is none."""

    def __post_init__(self) -> None:
        if not self.account or not set(self.account) <= _NAME:
            raise ValueError(
                f"account: {self.account!r}; allowed are letters, digits, and any of . _ -"
            )
        for name in (
            "book_depth",
            "view_interval_ms",
            "heartbeat_ms",
            "requests_at_once_max",
            "request_timeout_ms",
            "reconnect_ms",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1, not {getattr(self, name)}")
        fault = endpoint_fault(self.listens_at, has_keys=self.keys is not None)
        if fault is not None:
            raise ValueError(f"endpoint: {fault}")

    @property
    def listens_at(self) -> Endpoint:
        """The addresses that the gateway binds."""
        return self.endpoint or local_endpoint(Path(self.run_dir), self.account)


_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def read_settings(text: bytes) -> GatewaySettings:
    """Read settings from JSON.

    Raises:
        ValueError: if they are not settings; the text names the field.
    """
    try:
        return msgspec.json.decode(text, type=GatewaySettings)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"gateway settings: {error}") from error
