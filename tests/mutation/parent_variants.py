"""Broken variants of what is done with a parent: its plan over time, its routes, its steering.

Each is a patch of one function of the core while the simulation runs. Where the core's own table
of legal decisions would stop a mistake at once, the mistake is made in the counting that the table
relies on, so that it is the simulation's auditor who has to see it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace
from tests.mutation.variants import Variant
from tests.simulation.desk import SimDesk
from tests.simulation.scenario import Parts

from quarterdeck.core.algos import iceberg, lots, registry, twap
from quarterdeck.core.desk import fold, placement, plan, release, steer, survey
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import order as orders
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.decimals import ZERO, sub
from quarterdeck.core.model.reasons import Refused
from quarterdeck.core.risk.reserve import POOL, held_by
from quarterdeck.desk import engine
from quarterdeck.desk.wakes import Wakes


def _patched(name: str, target: Any, attribute: str, mistake: Any) -> Variant:
    return Variant(name=name, broken=lambda: patch.object(target, attribute, mistake))


def _nothing(*_: Any) -> None:
    return


def _nobody_calls_back() -> AbstractContextManager[Any]:
    """Leave out, where there is one, the second look of the plan at what may not be out."""
    return patch.object(plan, "_call_back", _nothing, create=True)


def amend_keeps_the_old_quantity() -> Variant:
    """A smaller quantity is acknowledged, and what is sent goes by the old one."""
    real = orders._steered

    def steered(parent: Any, event: Any, now_ns: int) -> Any:
        after = real(parent, event, now_ns)
        if isinstance(event, ev.ParentAmended):
            quantity = max(event.terms.quantity, parent.terms.quantity)
            after = replace(after, terms=replace(event.terms, quantity=quantity))
        return after

    return _patched("amend_keeps_the_old_quantity", orders, "_steered", steered)


def amend_leaves_the_excess_out() -> Variant:
    """A smaller quantity is what may still be sent, but what is out beyond it stays there."""

    @contextmanager
    def broken() -> Iterator[None]:
        with patch.object(steer, "_cancel_at_old_terms", _nothing), _nobody_calls_back():
            yield

    return Variant(name="amend_leaves_the_excess_out", broken=broken)


def resume_forgets_the_cancel() -> Variant:
    """A resumed order starts afresh, though the cancels of its pause are not confirmed."""
    real = orders._steered

    def steered(parent: Any, event: Any, now_ns: int) -> Any:
        after = real(parent, event, now_ns)
        return replace(after, open_children={}) if isinstance(event, ev.ParentResumed) else after

    return _patched("resume_forgets_the_cancel", orders, "_steered", steered)


def cancel_frees_the_quantity() -> Variant:
    """What a cancel was wished of counts as free at once, before the venue confirms."""
    real = fold.apply

    def apply(state: Any, event: Any, now_ns: int) -> None:
        real(state, event, now_ns)
        if isinstance(event, ev.ChildCancelRequested):
            child = state.children[event.client_order_id]
            parent = state.parents[child.operation_id]
            left = {no: o for no, o in parent.open_children.items() if no != child.child_no}
            state.parents[parent.id] = replace(parent, open_children=left)

    @contextmanager
    def broken() -> Iterator[None]:
        with _everywhere("apply", apply, fold, "quarterdeck.core.desk.draft", engine):
            yield

    return Variant(name="cancel_frees_the_quantity", broken=broken)


def pause_leaves_children() -> Variant:
    """A pause stops what comes next and leaves what is out."""

    def pause(draft: Any, parent: Any, command: Any) -> None:
        if parent.status != "paused":
            draft.emit(ev.ParentPaused(operation_id=parent.id, by=command.by, why=command.why))

    return _patched("pause_leaves_children", steer, "_pause", pause)


def expiry_forgets_children() -> Variant:
    """An order's time is over and its children stay at their venues."""

    def expire(draft: Any, parent: Any, *, by: str | None, why: str) -> None:
        draft.emit(ev.ParentExpiring(operation_id=parent.id, by=by, why=why))

    @contextmanager
    def broken() -> Iterator[None]:
        with (
            patch.object(plan, "expire", expire),
            patch.object(steer, "expire", expire),
            _nobody_calls_back(),
        ):
            yield

    return Variant(name="expiry_forgets_children", broken=broken)


def expiry_is_never_minded() -> Variant:
    """Only venues end what is timed: where they cannot, or nothing is out, it goes on."""
    mistake = lambda _draft, _parent: None  # noqa: E731 - one of many
    return _patched("expiry_is_never_minded", plan, "_mind_expiry", mistake)


def twap_ignores_what_is_out() -> Variant:
    """What is missing of the schedule is counted from the fills alone."""

    def lacking(parent: Any, mark: int, grid: Any) -> int:
        return lots.count(sub(lots.quantity(mark, grid), parent.filled), grid)

    return _patched("twap_ignores_what_is_out", twap, "_lacking", lacking)


def twap_sends_again_in_a_slot() -> Variant:
    """A slice that came back is sent again at once, not in the next slot."""
    mistake = lambda _parent, _due_ns: False  # noqa: E731
    return _patched("twap_sends_again_in_a_slot", twap, "_served", mistake)


def twap_stops_at_its_horizon() -> Variant:
    """What is not done when the schedule ends is forgotten."""
    real = twap.step

    def step(situation: Any) -> Any:
        params = situation.parent.terms.params
        if situation.now_ns - situation.parent.created_ns >= params.horizon_ns:
            return twap.Step()
        return real(situation)

    return Variant(name="twap_stops_at_its_horizon", broken=_kind(Algorithm.TWAP, step))


