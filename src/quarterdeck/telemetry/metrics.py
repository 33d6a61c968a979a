"""Every figure that the desk publishes, in one list, and the object that keeps them.

`METRICS` is the list: the documents and the checks of dashboards are made from it, and a metric
that is not in it cannot be counted. Counters and histograms are fed as things happen; gauges are
read from the desk when somebody asks, so that they cost nothing in between.

Durations are in seconds and names end in their unit, as Prometheus asks for.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

PREFIX: Final = "quarterdeck_"
DECIDE_BUCKETS_S: Final = (
    0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25,
)  # fmt: skip
WAIT_BUCKETS_S: Final = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
)  # fmt: skip


class Kind(StrEnum):
    """How a figure behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(Struct, frozen=True):
    """One published figure."""

    name: str
    """Without the common prefix; a counter is published with `_total` behind it."""
    kind: Kind
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    buckets_s: tuple[float, ...] = ()

    @property
    def published(self) -> str:
        """The name under which it is scraped."""
        return f"{PREFIX}{self.name}{'_total' if self.kind is Kind.COUNTER else ''}"


C, G, H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

METRICS: Final[tuple[Metric, ...]] = (
    Metric("decisions", C, "inputs", "Inputs decided, by their kind.", ("kind",)),
    Metric(
        "decide_seconds", H, "seconds", "Deciding, folding and queueing one input.", (),
        DECIDE_BUCKETS_S,
    ),
    Metric(
        "commit_seconds", H, "seconds", "From a decision until it is durable.", (), WAIT_BUCKETS_S
    ),
    Metric("refusals", C, "commands", "Commands without an effect, by code.", ("code",)),
    Metric("orders", C, "orders", "Parent orders taken, by risk's verdict.", ("verdict",)),
    Metric("denials", C, "orders", "Parent orders denied by risk, by code.", ("code",)),
    Metric("orders_finished", C, "orders", "Parent orders that ended, by state.", ("state",)),
    Metric("child_events", C, "events", "What happened to child orders, by event.", ("event",)),
    Metric("fills", C, "fills", "Executions booked, by account.", ("account",)),
    Metric("external_fills", C, "fills", "Executions of orders not ours.", ("account",)),
    Metric("alerts", C, "alerts", "Things a person should know, by code.", ("code",)),
    Metric(
        "http_requests", C, "requests", "API requests answered.", ("method", "route", "status")
    ),
    Metric(
        "http_seconds", H, "seconds", "From a request's head to its answer.", ("route",),
        WAIT_BUCKETS_S,
    ),
    Metric("auth_failures", C, "requests", "API requests without a valid key.", ()),
    Metric("info", G, "1", "Always 1; the label names the running version.", ("version",)),
    Metric("epoch", G, "1", "The lease's epoch: grows by one with every start of a desk."),
    Metric("journal_seq", G, "entries", "The last journal entry that was decided."),
    Metric("pending_entries", G, "entries", "Entries decided and not yet durable."),
    Metric("backlog_facts", G, "facts", "Facts that arrived and are not taken yet."),
    Metric("frozen", G, "bool", "1 while the journal cannot be written."),
    Metric("live_orders", G, "orders", "Parent orders that may still change."),
    Metric("live_children", G, "orders", "Child orders in memory that may fill.", ("status",)),
    Metric("unknown_children", G, "orders", "Child orders of unknown outcome.", ("account",)),
    Metric("trading_state", G, "bool", "1 for the state that the desk is in.", ("state",)),
    Metric("gateway_up", G, "bool", "1 while the gateway has its venue.", ("account",)),
    Metric("gate_open", G, "bool", "1 while an account takes new orders.", ("account",)),
    Metric("differences", G, "figures", "Figures that differ from the venue's.", ("account",)),
    Metric("view_age_seconds", G, "seconds", "Age of the newest book, by instrument.",
           ("instrument",)),
)  # fmt: skip


class Figures(Struct, frozen=True, kw_only=True):
    """The gauges at one instant: by name, then by the values of the labels."""

    values: Mapping[str, Mapping[tuple[str, ...], float]]


class Metrics:
    """The figures of one process, on a registry of its own."""

    def __init__(self, version: str) -> None:
        """Begin at zero."""
        # Else each has a second series: when it was first counted. The library has no type for it.
        disable_created_metrics()  # type: ignore[no-untyped-call] # untyped there
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        # Looking a label up costs three times as much as counting: bound ones are kept. Labels
        # come from closed lists and configured accounts, so this is bounded.
        self._bound: dict[tuple[str, ...], Any] = {}
        for metric in METRICS:
            self._make(metric)
        self._gauges["info"].labels(version).set(1)

    def count(self, name: str, *labels: str) -> None:
        """Add one to a counter.

        Raises:
            KeyError: if `METRICS` has no such counter.
        """
        bound = self._bound.get((name, *labels))
        if bound is None:
            bound = self._bind(self._counters, name, labels)
        bound.inc()

    def observe_ns(self, name: str, took_ns: int, *labels: str) -> None:
        """Add a duration to a histogram."""
        bound = self._bound.get((name, *labels))
        if bound is None:
            bound = self._bind(self._histograms, name, labels)
        bound.observe(took_ns / 1e9)

    def show(self, figures: Figures) -> None:
        """Set the gauges; what a figure no longer names disappears."""
        for name, values in figures.values.items():
            gauge = self._gauges[name]
            if () not in values:
                gauge.clear()
            for labels, value in values.items():
                (gauge.labels(*labels) if labels else gauge).set(value)

    def render(self) -> bytes:
        """Return the text that Prometheus scrapes; slow, so not for the loop's thread."""
        return generate_latest(self._registry)

    def _make(self, metric: Metric) -> None:
        name = f"{PREFIX}{metric.name}"
        match metric.kind:
            case Kind.COUNTER:
                counter = Counter(name, metric.help, metric.labels, registry=self._registry)
                self._counters[metric.name] = counter
            case Kind.GAUGE:
                gauge = Gauge(name, metric.help, metric.labels, registry=self._registry)
                self._gauges[metric.name] = gauge
            case Kind.HISTOGRAM:
                self._histograms[metric.name] = Histogram(
                    name,
                    metric.help,
                    metric.labels,
                    buckets=metric.buckets_s,
                    registry=self._registry,
                )

    def _bind(self, of_kind: Mapping[str, Any], name: str, labels: tuple[str, ...]) -> Any:
        collector = of_kind[name]
        bound = collector.labels(*labels) if labels else collector
        self._bound[name, *labels] = bound
        return bound
