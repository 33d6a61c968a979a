"""Submit one order and follow it to its end, with nothing but the standard library.

    python examples/submit_order.py TOKEN_FILE [URL]

TOKEN_FILE is the one that `quarterdeck up` prints. The point to copy: the caller chooses the
order's id, and when an answer is lost it sends the same message again. However often that happens,
there is one order.
"""

import http.client
import json
import sys
import time
import uuid
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

TRIES = 20
PAUSE_S = 0.5
FOLLOW_S = 30.0


def call(url: str, token: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return (status, answer); raises OSError when there is no answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def submit(url: str, token: str, order: dict[str, Any]) -> dict[str, Any]:
    """Submit an order, again and again with the same id until the desk answers."""
    for _ in range(TRIES):
        try:
            status, answer = call(url, token, "POST", "/api/orders", order)
        except (OSError, http.client.HTTPException) as error:
            sys.stderr.write(f"no answer ({error}); sending the same order again\n")
        else:
            if status == http.client.ACCEPTED:
                taken: dict[str, Any] = answer
                return taken
            if status != http.client.SERVICE_UNAVAILABLE:
                sys.exit(f"refused: {answer['error']}")
        Event().wait(PAUSE_S)
    sys.exit(f"the desk does not answer; order {order['operation_id']} may or may not exist")


def main(token_file: str, url: str = "http://127.0.0.1:8001") -> None:
    """Buy a little at the market and print what came of it."""
    token = Path(token_file).read_text(encoding="utf-8").strip()
    order = {
        "operation_id": f"example-{uuid.uuid4()}",
        "instrument_key": "BINANCE-SPOT:SPOT_PAIR:BTC-USDT",
        "side": "BUY",
        "quantity": "0.01",  # A string: JSON numbers lose digits.
        "order_type": "MARKET",
        "max_slippage_bps": "50",
    }
    taken = submit(url, token, order)
    sys.stdout.write(f"{taken['operation_id']}: {taken['state']} {taken['reason'] or ''}\n")
    until_s = time.monotonic() + FOLLOW_S
    finished = False
    while not finished and time.monotonic() < until_s:
        _, shown = call(url, token, "GET", f"/api/orders/{order['operation_id']}")
        sys.stdout.write(json.dumps(shown["order"]) + "\n")
        finished = shown["order"]["state"] not in {"working", "canceling"}
        Event().wait(0 if finished else PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
