"""Asks a running desk over HTTP, with nothing but the standard library: it costs no start time."""

import http.client
import json
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE, CommandError

TIMEOUT_S: Final = 10.0
HTTP_ERRORS_FROM: Final = 400
SERVICE_UNAVAILABLE: Final = 503
HOW_TO_START: Final = "start one with `quarterdeck up`, or name one with --url"


class RefusalError(CommandError):
    """The desk said no; `error` is its code, field and text, `body` the whole answer."""

    def __init__(self, status: int, body: Any) -> None:
        error = body.get("error") if isinstance(body, dict) else None
        self.body = body
        self.error: dict[str, Any] = dict(error or {"code": f"http_{status}", "text": str(body)})
        error = self.error
        field = f" ({error['field']})" if error.get("field") else ""
        code = EXIT_UNREACHABLE if status == SERVICE_UNAVAILABLE else EXIT_REFUSED
        super().__init__(f"{error['code']}{field}: {error.get('text', '')}", code)

    def document(self) -> dict[str, object]:
        """Return what `--json` prints: the desk's own words."""
        return {"error": self.error}


class DeskClient(Struct, frozen=True, kw_only=True):
    """One desk's API."""

    url: str
    token: str

    def get(self, path: str, **query: Any) -> Any:
        """GET a resource; parameters that are None are left out.

        Raises:
            CommandError: if the desk refuses or cannot be reached.
        """
        given = {name: _query(value) for name, value in query.items() if value is not None}
        return self.ask("GET", f"{path}?{urlencode(given)}" if given else path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST a message; raises as `get` does."""
        return self.ask("POST", path, body)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the decoded answer.

        Raises:
            RefusalError: if the desk said no.
            CommandError: if it cannot be reached.
        """
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection = _connection(self.url)
        try:
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise CommandError(
                f"no desk answers at {self.url} ({error}); {HOW_TO_START}", EXIT_UNREACHABLE
            ) from error
        finally:
            connection.close()
        decoded = _decode(content)
        if answer.status >= HTTP_ERRORS_FROM:
            raise RefusalError(answer.status, decoded)
        return decoded


def segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandError(f"{url}: an address starts with http:// or https://", EXIT_USAGE)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)


def _query(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
