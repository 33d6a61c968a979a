"""When the desk's code runs: in turns, each inside one clock alert of the simulation.

Theory. NautilusTrader calls back in the middle of its own work, where sending is forbidden or half
of an instant has happened. So callbacks only put facts into a queue and arm an alert for the same
instant. An alert fires after every market record of its instant and before any later one; there a
turn begins: what was postponed to now, then the facts in order, then what the desk says is due.
Commands of a turn are matched after it, at their own instants, and cause the next.

One alert an instant is enough, so they are counted by instant. Their names are sequence numbers
with leading zeros: alerts of one instant fire in the order of their names.

The first exception of a turn or callback ends the run: nothing of ours is called any more and
the simulation is stopped. Left alone, NautilusTrader would log it and go on.
"""

import heapq
from collections import deque
from collections.abc import Callable
from types import TracebackType

from nautilus_trader.common import Clock, TimeEvent

from quarterdeck.core.model.facts import Fact
from quarterdeck.nautilus.host.plan import HostedDesk, HostError

ROUNDS_MAX = 100_000
"""Facts and wake-ups of one instant; a desk that needs more is going round in circles."""

PROGRESS_STEPS = 100
"""How often progress is told in a run."""

type Action = Callable[[], None]


class SimulatedClock:
    """The desk's clock: the instant of the present turn."""

    def __init__(self, start_ns: int) -> None:
        """Stand at the start."""
        self.at_ns = start_ns

    def now_ns(self) -> int:
        """Return the simulated time."""
        return self.at_ns


class FirstFailure:
    """A context that keeps the first exception of the run instead of letting it out."""

    def __init__(self) -> None:
        """Begin with none."""
        self.error: BaseException | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self.error is None:
            self.error = error
        return True


class Turns:
    """The queue of facts, what was postponed, and the alerts that make them happen."""

    def __init__(
        self,
        *,
        start_ns: int,
        end_ns: int,
        on_progress: Callable[[int], None],
        stop: Action,
    ) -> None:
        """Begin at `start_ns`; `stop` ends the simulation."""
        self.clock = SimulatedClock(start_ns)
        self.failure = FirstFailure()
        self.facts = 0
        self._end_ns = end_ns
        self._on_progress = on_progress
        self._stop = stop
        self._desk: HostedDesk | None = None
        self._alerts: Clock | None = None
        self._queue: deque[Fact] = deque()
        self._postponed: list[tuple[int, int, Action]] = []
        self._armed: set[int] = set()
        self._in_turn = False
        self._numbers = 0
        self._progress_every_ns = max((end_ns - start_ns) // PROGRESS_STEPS, 1)
        self._progress_due_ns = start_ns

    def begin(self, desk: HostedDesk, alerts: Clock) -> None:
        """Take the simulation's clock; the first turn is at the start."""
        self._desk = desk
        self._alerts = alerts
        self.arm(self.clock.at_ns)

    def tell(self, fact: Fact) -> None:
        """Queue a fact; it is delivered at this very instant."""
        self._queue.append(fact)
        if not self._in_turn:  # A turn ends when its queue is empty.
            self.arm_now()

    def postpone(self, at_ns: int, action: Action) -> None:
        """Run something at the beginning of a turn at that time."""
        self._numbers += 1
        heapq.heappush(self._postponed, (at_ns, self._numbers, action))
        self.arm(at_ns)

    def arm_now(self) -> None:
        """Make sure of a turn at this instant."""
        if self._alerts is not None:
            self.arm(self._alerts.timestamp_ns())

    def arm(self, at_ns: int) -> None:
        """Make sure of an alert at that time, which also makes the venues match what has landed."""
        if self._alerts is None or at_ns in self._armed or at_ns > self._end_ns:
            return
        self._armed.add(at_ns)
        self._numbers += 1
        self._alerts.set_time_alert_ns(f"{self._numbers:012d}", at_ns, self._on_alert)

    def finish(self) -> None:
        """Deliver what is left, tell the desk that it is over, and deliver what that caused."""
        if self.failure.error is not None or self._desk is None:
            return
        with self.failure:
            self._run(self._desk)
            self._desk.finish()
            self._run_facts(self._desk, 0)
            self._on_progress(self._end_ns)

    def close(self) -> None:
        """Let go of everybody; nothing happens any more."""
        self.failure = FirstFailure()
        self._desk = None
        self._alerts = None
        self._queue.clear()
        self._postponed.clear()

    def _on_alert(self, event: TimeEvent) -> None:
        self._armed.discard(event.ts_event)
        if self.failure.error is None and self._desk is not None:
            with self.failure:
                self.clock.at_ns = event.ts_event
                self._in_turn = True
                self._run(self._desk)
                self._in_turn = False
                self._tell_progress()
        if self.failure.error is not None:
            self._stop()

    def _run(self, desk: HostedDesk) -> None:
        now_ns = self.clock.at_ns
        while self._postponed and self._postponed[0][0] <= now_ns:
            heapq.heappop(self._postponed)[2]()
        rounds = 0
        while True:
            rounds = self._run_facts(desk, rounds)
            due_ns = desk.next_due_ns()
            if due_ns is None or due_ns > now_ns:
                break
            rounds = _count(rounds, now_ns)
            desk.run_due()
        if due_ns is not None:
            self.arm(due_ns)

    def _run_facts(self, desk: HostedDesk, rounds: int) -> int:
        while self._queue:
            rounds = _count(rounds, self.clock.at_ns)
            self.facts += 1
            desk.on_fact(self._queue.popleft())
        return rounds

    def _tell_progress(self) -> None:
        now_ns = self.clock.at_ns
        if now_ns < self._progress_due_ns:
            return
        while self._progress_due_ns <= now_ns:
            self._progress_due_ns += self._progress_every_ns
        self.arm(self._progress_due_ns)
        self._on_progress(now_ns)


def _count(rounds: int, now_ns: int) -> int:
    if rounds >= ROUNDS_MAX:
        raise HostError(
            f"the desk took {ROUNDS_MAX} facts and wake-ups at {now_ns} ns and is still not done: "
            "run_due() must leave a later next_due_ns(), and an answer must not cause its question"
        )
    return rounds + 1
