"""The desk's way to its gateways: `quarterdeck.ports.Gateways` over ZeroMQ.

One link per account, each with its own sockets, so that nothing of one account can hold up
another. Sending either hands a command to a connected peer at once or says that it did not; what
was handed over may still be lost, and the desk learns that by asking.

A hello goes out with every tick, so that a gateway that came back finds the desk within one.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, assert_never

import structlog
import zmq

from quarterdeck.core.model.facts import Fact
from quarterdeck.core.model.intents import QueryChild, RequestSnapshot, SendCancel, SendChild
from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways import wire
from quarterdeck.gateways.contract import OrderRef, VenueOrder
from quarterdeck.gateways.curve import guard_desk
from quarterdeck.gateways.endpoint import Endpoint, endpoint_fault
from quarterdeck.gateways.link import LinkState, LinkStatus
from quarterdeck.gateways.sockets import (
    COMMANDS_QUEUED_MAX,
    FACTS_QUEUED_MAX,
    VIEWS_QUEUED_MAX,
    Reader,
    Socket,
    can_send,
    open_socket,
    send_now,
)
from quarterdeck.ports import Clock, GatewayCommand, GatewayListener

log = structlog.get_logger("quarterdeck.desk")

TICK_S: Final = 0.25
SILENCE_NS: Final = 1_500_000_000


class GatewayLinks:
    """All gateways of one desk.

    Args:
        desk_id: as the gateways are told to expect.
        endpoints: by account.
        listener: called on the loop's thread, in stream order for each account.
        clock: the wall clock; also measures silence.
        silence_ns: how long a gateway may be silent before it counts as lost.

    Raises:
        ValueError: if an endpoint may not be used.
    """

    def __init__(
        self,
        desk_id: str,
        endpoints: Mapping[str, Endpoint],
        listener: GatewayListener,
        clock: Clock,
        *,
        silence_ns: int = SILENCE_NS,
    ) -> None:
        for account, endpoint in endpoints.items():
            fault = endpoint_fault(endpoint, has_keys=endpoint.keys is not None)
            if fault is not None:
                raise ValueError(f"gateway of {account}: {fault}")
        self._desk_id = desk_id
        self._endpoints = dict(endpoints)
        self._listener = listener
        self._clock = clock
        self._silence_ns = silence_ns
        self._desk_epoch = 0
        self._context: zmq.Context[Socket] | None = None
        self._links: dict[str, _Link] = {}
        self._ticker: asyncio.TimerHandle | None = None

    def start(self, desk_epoch: int) -> None:
        """Open the sockets on the running loop and begin to greet the gateways."""
        if self._context is not None:
            raise RuntimeError("the links are open already")
        self._desk_epoch = desk_epoch
        self._context = zmq.Context()
        for account, endpoint in self._endpoints.items():
            state = LinkState(account, silence_ns=self._silence_ns)
            self._links[account] = _Link(
                self._context, endpoint, state, listener=self._listener, clock=self._clock
            )
        self._tick()

    def set_epoch(self, desk_epoch: int) -> None:
        """Go on under another epoch; every account is announced anew once it is welcomed."""
        self._desk_epoch = desk_epoch
        for link in self._links.values():
            link.deliver(link.state.restart())
            self._greet(link)

    def send(self, command: GatewayCommand) -> Reason | None:
        """See `Gateways.send`."""
        account = command.child.account if isinstance(command, SendChild) else command.account
        link = self._links.get(account)
        if link is None:
            return Reason.UNKNOWN_ACCOUNT if self._context is not None else Reason.GATEWAY_DOWN
        if isinstance(command, SendChild) and not link.state.connected:
            return Reason.GATEWAY_DOWN
        taken = link.send(to_wire(command, self._desk_epoch))
        return None if taken else Reason.GATEWAY_DOWN

    def status(self) -> dict[str, LinkStatus]:
        """Return what is known of each account's gateway, by account."""
        return {account: link.state.status() for account, link in self._links.items()}

    def close(self) -> None:
        """Close all sockets; what was not sent yet is dropped. Harmless when repeated."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        for link in self._links.values():
            link.close()
        self._links.clear()
        if self._context is not None:
            self._context.term()
            self._context = None

    def _tick(self) -> None:
        for link in list(self._links.values()):
            link.look()
            self._greet(link)
        if self._context is not None:
            self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _greet(self, link: "_Link") -> None:
        link.greet(
            wire.Hello(
                protocol=wire.PROTOCOL,
                desk_id=self._desk_id,
                desk_epoch=self._desk_epoch,
                want_welcome=link.state.wants_welcome,
            )
        )


def to_wire(command: GatewayCommand, desk_epoch: int) -> wire.Command:
    """Return the message of a command."""
    match command:
        case SendChild(child=child):
            order = VenueOrder(
                client_order_id=child.client_order_id,
                instrument=child.instrument,
                side=child.side,
                quantity=child.quantity,
                order_type=child.order_type,
                limit_px=child.limit_px,
                tif=child.tif,
                expire_ns=child.expire_ns,
                post_only=child.post_only,
                reduce_only=child.reduce_only,
                send_by_ns=child.send_by_ns,
            )
            return wire.Submit(
                desk_epoch=desk_epoch, gateway_epoch=child.gateway_epoch, order=order
            )
        case SendCancel():
            return wire.Cancel(desk_epoch=desk_epoch, order=_ref(command))
        case QueryChild(gateway_epoch=gateway_epoch):
            return wire.Query(
                desk_epoch=desk_epoch, gateway_epoch=gateway_epoch, order=_ref(command)
            )
        case RequestSnapshot(trades_from_ns=trades_from_ns):
            return wire.Snapshot(desk_epoch=desk_epoch, trades_from_ns=trades_from_ns)
        case _:
            assert_never(command)


def _ref(command: SendCancel | QueryChild) -> OrderRef:
    return OrderRef(
        instrument=command.instrument,
        client_order_id=command.client_order_id,
        venue_order_id=command.venue_order_id,
    )


class _Link:
    """The sockets of one account."""

    def __init__(
        self,
        context: zmq.Context[Socket],
        endpoint: Endpoint,
        state: LinkState,
        *,
        listener: GatewayListener,
        clock: Clock,
    ) -> None:
        self.state = state
        self._listener = listener
        self._clock = clock
        sockets = [
            open_socket(context, kind, queued_max=queued_max, frame_bytes_max=bytes_max)
            for kind, queued_max, bytes_max in (
                (zmq.PUSH, COMMANDS_QUEUED_MAX, wire.COMMAND_BYTES_MAX),
                (zmq.DEALER, FACTS_QUEUED_MAX, wire.FACT_BYTES_MAX),
                (zmq.SUB, VIEWS_QUEUED_MAX, wire.FACT_BYTES_MAX),
            )
        ]
        self._commands, self._facts, self._views = sockets
        self._views.setsockopt(zmq.SUBSCRIBE, b"")
        for socket, address in zip(sockets, endpoint.addresses, strict=True):
            if endpoint.keys is not None:
                guard_desk(socket, endpoint.keys)
            socket.connect(address)
        self._readers = (
            Reader(self._facts, self._read_fact),
            Reader(self._views, self._read_view),
        )

    def send(self, command: wire.Command) -> bool:
        return send_now(self._commands, wire.encode(command))

    def greet(self, hello: wire.Hello) -> None:
        send_now(self._facts, wire.encode(hello))
        self._readers[0].nudge()

    def look(self) -> None:
        """Read what waits, then judge the silence."""
        for reader in self._readers:
            reader.drain()
        self.deliver(self.state.on_tick(self._clock.now_ns()))

    def deliver(self, facts: list[Fact]) -> None:
        for fact in facts:
            self._listener.on_fact(fact)

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        for socket in (self._commands, self._facts, self._views):
            socket.close(linger=0)

    def _read_fact(self, frames: list[bytes]) -> None:
        message = wire.decode_stream(frames[0])
        if isinstance(message, wire.Malformed):
            self._malformed(message)
            return
        if isinstance(message, wire.Incompatible):
            log.error("gateway_incompatible", account=self.state.account, text=message.text)
        # The two sockets connect on their own: who is announced should also take commands.
        if not self.state.connected:
            self.state.commands_ready = can_send(self._commands)
        self.deliver(self.state.on_message(message, self._clock.now_ns()))

    def _read_view(self, frames: list[bytes]) -> None:
        frame = wire.decode_view(frames[0])
        if isinstance(frame, wire.Malformed):
            self._malformed(frame)
        elif frame.gateway_epoch == self.state.gateway_epoch:
            self._listener.on_view(self.state.account, frame.view)

    def _malformed(self, fault: wire.Malformed) -> None:
        self.state.malformed += 1
        log.warning("malformed_frame", account=self.state.account, text=fault.text)
