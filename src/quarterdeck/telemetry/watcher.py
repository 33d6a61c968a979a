"""Turns what the desk's engine tells into figures and log lines.

Called on the hot path, so it counts and leaves; only what a person should see is written down.
"""

import structlog

from quarterdeck.core.desk.decide import Input
from quarterdeck.core.desk.draft import Decision
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.intents import Alert
from quarterdeck.telemetry.metrics import Metrics

log = structlog.get_logger("quarterdeck.desk")


class TelemetryWatcher:
    """The engine's watcher over metrics and the log."""

    def __init__(self, metrics: Metrics) -> None:
        """Count into these."""
        self._metrics = metrics

    def decided(self, given: Input, decision: Decision, took_ns: int) -> None:
        """Count an input and what came of it."""
        metrics = self._metrics
        metrics.count("decisions", _tag(given))
        metrics.observe_ns("decide_seconds", took_ns)
        if decision.refused is not None:
            metrics.count("refusals", decision.refused.code)
        for event in decision.events:
            self._happened(event)

    def durable(self, waited_ns: int) -> None:
        """Note how long an entry took to become durable."""
        self._metrics.observe_ns("commit_seconds", waited_ns)

    def alert(self, alert: Alert) -> None:
        """Count an alert and write it down."""
        self._metrics.count("alerts", alert.code)
        log.warning("alert", code=alert.code.value, text=alert.text)

    def _happened(self, event: ev.Event) -> None:
        metrics = self._metrics
        match event:
            case ev.ParentAccepted():
                metrics.count("orders", "accepted")
            case ev.ParentDenied():
                metrics.count("orders", "denied")
                metrics.count("denials", event.reason)
            case ev.ParentFinished():
                metrics.count("orders_finished", event.status)
            case ev.ExternalFill():
                metrics.count("external_fills", event.trade.account)
            case ev.ChildFilled():
                metrics.count("fills", event.trade.account)
                metrics.count("child_events", _tag(event))
            case (
                ev.ChildCreated()
                | ev.ChildAcknowledged()
                | ev.ChildRejected()
                | ev.ChildNotSent()
                | ev.ChildUnknown()
                | ev.ChildClosed()
                | ev.ChildAbsent()
                | ev.ChildResolved()
                | ev.ChildCancelRequested()
                | ev.ChildCancelRejected()
            ):
                metrics.count("child_events", _tag(event))
            case _:
                pass


def _tag(value: Input | ev.Event) -> str:
    return str(value.__struct_config__.tag)
