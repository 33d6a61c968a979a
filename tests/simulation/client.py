"""The callers: they ask, hear nothing, ask again with the same id, and remember the answers.

A client is what exactly-once is for: it only knows its own operation ids. Whatever happened in
between, each id ends as one order, and the client gets an answer in the end.

Steering is asked again in the same words. A repeat of what has already happened says so
(`nothing_to_amend`, `not_paused`, `already_canceling`), and that is an answer: what was asked for
is so. An amend that is refused has changed nothing, so its refusal is an answer too, whatever the
code; whoever still wants it asks for something else.
"""

from collections.abc import Callable
from typing import Final

from tests.simulation.world import MS, Channel, Process, World

from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model.reasons import Reason, Refused

TRY_AGAIN_NS: Final = 700 * MS
TRY_LATER: Final = frozenset({Reason.FROZEN, Reason.OVERLOADED})
"""Refusals that say nothing about what was asked."""

FINAL: Final = frozenset(
    {
        Reason.ID_REUSED,
        Reason.ALREADY_FINISHED,
        Reason.UNKNOWN_ORDER,
        Reason.NOT_UNKNOWN,
        Reason.INVALID_VALUE,
        Reason.SLICE_UNDER_MINIMUM,
    }
)
"""Refusals, of all but steering, of which asking again would bring nothing else."""

STEERING: Final = (cmd.AmendOrder, cmd.PauseOrder, cmd.ResumeOrder, cmd.ExpireOrder)

type Execute = Callable[[cmd.Command, Callable[[Refused | None], None]], None]


class Request:
    """One command with its fate: asked until answered."""

    def __init__(self, command: cmd.Command) -> None:
        self.command = command
        self.attempts = 0
        self.answered = False
        self.refused: Refused | None = None


class Client(Process):
    """Asks and keeps the answers."""

    def __init__(
        self,
        world: World,
        desks: Callable[[], list[tuple[Process, Execute]]],
        on_answer: Callable[[Request], None],
    ) -> None:
        super().__init__(world, "client")
        self.requests: list[Request] = []
        self._desks = desks
        self._on_answer = on_answer
        self._asks = Channel(world, "ask", late_ns=(1 * MS, 5 * MS))
        self._answers = Channel(world, "answer", late_ns=(1 * MS, 5 * MS))

    def ask(self, command: cmd.Command) -> Request:
        """Ask for something until there is an answer."""
        request = Request(command)
        self.requests.append(request)
        self._try(request)
        return request

    def unanswered(self) -> int:
        """Return how many requests still wait."""
        return sum(not request.answered for request in self.requests)

    def _try(self, request: Request) -> None:
        if request.answered:
            return
        request.attempts += 1
        desks = self._desks()
        if desks:
            process, execute = self.world.rng.choice(desks)
            self._asks.send(
                process,
                lambda: execute(
                    request.command,
                    lambda refused: self._answers.send(
                        self, lambda: self._answered(request, refused)
                    ),
                ),
            )
        self.after(TRY_AGAIN_NS, lambda: self._try(request))

    def _answered(self, request: Request, refused: Refused | None) -> None:
        if request.answered or not is_an_answer(request.command, refused):
            return  # It is asked again.
        request.answered = True
        request.refused = refused
        self._on_answer(request)


def is_an_answer(command: cmd.Command, refused: Refused | None) -> bool:
    """Tell whether a client may rely on this, or has to ask again."""
    if refused is None:
        return True
    if isinstance(command, STEERING):
        return refused.code not in TRY_LATER
    return refused.code in FINAL
