"""Every decision made again: the same comes out, and where it does not, that is found and shown."""

from unittest.mock import patch

import msgspec
import pytest
from msgspec.structs import replace
from tests.desk.replay.written import simulated, tampered

from quarterdeck.core.desk.fold import apply
from quarterdeck.core.desk.state import DeskState
from quarterdeck.desk.record import decode_body
from quarterdeck.desk.replay import redecide
from quarterdeck.desk.replay.redecide import PROGRESS_EVERY, ReplayError, replay
from quarterdeck.desk.replay.shelf import Shelf
from quarterdeck.desk.replay.state_hash import state_hash
from quarterdeck.desk.verify import Folded, named_values

SEEDS = range(1, 7)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_journal_leads_to_one_state_however_it_is_replayed(seed):
    """Folded only, decided again, and decided again on a memory that never forgets."""
    entries = simulated(seed)
    folded = replay(entries, decide_again=False)
    forgetting = replay(entries, decide_again=True)
    keeping = replay(entries, decide_again=True, forget=False)
    assert folded.state_hash == forgetting.state_hash == keeping.state_hash
    assert forgetting == keeping
    assert forgetting.problems() == []
    assert (forgetting.decided, forgetting.other_form) == (len(entries), 0)
    assert (folded.decided, folded.entries) == (0, len(entries))


def test_the_shelf_is_used_and_gives_back_what_is_named():
    """Otherwise the test above would prove nothing about forgetting."""
    shelves: list[Shelf] = []
    returned = 0

    class Watched(Shelf):
        def __init__(self, state):
            super().__init__(state)
            shelves.append(self)
            self.most = 0

        def take(self, now_ns):
            super().take(now_ns)
            self.most = max(self.most, len(self))

        def bring_back(self, given, events, now_ns):
            nonlocal returned
            before = len(self)
            super().bring_back(given, events, now_ns)
            returned += before - len(self)

    with patch.object(redecide, "Shelf", Watched):
        for seed in SEEDS:
            assert replay(simulated(seed), decide_again=True).problems() == []
    assert all(len(shelf) == 0 for shelf in shelves)
    assert max(shelf.most for shelf in shelves) > 10
    assert returned > 0


def test_a_decision_that_comes_out_otherwise_is_found_and_shown():
    changed, seq = tampered(simulated(2))
    result = replay(changed, decide_again=True)
    assert result.differing >= 1
    difference = result.difference
    assert difference is not None
    assert difference.seq == seq
    told = "\n".join(result.problems())
    assert f"entry {seq}, {difference.kind}, is decided otherwise today" in told
    removed, added = (
        [line for line in told.splitlines() if line.startswith(f'{sign}    "limit_px"')]
        or [line for line in told.splitlines() if line.startswith(sign) and "limit_px" in line]
        for sign in "-+"
    )
    assert len(removed) == len(added) == 1
    assert difference.document()["recorded"] != difference.document()["today"]
    assert msgspec.json.decode(msgspec.json.encode(difference.document())) == difference.document()


def test_code_that_raises_instead_of_deciding_is_a_difference():
    entries = simulated(2)[:20]

    def broken(state, given, now_ns, views):
        raise AssertionError("broken on purpose")

    with patch.object(redecide, "decide", broken):
        result = replay(entries, decide_again=True)
    assert result.differing == len(entries)
    assert any("broken on purpose" in line for line in result.problems())
    assert result.state_hash == replay(entries, decide_again=False).state_hash


def test_entries_whose_views_are_gone_are_counted_and_fail_unless_allowed():
    entries = [
        replace(entry, views=tuple((name, None) for name, _ in entry.views))
        for entry in simulated(2)
    ]
    gone = [entry.seq for entry in entries if entry.views]
    assert gone
    result = replay(entries, decide_again=True)
    assert (result.undecidable, result.first_undecidable_seq) == (len(gone), gone[0])
    assert result.decided == len(entries) - len(gone)
    assert f"{len(gone)} of {len(entries)} entries cannot be decided again" in result.problems()[0]
    assert result.problems(allow_missing_views=True) == []
    assert result.state_hash == replay(simulated(2), decide_again=False).state_hash


def test_an_entry_that_another_version_wrote_in_other_bytes_is_no_difference():
    entries = list(simulated(2))
    spaced = entries[5].body.replace(b'"events":[', b'"events": [', 1)
    entries[5] = replace(entries[5], body=spaced)
    result = replay(entries, decide_again=True)
    assert result.problems() == []
    assert result.other_form == 1


def test_events_that_cannot_follow_one_another_are_named():
    entries = simulated(2)
    index = next(i for i, e in enumerate(entries) if b'"parent_accepted"' in e.body)
    twice = [*entries[: index + 1], replace(entries[index], seq=entries[index].seq + 1)]
    with pytest.raises(ReplayError, match=rf"entry {index + 2}: its event parent_accepted cannot"):
        replay(twice, decide_again=False)


@pytest.mark.parametrize(
    "change",
    [{"body": b"{}"}, {"body": b"\xff"}, {"views": (("00", b"{}"),)}],
)
def test_an_entry_that_is_not_understood_is_named(change):
    entries = [replace(simulated(2)[0], **change)]
    with pytest.raises(ReplayError, match="entry 1 is not understood"):
        replay(entries, decide_again=True)


def test_progress_is_told():
    heard: list[int] = []
    with patch.object(redecide, "PROGRESS_EVERY", 10):
        replay(simulated(2)[:35], decide_again=False, on_progress=heard.append)
    assert heard == [10, 20, 30]
    assert PROGRESS_EVERY == 1_000


def values_of(entries):
    state = DeskState()
    for entry in entries:
        for event in decode_body(entry.body).events:
            apply(state, event, entry.at_ns)
    return named_values(Folded(state=state, trades={}, rows=len(entries)))


def test_each_value_moves_the_state_hash():
    values = values_of(simulated(2))
    whole = state_hash(values)
    assert state_hash(dict(reversed(values.items()))) == whole
    kinds = {name.partition(" ")[0] for name in values}
    assert kinds >= {"parent", "child", "position", "holding", "singleton"}
    hashes = {
        state_hash({name: value for name, value in values.items() if name != left_out})
        for left_out in values
    }
    assert len(hashes) == len(values)
    assert whole not in hashes


def test_the_order_of_a_childs_fills_does_not_move_the_state_hash():
    values, name, child = next(
        (values, name, value)
        for values in (values_of(simulated(seed)) for seed in SEEDS)
        for name, value in values.items()
        if name.startswith("child ") and len(value.trade_ids) > 1
    )
    turned = replace(child, trade_ids=tuple(reversed(child.trade_ids)))
    assert state_hash({**values, name: turned}) == state_hash(values)
    fewer = replace(child, trade_ids=child.trade_ids[1:])
    assert state_hash({**values, name: fewer}) != state_hash(values)
