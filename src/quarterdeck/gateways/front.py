"""A gateway's sockets towards the desk: who leads, the numbering of facts, the newest views.

Facts go to one desk only: the one whose hello had the highest epoch heard of. A fact that cannot
be handed over at once is dropped with its number; the desk sees the gap and asks for a snapshot.
So is every fact while no desk leads.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import structlog
import zmq
from zmq.auth.thread import ThreadAuthenticator

from quarterdeck.core.model.account import Capabilities
from quarterdeck.core.model.facts import Fact
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways import wire
from quarterdeck.gateways.curve import admit_desks, guard_gateway
from quarterdeck.gateways.session import GatewaySession
from quarterdeck.gateways.settings import GatewaySettings
from quarterdeck.gateways.sockets import (
    COMMANDS_QUEUED_MAX,
    FACTS_QUEUED_MAX,
    VIEWS_QUEUED_MAX,
    Reader,
    Socket,
    open_socket,
    send_now,
)

log = structlog.get_logger("quarterdeck.gateway")

FAREWELL_MS: Final = 200


class Front:
    """Binds on construction, inside a running loop.

    Args:
        session: asked who leads.
        on_command: called with each command, in order of arrival.
        newest_views: called when a desk arrives, which has seen no view yet.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        session: GatewaySession,
        capabilities: Capabilities,
        *,
        on_command: Callable[[wire.Command], None],
        newest_views: Callable[[], Sequence[MarketView]],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.instruments: tuple[Instrument, ...] = ()
        self._session = session
        self._capabilities = capabilities
        self._on_command = on_command
        self._newest_views = newest_views
        self._desk_id = settings.desk_id
        self._leader: tuple[bytes, int] | None = None
        self._seq = 0
        self._context: zmq.Context[Socket] = zmq.Context()
        self._authenticator: ThreadAuthenticator | None = None
        if settings.keys is not None:
            self._authenticator = admit_desks(self._context, settings.keys)
        sockets = [
            open_socket(self._context, kind, queued_max=queued_max, frame_bytes_max=bytes_max)
            for kind, queued_max, bytes_max in (
                (zmq.PULL, COMMANDS_QUEUED_MAX, wire.COMMAND_BYTES_MAX),
                (zmq.ROUTER, FACTS_QUEUED_MAX, wire.COMMAND_BYTES_MAX),
                (zmq.PUB, VIEWS_QUEUED_MAX, wire.COMMAND_BYTES_MAX),
            )
        ]
        self._commands, self._facts, self._views = sockets
        for socket, address in zip(sockets, settings.listens_at.addresses, strict=True):
            if settings.keys is not None:
                guard_gateway(socket, settings.keys)
            socket.bind(address)
        self._readers = (
            Reader(self._commands, self._read_command),
            Reader(self._facts, self._read_hello),
        )

    @property
    def last_seq(self) -> int:
        """The number of the last fact; 0 before the first."""
        return self._seq

    def emit(self, fact: Fact) -> None:
        """Number a fact and hand it to the leading desk, or drop it."""
        self._seq += 1
        frame = wire.FactFrame(gateway_epoch=self._session.gateway_epoch, seq=self._seq, fact=fact)
        if not self._to_leader(frame):
            self.counts["facts_undelivered"] += 1

    def heartbeat(self, now_ns: int, *, reason: str, clock_offset_ns: int | None) -> None:
        """Tell the leading desk that we live, and whether the venue does."""
        beat = wire.Heartbeat(
            gateway_epoch=self._session.gateway_epoch,
            last_seq=self._seq,
            now_ns=now_ns,
            venue_connected=self._session.venue_connected,
            reason=reason,
            venue_clock_offset_ns=clock_offset_ns,
        )
        self._to_leader(beat)
        # A look at every socket now and then costs nothing and makes a lost signal harmless.
        for reader in self._readers:
            reader.nudge()

    def welcome(self) -> bool:
        """Introduce ourselves to the leading desk; False when it did not take it."""
        return self._to_leader(
            wire.Welcome(
                protocol=wire.PROTOCOL,
                gateway_epoch=self._session.gateway_epoch,
                next_seq=self._seq + 1,
                account=self._session.account,
                venue=self._session.venue,
                venue_connected=self._session.venue_connected,
                capabilities=self._capabilities,
                instruments=self.instruments,
            )
        )

    def publish(self, view: MarketView) -> None:
        """Send a view to whoever listens; a slow listener misses it."""
        frame = wire.ViewFrame(gateway_epoch=self._session.gateway_epoch, view=view)
        send_now(self._views, wire.encode(frame))

    def stop_commands(self) -> None:
        """Read no more commands."""
        self._readers[0].close()

    def close(self) -> None:
        """Close everything."""
        for reader in self._readers:
            reader.close()
        self._commands.close(linger=0)
        self._views.close(linger=0)
        self._facts.close(linger=FAREWELL_MS)  # For the last heartbeat, which says goodbye.
        if self._authenticator is not None:
            self._authenticator.stop()
        self._context.term()

    def _to_leader(self, message: wire.StreamMessage) -> bool:
        if self._leader is None or self._leader[1] < self._session.desk_epoch:
            return False
        taken = send_now(self._facts, self._leader[0], wire.encode(message))
        self._readers[1].nudge()
        return taken

    def _read_command(self, frames: list[bytes]) -> None:
        command = wire.decode_command(frames[0]) if len(frames) == 1 else _wrong_count(frames)
        if isinstance(command, wire.Malformed):
            self._malformed("command", command)
        else:
            self.counts["commands"] += 1
            self._on_command(command)

    def _read_hello(self, frames: list[bytes]) -> None:
        # The first frame is the sender's identity on this socket.
        hello = wire.decode_hello(frames[1]) if len(frames) == 2 else _wrong_count(frames)
        if isinstance(hello, wire.Malformed):
            self._malformed("hello", hello)
        elif hello.protocol != wire.PROTOCOL:
            self.counts["incompatible"] += 1
            text = f"this gateway speaks protocol {wire.PROTOCOL}, not {hello.protocol}"
            answer = wire.Incompatible(protocol=wire.PROTOCOL, text=text)
            send_now(self._facts, frames[0], wire.encode(answer))
        elif self._desk_id not in {None, hello.desk_id}:
            self.counts["foreign_desk"] += 1
            log.warning("hello_of_another_desk", desk_id=hello.desk_id, ours=self._desk_id)
        elif self._session.hello(hello.desk_epoch):
            self._desk_id = hello.desk_id
            self._lead(frames[0], hello)
        else:
            self.counts["stale_hello"] += 1

    def _lead(self, identity: bytes, hello: wire.Hello) -> None:
        leader = (identity, hello.desk_epoch)
        if leader == self._leader and not hello.want_welcome:
            return
        if leader != self._leader:
            log.info("desk_leads", desk_id=hello.desk_id, desk_epoch=hello.desk_epoch)
        self._leader = leader
        if not self.welcome():
            self._leader = None  # Its next hello tries again.
            return
        for view in self._newest_views():
            self.publish(view)

    def _malformed(self, kind: str, fault: wire.Malformed) -> None:
        self.counts["malformed"] += 1
        log.warning("malformed_frame", kind=kind, text=fault.text)


def _wrong_count(frames: list[bytes]) -> wire.Malformed:
    return wire.Malformed(f"a message of {len(frames)} frames")
