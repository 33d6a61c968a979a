"""What happens in the demonstration, step by step.

One order fills, one rests, one is refused by risk. A TWAP begins, split by SMART over three venues.
While it works a gateway and the desk are killed, the desk in the middle of taking another order.
That request is sent again with the same id, as a client should: it must lead to one order, whether
the first try was durable or not. The TWAP goes on by itself, an iceberg follows, and at the end the
same parents go through the backtest over the market that the gateways recorded.
"""

import contextlib
import http.client
import json
import select
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from quarterdeck.app.defaults import ACCOUNT, INSTRUMENT, VENUES, DefaultVenue
from quarterdeck.app.demo.comparison import differences
from quarterdeck.app.demo.findings import Findings, Kill, Proof
from quarterdeck.app.demo.system import DemoError, DemoSystem
from quarterdeck.app.desk_client import DeskClient
from quarterdeck.backtest.study.result import Study
from quarterdeck.gateways.capture.inventory import inventory
from quarterdeck.gateways.capture.layout import RawKind

FILLED, RESTING, REFUSED, INTERRUPTED, SLICED, HIDDEN = (
    "demo-fills",
    "demo-rests",
    "demo-refused",
    "demo-interrupted",
    "demo-twap",
    "demo-iceberg",
)
TWAP_S: Final = 10
AGE_NS_MAX: Final = 1_000_000_000
SETTLE_S_MAX: Final = 20.0
MIDST_S: Final = 0.004


type Check = Callable[[], Proof]
type RunStudy = Callable[[], Study]


