"""The world of one simulated run: one clock, one source of chance, one queue of what happens next.

Nothing here waits and nothing is concurrent: the queue is worked off in the order of time, ties in
the order of asking, and every choice is drawn from one generator. So a seed is a whole history,
and running it again gives the same history.

Faults are drawn through `hit`, which counts them: a campaign whose faults never struck proves
nothing, and says so. While the world is calm no fault strikes, and everything has to settle.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

START_NS: Final = 1_700_000_000_000_000_000
MS: Final = 1_000_000
SECOND: Final = 1_000 * MS


class Crashed(BaseException):
    """A process dies at this very point of its code."""


class Violation(AssertionError):  # noqa: N818 - it names what was found
    """Something that must never be true was true."""


class World:
    """Clock, chance and queue."""

    def __init__(
        self, seed: int, rates: Mapping[str, float], trace: Callable[[str], None] | None = None
    ) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.now_ns = START_NS
        self.calm = False
        """True once faults have stopped."""
        self.faults: Counter[str] = Counter()
        """How often each fault struck."""
        self.features: Counter[str] = Counter()
        """How often each thing happened that a campaign has to have seen."""
        self._rates = rates
        self._trace = trace
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, at_ns: int, what: Callable[[], None]) -> None:
        """Let something happen at a time, or now if that has passed."""
        self._count += 1
        heapq.heappush(self._queue, (max(at_ns, self.now_ns), self._count, what))

    def after(self, delay_ns: int, what: Callable[[], None]) -> None:
        """Let something happen after a while."""
        self.at(self.now_ns + delay_ns, what)

    def between(self, low_ns: int, high_ns: int) -> int:
        """Draw a whole number, both ends included."""
        return low_ns + int(self.rng.random() * (high_ns - low_ns + 1))

    def hit(self, fault: str, rates: Mapping[str, float] | None = None) -> bool:
        """Draw whether a fault strikes now, at the rates of the desk or of a venue."""
        rate = (self._rates if rates is None else rates).get(fault, 0)
        if self.calm or not rate or self.rng.random() >= rate:
            return False
        self.faults[fault] += 1
        self.note(f"fault {fault}")
        return True

    def run_until(self, end_ns: int) -> None:
        """Work off the queue up to a time."""
        while self._queue and self._queue[0][0] <= end_ns:
            self.now_ns, _, what = heapq.heappop(self._queue)
            what()
        self.now_ns = end_ns

    def note(self, text: str) -> None:
        """Write a line of the trace, when one is kept."""
        if self._trace is not None:
            self._trace(f"{(self.now_ns - START_NS) / SECOND:12.6f}  {text}")


class Process:
    """Something that runs, can be paused with its work piling up, and can die with it."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.dead = False
        self.paused = False
        self._backlog: list[Callable[[], None]] = []

    def deliver(self, work: Callable[[], None]) -> None:
        """Do some work now, after the pause, or never."""
        if self.dead:
            return
        if self.paused:
            self._backlog.append(work)
            return
        try:
            work()
        except Crashed as point:
            self.world.note(f"{self.name} dies at {point}")
            self.die()

    def after(self, delay_ns: int, work: Callable[[], None]) -> None:
        """Do some work after a while, if this process still lives then."""
        self.world.after(delay_ns, lambda: self.deliver(work))

    def pause(self) -> None:
        """Stop where it is, as SIGSTOP or a stalled machine would."""
        self.world.note(f"{self.name} pauses")
        self.paused = True

    def wake(self) -> None:
        """Go on, with all that piled up."""
        if self.dead:
            return
        self.world.note(f"{self.name} wakes")
        self.paused = False
        backlog, self._backlog = self._backlog, []
        for work in backlog:
            self.deliver(work)

    def die(self) -> None:
        """End at once."""
        self.dead = True
        self._backlog.clear()


class Channel:
    """One direction between two processes; in order unless a message is late.

    The faults it draws are `<kind>_lost`, `<kind>_doubled` and `<kind>_late`.
    """

    def __init__(
        self,
        world: World,
        kind: str,
        *,
        late_ns: tuple[int, int],
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self._world = world
        self._kind = kind
        self._rates = rates
        self._late_ns = late_ns
        self._last_ns = 0

    def send(self, receiver: Process, work: Callable[[], None], *, may_double: bool = True) -> None:
        """Carry some work to another process, perhaps."""
        world = self._world
        if world.hit(f"{self._kind}_lost", self._rates):
            return
        at_ns = world.now_ns + world.between(50_000, 3 * MS)
        if world.hit(f"{self._kind}_late", self._rates):
            at_ns = world.now_ns + world.between(*self._late_ns)
        else:
            at_ns = self._last_ns = max(at_ns, self._last_ns)
        world.at(at_ns, lambda: receiver.deliver(work))
        if may_double and world.hit(f"{self._kind}_doubled", self._rates):
            again_ns = at_ns + world.between(0, self._late_ns[1])
            world.at(again_ns, lambda: receiver.deliver(work))
