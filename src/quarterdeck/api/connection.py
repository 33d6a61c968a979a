"""One HTTP connection, with bounds on a request's head that uvicorn's parser does not have.

Before a head is complete nobody knows who is calling: its size and its time, and the number of
connections, are all that keeps a stranger from filling memory. What is refused here, before the
application sees it, is refused in the application's error shape all the same.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quarterdeck.api.errors import Fault, error
from quarterdeck.core.model.reasons import Reason

HEAD_BYTES_MAX: Final = 16 * 1024
HEAD_WITHIN_S: Final = 10.0
CONNECTIONS_MAX: Final = 512


class BoundedHeadProtocol(HttpToolsProtocol):
    """uvicorn's connection, which gives up on a head that is too long or too slow."""

    def admits(self, peer: str) -> bool:
        """Tell whether a peer may connect; overridden by `for_peers`."""
        del peer
        return True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See uvicorn."""
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        """Received since the last complete head or piece of a body."""
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Expect a first head."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            text = f"{CONNECTIONS_MAX} connections are open already"
            self._end(HTTPStatus.SERVICE_UNAVAILABLE, Reason.OVERLOADED, text)
        elif not self.admits(self.client[0] if self.client is not None else ""):
            text = "come by the proxy that speaks TLS for this desk"
            self._end(HTTPStatus.FORBIDDEN, Reason.FORBIDDEN, text)
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Parse, then judge what is left of an unfinished head."""
        if self.transport.is_closing():
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            text = f"the head of a request has at most {HEAD_BYTES_MAX} bytes"
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, Reason.TOO_LARGE, text)
        elif self._head_bytes:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """Stop counting."""
        self._head_done()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Stop counting: bodies have their own bound."""
        self._head_done()
        super().on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._head_done()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self._end(HTTPStatus.BAD_REQUEST, Reason.MALFORMED, msg)

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_WITHIN_S, self._too_slow)

    def _head_done(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        text = f"the head of a request must arrive within {HEAD_WITHIN_S:.0f} s"
        self._end(HTTPStatus.REQUEST_TIMEOUT, Fault.TIMED_OUT, text)

    def _end(self, status: HTTPStatus, code: Reason | Fault, text: str) -> None:
        """Answer without the application, and close."""
        self._head_done()
        if self.transport.is_closing():
            return
        response = error(status, code, text, headers={"connection": "close"})
        head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        head += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join([*head, b"", bytes(response.body)]))
        self.transport.close()


def for_peers(admits: Callable[[str], bool]) -> type[BoundedHeadProtocol]:
    """Return the connection for a server that not every peer may connect to."""

    class AdmittedProtocol(BoundedHeadProtocol):
        """One that asks who connects."""

        def admits(self, peer: str) -> bool:
            return admits(peer)

    return AdmittedProtocol