class Story:
    """Tells the demonstration on a running system.

    Args:
        system: the system.
        say: told each step when it is done.
        check: proves the journal, straight from the database.
        study: runs the journal's parents through the backtest.
    """

    def __init__(
        self, system: DemoSystem, say: Callable[[str], None], check: Check, study: RunStudy
    ) -> None:
        self._system = system
        self._say = say
        self._check = check
        self._study = study
        self._kills: list[Kill] = []

    def tell(self) -> Findings:
        """Go through all steps.

        Raises:
            DemoError: if a step did not come about.
        """
        began_s = time.monotonic()
        self._system.wait_until_up()
        bid_px, ask_px = self._wait_for_market()
        markets = ", ".join(
            f"{v.venue} {'recorded' if self._is_recorded(v) else 'synthetic'}" for v in VENUES
        )
        self._say(f"up: {markets}; {INSTRUMENT} at {bid_px} / {ask_px}")
        self._fill_one()
        self._rest_one(bid_px)
        refused = self._be_refused(ask_px)
        self._begin_twap()
        self._kill_gateway()
        self._kill_desk()
        self._show_iceberg()
        self._end_twap()
        self._compare("after both kills")
        self._cancel_resting()
        found = self._compare("at the end")
        proof = self._check()
        self._tell_proof(proof)
        self._wait_for_capture()
        study = self._study()
        totals = study.totals
        self._say(
            f"backtest of {totals.orders} orders over the captured market: "
            f"{totals.equal_decisions} with the same decisions, "
            f"{totals.mean_bps or 'no'} bps worse on average"
        )
        return Findings(
            data=self._system.data,
            orders=self._details(),
            refused=refused["reason"],
            refused_detail=refused["detail"],
            kills=self._kills,
            journal=proof.journal,
            replay=proof.replay,
            study=study,
            differences=found,
            open_at_end=sum(
                order["status"] == "OPEN"
                for venue in VENUES
                for order in self._system.venue(venue.account)["orders"]
            ),
            seconds=time.monotonic() - began_s,
        )

    def _tell_proof(self, proof: Proof) -> None:
        report, again = proof.journal, proof.replay
        self._say(
            f"journal: {report.chain.rows} rows, chain {'good' if report.chain.ok else 'BROKEN'}, "
            f"folding them gives {'exactly' if report.ok else 'NOT'} what the tables hold"
        )
        same = "NOT the same" if again.problems() else "the same, byte for byte"
        self._say(f"decided again: {again.decided} of {again.entries} inputs, {same}")

    def _wait_for_capture(self) -> None:
        """Wait until the recordings on the disk reach beyond everything that happened."""
        folder, ended_us = self._system.capture, time.time_ns() // 1_000
        assert folder is not None, "the demonstration records its markets"

        def is_recorded() -> bool:
            books = [r for r in inventory(folder) if r.kind is RawKind.BOOK]
            return len(books) == len(VENUES) and all((r.last_us or 0) > ended_us for r in books)

        self._system.wait_for("the recordings to reach the end", is_recorded)

    def _is_recorded(self, venue: DefaultVenue) -> bool:
        return self._system.data == "recorded" and not venue.derived

    @property
    def _desk(self) -> DeskClient:
        return self._system.desk

    def _wait_for_market(self) -> tuple[Decimal, Decimal]:
        def fresh() -> tuple[Decimal, Decimal] | None:
            listed = (self._system.ask("/api/instruments") or {}).get("instruments", ())
            for instrument in listed:
                if instrument["instrument_key"] == INSTRUMENT and _is_fresh(instrument):
                    return Decimal(instrument["bid_px"]), Decimal(instrument["ask_px"])
            return None

        self._wait_for_gate()
        found = self._system.wait_for("a fresh market", fresh)
        assert found is not None
        return found

    def _fill_one(self) -> None:
        self._submit(FILLED, side="BUY", quantity="0.25", order_type="MARKET")
        order = self._wait_for_order(FILLED, "finish", lambda d: d["order"]["finished_ns"])
        self._say(
            f"MARKET BUY 0.25: {order['order']['state']}, {len(order['fills'])} fills, "
            f"average {order['order']['avg_px']}"
        )

    def _rest_one(self, bid_px: Decimal) -> None:
        price = str((bid_px * Decimal("0.98")).quantize(Decimal(1)))
        self._submit(RESTING, side="BUY", quantity="0.1", order_type="LIMIT", price=price)
        self._wait_for_order(RESTING, "rest", _is_working)
        self._say(f"LIMIT BUY 0.1 at {price}: rests at the venue")

    def _be_refused(self, ask_px: Decimal) -> dict[str, Any]:
        price = str((ask_px * Decimal("1.10")).quantize(Decimal(1)))
        answer = self._submit(REFUSED, side="BUY", quantity="0.1", order_type="LIMIT", price=price)
        if answer["state"] != "denied":
            raise DemoError(f"risk let an order at {price} pass: {answer}")
        self._say(f"LIMIT BUY 0.1 at {price}: denied, {answer['reason']}: {answer['detail']}")
        return answer

    def _begin_twap(self) -> None:
        """Start what the kills will strike in the middle of."""
        self._submit(
            SLICED,
            side="BUY",
            quantity="2",
            order_type="MARKET",
            route="SMART",
            exec_algorithm="TWAP",
            exec_algorithm_params={"horizon_secs": TWAP_S, "interval_secs": 1},
        )
        self._wait_for_order(SLICED, "send its first slice", lambda d: d["children"])
        self._say(f"TWAP BUY 2 over {TWAP_S} s, SMART over {len(VENUES)} venues: begun")

    def _show_iceberg(self) -> None:
        bid_px, _ = self._wait_for_market()
        price = str((bid_px * Decimal("0.999")).quantize(Decimal(1)))
        self._submit(
            HIDDEN,
            side="SELL",
            quantity="0.5",
            order_type="LIMIT",
            price=price,
            exec_algorithm="ICEBERG",
            exec_algorithm_params={"display_quantity": "0.1"},
        )
        order = self._wait_for_order(HIDDEN, "finish", lambda d: d["order"]["finished_ns"])
        self._say(
            f"ICEBERG SELL 0.5, 0.1 at a time: {order['order']['state']} in "
            f"{len(order['children'])} parts"
        )

    def _end_twap(self) -> None:
        order = self._wait_for_order(SLICED, "finish", lambda d: d["order"]["finished_ns"])
        shares = {venue.account: Decimal(0) for venue in VENUES}
        for child in order["children"]:
            shares[child["account"]] += Decimal(child["filled"])
        told = ", ".join(f"{name} {quantity}" for name, quantity in sorted(shares.items()))
        self._say(
            f"TWAP: {order['order']['state']} through both kills, "
            f"{len(order['children'])} children, {told}"
        )

    def _kill_gateway(self) -> None:
        before = self._account()["gateway_epoch"]
        began_s = time.monotonic()
        pid = self._system.kill(f"gateway-{ACCOUNT}")
        self._wait_for_gate(lambda account: account["gateway_epoch"] > before)
        self._came_back("gateway", pid, began_s)

    def _kill_desk(self) -> None:
        before = self._desk.get("/api/health")["epoch"]
        body = _body(INTERRUPTED, side="SELL", quantity="0.1", order_type="MARKET")
        began_s = time.monotonic()
        connection = _send(self._desk, body)
        # About as long as the desk needs to read, decide and commit: die somewhere in there.
        select.select([connection.sock], [], [], MIDST_S)
        pid = self._system.kill("desk")
        connection.close()
        self._system.wait_for(
            "the next desk",
            lambda: (self._system.ask("/api/health") or {}).get("epoch", 0) > before,
        )
        self._wait_for_gate()
        self._came_back("desk", pid, began_s)
        known = self._system.ask(f"/api/orders/{INTERRUPTED}") is not None
        self._wait_for_market()
        self._desk.post("/api/orders", body)
        order = self._wait_for_order(
            INTERRUPTED, "finish", lambda detail: detail["order"]["finished_ns"]
        )
        self._say(
            f"the order that the kill interrupted {'was' if known else 'was not'} durable; sent "
            f"again with its id it is one order: {order['order']['state']}"
        )

    def _came_back(self, what: str, pid: int, began_s: float) -> None:
        seconds = time.monotonic() - began_s
        self._kills.append(Kill(what=what, seconds=round(seconds, 2)))
        self._say(f"killed the {what} (pid {pid}): orders were taken again after {seconds:.1f} s")

    def _cancel_resting(self) -> None:
        self._desk.post(f"/api/orders/{RESTING}/cancel", {})
        order = self._wait_for_order(RESTING, "end", lambda d: d["order"]["finished_ns"])
        self._say(f"canceled the resting order: {order['order']['state']}")

    def _compare(self, when: str) -> list[str]:
        """Compare with the venue, allowing what is under way a moment to arrive."""
        found = self._differences()
        with contextlib.suppress(DemoError):
            self._system.wait_for(
                "equality", lambda: not self._differences(), within_s=SETTLE_S_MAX
            )
            found = []
        if found:
            found = self._differences()
        told = "; ".join(found) or "orders, fills and balances equal, nothing lost, nothing doubled"
        self._say(f"desk and venue {when}: {told}")
        return found

    def _differences(self) -> list[str]:
        holdings, details = self._desk.get("/api/positions")["holdings"], self._details()
        found: list[str] = []
        for venue in VENUES:
            own = [_at(detail, venue.account) for detail in details]
            held = [holding for holding in holdings if holding["account"] == venue.account]
            told = differences(own, held, self._system.venue(venue.account))
            found += [f"{venue.venue}: {text}" for text in told]
        return found

    def _details(self) -> list[dict[str, Any]]:
        listed = self._desk.get("/api/orders", limit=100)["orders"]
        names = [order["operation_id"] for order in reversed(listed)]
        return [self._desk.get(f"/api/orders/{name}") for name in names]

    def _account(self) -> dict[str, Any]:
        listed = (self._system.ask("/api/venues") or {}).get("accounts", ())
        return next((account for account in listed if account["account"] == ACCOUNT), {})

    def _wait_for_gate(self, also: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
        def is_open() -> bool:
            listed = (self._system.ask("/api/venues") or {}).get("accounts", ())
            ready = sum(account["gate_open"] for account in listed) == len(VENUES)
            return ready and also(self._account())

        self._system.wait_for("every account to take orders", is_open)

    def _wait_for_order(
        self, operation_id: str, what: str, is_so: Callable[[dict[str, Any]], Any]
    ) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            detail: dict[str, Any] | None = self._system.ask(f"/api/orders/{operation_id}")
            return detail if detail is not None and is_so(detail) else None

        detail = self._system.wait_for(f"order {operation_id} to {what}", found)
        assert detail is not None
        return detail

    def _submit(self, operation_id: str, **terms: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._desk.post("/api/orders", _body(operation_id, **terms))
        return answer


def _body(operation_id: str, **terms: Any) -> dict[str, Any]:
    return {"operation_id": operation_id, "instrument_key": INSTRUMENT, **terms}


def _is_fresh(market: dict[str, Any]) -> bool:
    two_sided = market["bid_px"] and market["ask_px"]
    return bool(two_sided) and market["market_age_ns"] < AGE_NS_MAX


def _at(detail: dict[str, Any], account: str) -> dict[str, Any]:
    """Return an order's children and fills at one account."""
    return {
        name: [each for each in detail[name] or () if each["account"] == account]
        for name in ("children", "fills")
    }


def _is_working(detail: dict[str, Any]) -> bool:
    return any(child["state"] == "working" for child in detail["children"])


def _send(desk: DeskClient, body: dict[str, Any]) -> http.client.HTTPConnection:
    """Send a request and do not wait for its answer."""
    connection = http.client.HTTPConnection(urlsplit(desk.url).netloc, timeout=10)
    headers = {"Authorization": f"Bearer {desk.token}", "Content-Type": "application/json"}
    connection.request("POST", "/api/orders", json.dumps(body).encode(), headers)
    return connection
