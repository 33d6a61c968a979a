"""The heap of wake-ups against a plain dictionary: the soonest time asked for, once per subject."""

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.desk.wakes import Wakes

ASKS = st.tuples(st.sampled_from("abcd"), st.integers(0, 30))
STEPS = st.lists(st.one_of(ASKS, st.integers(0, 30)), max_size=40)


@given(STEPS)
def test_wakes_are_a_dictionary_of_soonest_times(steps: list[tuple[str, int] | int]) -> None:
    wakes = Wakes()
    model: dict[str, int] = {}
    for step in steps:
        if isinstance(step, tuple):
            subject, at_ns = step
            wakes.ask(subject, at_ns)
            model[subject] = min(model.get(subject, at_ns), at_ns)
        else:
            due = sorted((at_ns, subject) for subject, at_ns in model.items() if at_ns <= step)
            assert wakes.take_due(step) == [subject for _, subject in due]
            for _, subject in due:
                del model[subject]
        assert wakes.next_ns() == min(model.values(), default=None)
    wakes.clear()
    assert wakes.next_ns() is None
