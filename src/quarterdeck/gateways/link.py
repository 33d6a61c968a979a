"""The desk's end of one gateway's fact stream: pure, so that a simulation runs the same rules.

It turns what arrives into the facts that the desk hears, in stream order, each once:

* `GatewayConnected` when a run of the gateway is heard, can be commanded and has its venue, once
  per such spell;
* `GatewayLost` when such a spell ends: by silence, by the venue's loss, or by missing numbers.
  After missing numbers a new spell begins at once, so that the desk asks for a snapshot. A new
  run, or changed instruments, are announced without a loss before;
* every fact of the newest run heard of, and none of an older one.

The order of runs is the order of their epochs. A run is known by its `Welcome` only: whatever else
comes from a newer run is not believed yet, but makes this end ask for a welcome.
"""

from typing import assert_never

from msgspec import Struct

from quarterdeck.core.model.facts import Fact, GatewayConnected, GatewayLost
from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways.wire import (
    FactFrame,
    Heartbeat,
    Incompatible,
    StreamMessage,
    Welcome,
)


class LinkStatus(Struct, frozen=True, kw_only=True):
    """What is known of one account's gateway, for a page or a log."""

    account: str
    venue: str | None
    connected: bool
    """Whether the gateway is heard and has its venue."""
    heard_ns: int | None
    """When anything of the newest run was heard last, on our clock."""
    gateway_epoch: int
    """The newest run heard of; 0 before the first."""
    venue_connected: bool
    reason: str
    """Why it is not connected; empty when it is."""
    gaps: int
    duplicates: int
    stale_frames: int
    """Frames of an older run."""
    malformed: int
    clock_offset_ns: int | None
    """The gateway's clock minus ours at the last heartbeat; the way's time is part of it."""
    venue_clock_offset_ns: int | None
    """The venue's clock minus the gateway's."""


