"""When to look at what again: at most one time per subject, the soonest asked for."""

import heapq


class Wakes:
    """A heap of times with one live entry per subject."""

    def __init__(self) -> None:
        """Begin with nothing to wake for."""
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def ask(self, subject: str, at_ns: int) -> None:
        """Ask to be woken for a subject; a later time than one asked for already is ignored."""
        if at_ns < self._due.get(subject, at_ns + 1):
            self._due[subject] = at_ns
            heapq.heappush(self._heap, (at_ns, subject))

    def next_ns(self) -> int | None:
        """Return when the next subject is due; None when none is."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now_ns: int) -> list[str]:
        """Return the subjects whose time has come, soonest first, and forget them."""
        due: list[str] = []
        while (at_ns := self.next_ns()) is not None and at_ns <= now_ns:
            _, subject = heapq.heappop(self._heap)
            del self._due[subject]
            due.append(subject)
        return due

    def clear(self) -> None:
        """Forget everything."""
        self._due.clear()
        self._heap.clear()