def iceberg_shows_the_next_part_early() -> Variant:
    """The next part is shown while the last is still there."""
    real = iceberg.step

    def step(situation: Any) -> Any:
        parent = situation.parent
        bare = replace(parent, open_children={}, filled=parent.filled + parent.exposed)
        alone = parent.open_children and parent.available >= situation.grid.min_qty
        return real(replace(situation, parent=bare) if alone else situation)

    name = "iceberg_shows_the_next_part_early"
    return Variant(name=name, broken=_kind(Algorithm.ICEBERG, step))


class _ChildrenOnly(Wakes):
    """Is deaf to parents until told otherwise."""

    deaf = True

    def ask(self, subject: str, at_ns: int) -> None:
        if not (self.deaf and subject.startswith(engine.PARENT)):
            super().ask(subject, at_ns)


class _ForgetfulEngine(engine.Engine):
    def recover(self) -> None:
        self.wakes = heard = _ChildrenOnly()
        super().recover()
        heard.deaf = False


class _ForgetfulDesk(SimDesk):
    engine_class = _ForgetfulEngine


def start_forgets_the_plans() -> Variant:
    """After a start children are looked after, and the orders they belong to are not."""
    return Variant(name="start_forgets_the_plans", parts=Parts(desk=_ForgetfulDesk))


def smart_ignores_funds() -> Variant:
    """The router sends an account more than it can pay for."""
    mistake = lambda *_: None  # noqa: E731
    return _patched("smart_ignores_funds", survey, "_funds_qty", mistake)


def smart_ignores_minimums() -> Variant:
    """The router splits into legs that their venues do not take."""
    real = survey._offer

    def offer(draft: Any, terms: Any, place: Any) -> Any:
        made = real(draft, terms, place)
        return replace(made, min_qty=None, min_notional=None)

    return _patched("smart_ignores_minimums", survey, "_offer", offer)


def slice_ignores_the_gate() -> Variant:
    """Once accepted, an order is sent whatever became of its account."""
    real = placement.place_at

    def place_at(draft: Any, parent: Any, market: Any, levels: int) -> Any:
        account = draft.state.accounts.get(market.account)
        if account is not None and not account.gate_open:
            draft.state.accounts[market.account] = replace(account, gate_open=True)
            found = real(draft, parent, market, levels)
            draft.state.accounts[market.account] = account
            return found
        return real(draft, parent, market, levels)

    @contextmanager
    def broken() -> Iterator[None]:
        with (
            patch.object(release, "place_at", place_at),
            patch.object(survey, "place_at", place_at),
        ):
            yield

    return Variant(name="slice_ignores_the_gate", broken=broken)


def slice_ignores_the_halt() -> Variant:
    """Halting refuses new orders, and those that are at work go on."""
    mistake = lambda *_: None  # noqa: E731
    return _patched("slice_ignores_the_halt", release, "desk_allows", mistake)


def pool_is_not_released() -> Variant:
    """What SMART holds over all accounts stays held when it has found a place or ended."""

    def put(state: Any, parent: Any) -> None:
        before = state.parents.get(parent.id)
        instrument = state.instruments.get(parent.terms.instrument)
        state.parents[parent.id] = parent
        if instrument is None:
            return
        for account, asset, quantity in held_by(before, instrument) if before is not None else ():
            key = fold.AssetKey(account, asset)
            if account != POOL:
                state.reserved[key] = sub(state.reserved.get(key, ZERO), quantity)
        fold._reserve(state, held_by(parent, instrument))

    return _patched("pool_is_not_released", fold, "_put", put)


def held_slice_is_dropped() -> Variant:
    """A slice that cannot be sent now is not tried again."""

    def hold(draft: Any, parent: Any, refused: Refused) -> None:
        if (parent.held, parent.detail) != (refused.code, refused.text):
            held = ev.ParentHeld(operation_id=parent.id, reason=refused.code, detail=refused.text)
            draft.emit(held)

    return _patched("held_slice_is_dropped", plan, "_hold", hold)


def _kind(algorithm: Algorithm, step: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return a patch of one algorithm's step."""
    kinds = {**registry.KINDS, algorithm: replace(registry.KINDS[algorithm], step=step)}
    return lambda: patch.object(plan, "KINDS", kinds)


@contextmanager
def _everywhere(name: str, mistake: Any, *modules: Any) -> Iterator[None]:
    """Patch a function in its module and in those that hold it under its name."""
    patches: list[AbstractContextManager[Any]] = [
        patch(f"{module}.{name}", mistake)
        if isinstance(module, str)
        else patch.object(module, name, mistake)
        for module in modules
    ]
    for each in patches:
        each.__enter__()
    try:
        yield
    finally:
        for each in patches:
            each.__exit__(None, None, None)


PARENT_VARIANTS = (
    amend_keeps_the_old_quantity(),
    amend_leaves_the_excess_out(),
    resume_forgets_the_cancel(),
    cancel_frees_the_quantity(),
    pause_leaves_children(),
    expiry_forgets_children(),
    expiry_is_never_minded(),
    twap_ignores_what_is_out(),
    twap_sends_again_in_a_slot(),
    twap_stops_at_its_horizon(),
    iceberg_shows_the_next_part_early(),
    start_forgets_the_plans(),
    smart_ignores_funds(),
    smart_ignores_minimums(),
    slice_ignores_the_gate(),
    slice_ignores_the_halt(),
    pool_is_not_released(),
    held_slice_is_dropped(),
)