class LinkState:
    """The state of one link.

    Args:
        account: whose gateway it is; a welcome of another account is refused.
        silence_ns: how long nothing may be heard before the stream counts as stale.
    """

    def __init__(self, account: str, *, silence_ns: int) -> None:
        self.account = account
        self.connected = False
        self.gateway_epoch = 0
        self.malformed = 0
        """Counted by whoever decodes the frames."""
        self.commands_ready = True
        """Set by whoever owns the sockets: whether a command could be handed over now."""
        self._silence_ns = silence_ns
        self._welcome: Welcome | None = None
        self._wants_welcome = True
        self._next_seq = 0
        self._heard_ns: int | None = None
        self._venue_connected = False
        self._reason = "not heard yet"
        self._gaps = 0
        self._duplicates = 0
        self._stale_frames = 0
        self._clock_offset_ns: int | None = None
        self._venue_clock_offset_ns: int | None = None

    @property
    def wants_welcome(self) -> bool:
        """Whether the next hello should ask for a welcome."""
        return self._wants_welcome

    def on_message(self, message: StreamMessage, now_ns: int) -> list[Fact]:
        """Take one message from the gateway; return the facts for the desk, in order."""
        match message:
            case Welcome():
                return self._on_welcome(message, now_ns)
            case FactFrame():
                return self._on_fact(message, now_ns)
            case Heartbeat():
                return self._on_heartbeat(message, now_ns)
            case Incompatible(text=text):
                self._reason = text
                return []
            case _:
                assert_never(message)

    def on_tick(self, now_ns: int) -> list[Fact]:
        """Look at the time. Read all that waits first, or a pause of ours looks like theirs."""
        silent = self._heard_ns is None or now_ns - self._heard_ns > self._silence_ns
        if not silent:
            return []
        self._wants_welcome = True
        return self._lose(Reason.STREAM_STALE, "silent for too long") if self.connected else []

    def restart(self) -> list[Fact]:
        """Begin again under another desk epoch: what was heard before is not continued."""
        self._wants_welcome = True
        return self._lose(Reason.STREAM_STALE, "the desk's epoch changed") if self.connected else []

    def status(self) -> LinkStatus:
        """Return what is known now."""
        return LinkStatus(
            account=self.account,
            venue=self._welcome.venue if self._welcome is not None else None,
            connected=self.connected,
            heard_ns=self._heard_ns,
            gateway_epoch=self.gateway_epoch,
            venue_connected=self._venue_connected,
            reason="" if self.connected else self._reason,
            gaps=self._gaps,
            duplicates=self._duplicates,
            stale_frames=self._stale_frames,
            malformed=self.malformed,
            clock_offset_ns=self._clock_offset_ns,
            venue_clock_offset_ns=self._venue_clock_offset_ns,
        )

    def _on_welcome(self, welcome: Welcome, now_ns: int) -> list[Fact]:
        if welcome.account != self.account:
            self._reason = f"the endpoint is the gateway of account {welcome.account}"
            return []
        if welcome.gateway_epoch < self.gateway_epoch:
            self._stale_frames += 1
            return []
        facts: list[Fact] = []
        if welcome.gateway_epoch > self.gateway_epoch:
            self.gateway_epoch = welcome.gateway_epoch
            self._next_seq = welcome.next_seq
            self.connected = False  # Not lost: replaced by the run that is announced below.
        elif welcome.next_seq > self._next_seq:
            facts = self._skip_to(welcome.next_seq)
        if self._welcome is not None and self._welcome.instruments != welcome.instruments:
            self.connected = False  # Announced again, with what it trades now.
        self._welcome = welcome
        self._wants_welcome = False
        reason = "the venue is not connected"
        return facts + self._hear(now_ns, venue=welcome.venue_connected, reason=reason)

    def _on_fact(self, frame: FactFrame, now_ns: int) -> list[Fact]:
        if not self._is_present(frame.gateway_epoch):
            return []
        if frame.seq < self._next_seq:
            self._duplicates += 1
            return []
        self._heard_ns = now_ns
        facts = self._skip_to(frame.seq) if frame.seq > self._next_seq else []
        self._next_seq = frame.seq + 1
        return [*facts, frame.fact]

    def _on_heartbeat(self, beat: Heartbeat, now_ns: int) -> list[Fact]:
        if not self._is_present(beat.gateway_epoch):
            return []
        self._clock_offset_ns = beat.now_ns - now_ns
        self._venue_clock_offset_ns = beat.venue_clock_offset_ns
        facts = self._skip_to(beat.last_seq + 1) if beat.last_seq >= self._next_seq else []
        return facts + self._hear(now_ns, venue=beat.venue_connected, reason=beat.reason)

    def _is_present(self, gateway_epoch: int) -> bool:
        if gateway_epoch < self.gateway_epoch:
            self._stale_frames += 1
        elif gateway_epoch > self.gateway_epoch:
            self._wants_welcome = True
        return gateway_epoch == self.gateway_epoch

    def _skip_to(self, next_seq: int) -> list[Fact]:
        """Go on behind missing numbers; the desk hears of it as lost and back."""
        self._gaps += 1
        self._next_seq = next_seq
        if not self.connected:
            return []
        return [*self._lose(Reason.STREAM_GAP, "messages are missing"), *self._announce()]

    def _hear(self, now_ns: int, *, venue: bool, reason: str) -> list[Fact]:
        self._heard_ns = now_ns
        self._venue_connected = venue
        if venue and not self.connected:
            return self._announce()
        if not venue:
            self._reason = reason
            return self._lose(Reason.VENUE_DISCONNECTED, reason) if self.connected else []
        return []

    def _announce(self) -> list[Fact]:
        welcome = self._welcome
        if not self.commands_ready:
            self._reason = "commands cannot be handed over yet"
            return []  # The next heartbeat tries again.
        if welcome is None or not (welcome.venue_connected or welcome.instruments):
            self._wants_welcome = True  # Without its instruments it cannot be introduced.
            return []
        self.connected = True
        return [
            GatewayConnected(
                account=self.account,
                venue=welcome.venue,
                gateway_epoch=self.gateway_epoch,
                capabilities=welcome.capabilities,
                instruments=welcome.instruments,
            )
        ]

    def _lose(self, why: Reason, reason: str) -> list[Fact]:
        self.connected = False
        self._reason = reason
        return [GatewayLost(account=self.account, why=why)]
