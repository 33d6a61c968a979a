"""CURVE keys on sockets, and a gateway's list of the desks that it admits.

Without the list any holder of the gateway's public key could connect, so a gateway with keys
always has one. libzmq asks for the verdict on each connection over an in-process socket; a thread
of the library answers.
"""

import zmq
from zmq.auth.thread import ThreadAuthenticator

from quarterdeck.gateways.endpoint import DeskKeys, GatewayKeys
from quarterdeck.gateways.sockets import Socket


class _AdmittedDesks:
    """What the authenticator asks; its method's name and form are the library's."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = frozenset(key.encode() for key in keys)

    def callback(self, domain: str, key: bytes) -> bool:  # noqa: ARG002 - the library's form
        """Say whether the desk with this public key, in Z85, may connect."""
        return key in self._keys


def admit_desks(context: zmq.Context[Socket], keys: GatewayKeys) -> ThreadAuthenticator:
    """Start to answer for the context's sockets. Start before binding, stop before terminating."""
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve_callback(
        domain="*", credentials_provider=_AdmittedDesks(keys.desk_public_keys)
    )
    return authenticator


def guard_gateway(socket: Socket, keys: GatewayKeys) -> None:
    """Make a socket accept encrypted connections only."""
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret_key.encode())
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public_key.encode())
    socket.setsockopt(zmq.CURVE_SERVER, 1)


def guard_desk(socket: Socket, keys: DeskKeys) -> None:
    """Make a socket connect encrypted, and only to the gateway that has the key."""
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret_key.encode())
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public_key.encode())
    socket.setsockopt(zmq.CURVE_SERVERKEY, keys.gateway_public_key.encode())
