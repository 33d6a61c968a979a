"""The desk's end of the fact stream: what it tells the desk, for every order of what it hears."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from tests.gateways.test_gateway_wire import CAPABILITIES, INSTRUMENT

from quarterdeck.core.model.facts import Fact, GatewayConnected, GatewayLost, OrderNotFound
from quarterdeck.gateways.link import LinkState
from quarterdeck.gateways.wire import FactFrame, Heartbeat, Incompatible, Welcome

SILENCE_NS = 100


def a_fact(number: int) -> OrderNotFound:
    return OrderNotFound(account="acc", client_order_id=f"F{number}", asked_ns=0)


def welcome(epoch: int, next_seq: int, **changes: Any) -> Welcome:
    terms: dict[str, Any] = {
        "protocol": 1,
        "gateway_epoch": epoch,
        "next_seq": next_seq,
        "account": "acc",
        "venue": "NULL",
        "venue_connected": True,
        "capabilities": CAPABILITIES,
        "instruments": (INSTRUMENT,),
    }
    return Welcome(**(terms | changes))


def fact(epoch: int, seq: int) -> FactFrame:
    return FactFrame(gateway_epoch=epoch, seq=seq, fact=a_fact(seq))


def beat(epoch: int, last_seq: int, *, venue: bool = True) -> Heartbeat:
    return Heartbeat(
        gateway_epoch=epoch,
        last_seq=last_seq,
        now_ns=0,
        venue_connected=venue,
        reason="" if venue else "away",
        venue_clock_offset_ns=None,
    )


def told(facts: list[Fact]) -> list[str]:
    def one(item: Fact) -> str:
        match item:
            case GatewayConnected(gateway_epoch=epoch):
                return f"connected {epoch}"
            case GatewayLost(why=why):
                return f"lost {why}"
            case OrderNotFound(client_order_id=name):
                return name
            case _:
                return type(item).__name__

    return [one(item) for item in facts]


T1, T2 = 10, 20
NO_VENUE: dict[str, Any] = {"venue_connected": False, "instruments": ()}

STORIES: list[tuple[str, list[Any], list[str]]] = [
    ("welcome", [welcome(T1, 1)], ["connected 10"]),
    ("welcome twice", [welcome(T1, 1), welcome(T1, 1)], ["connected 10"]),
    ("facts in order", [welcome(T1, 1), fact(T1, 1), fact(T1, 2)], ["connected 10", "F1", "F2"]),
    ("joined late", [welcome(T1, 8), fact(T1, 8)], ["connected 10", "F8"]),
    ("a doubled fact", [welcome(T1, 1), fact(T1, 1), fact(T1, 1)], ["connected 10", "F1"]),
    ("not welcomed yet", [fact(T1, 1), beat(T1, 1)], []),
    (
        "a gap",
        [welcome(T1, 1), fact(T1, 2), fact(T1, 3)],
        ["connected 10", "lost stream_gap", "connected 10", "F2", "F3"],
    ),
    (
        "a gap at the end, shown by the heartbeat",
        [welcome(T1, 1), fact(T1, 1), beat(T1, 2), fact(T1, 3)],
        ["connected 10", "F1", "lost stream_gap", "connected 10", "F3"],
    ),
    (
        "a gap shown by a welcome",
        [welcome(T1, 1), welcome(T1, 5), fact(T1, 5)],
        ["connected 10", "lost stream_gap", "connected 10", "F5"],
    ),
    ("an old welcome", [welcome(T1, 5), welcome(T1, 1), fact(T1, 5)], ["connected 10", "F5"]),
    (
        "the venue goes and comes",
        [welcome(T1, 1), beat(T1, 0, venue=False), beat(T1, 0)],
        ["connected 10", "lost venue_disconnected", "connected 10"],
    ),
    (
        "facts while the venue is away",
        [welcome(T1, 1), beat(T1, 0, venue=False), fact(T1, 1), beat(T1, 1, venue=False)],
        ["connected 10", "lost venue_disconnected", "F1"],
    ),
    (
        "a gap while the venue is away",
        [welcome(T1, 1), beat(T1, 0, venue=False), beat(T1, 4, venue=False), beat(T1, 4)],
        ["connected 10", "lost venue_disconnected", "connected 10"],
    ),
    (
        "welcomed before the venue was there",
        [welcome(T1, 1, **NO_VENUE), beat(T1, 0, venue=False), welcome(T1, 1), beat(T1, 0)],
        ["connected 10"],
    ),
    (
        "the welcome with the instruments was lost",
        [welcome(T1, 1, **NO_VENUE), beat(T1, 0), welcome(T1, 1)],
        ["connected 10"],
    ),
    (
        "a new run",
        [welcome(T1, 1), fact(T1, 1), welcome(T2, 1), fact(T2, 1), fact(T1, 2), beat(T1, 9)],
        ["connected 10", "F1", "connected 20", "F1"],
    ),
    ("an old run's welcome", [welcome(T2, 1), welcome(T1, 9), fact(T2, 1)], ["connected 20", "F1"]),
    (
        "a newer run that has not introduced itself",
        [welcome(T1, 1), fact(T2, 1), beat(T2, 1), welcome(T2, 2), fact(T2, 2)],
        ["connected 10", "connected 20", "F2"],
    ),
    (
        "other instruments",
        [welcome(T1, 1), welcome(T1, 1, instruments=(INSTRUMENT, INSTRUMENT))],
        ["connected 10", "connected 10"],
    ),
    ("another account", [welcome(T1, 1, account="other"), fact(T1, 1)], []),
    ("another protocol", [Incompatible(protocol=2, text="speaks 2")], []),
]


@pytest.mark.parametrize(("name", "heard", "expected"), STORIES, ids=lambda v: str(v)[:40])
def test_what_the_desk_is_told(name: str, heard: list[Any], expected: list[str]):
    link = LinkState("acc", silence_ns=SILENCE_NS)
    assert told([f for message in heard for f in link.on_message(message, 0)]) == expected


def test_silence_is_a_loss_until_something_is_heard():
    link = LinkState("acc", silence_ns=SILENCE_NS)
    link.on_message(welcome(T1, 1), 0)
    assert link.wants_welcome is False
    assert link.on_tick(SILENCE_NS) == []
    assert told(link.on_tick(SILENCE_NS + 1)) == ["lost stream_stale"]
    assert link.on_tick(SILENCE_NS + 2) == []
    assert link.wants_welcome is True
    assert told(link.on_message(beat(T1, 0), 500)) == ["connected 10"]
    assert link.on_tick(500 + SILENCE_NS) == []


def test_another_desk_epoch_begins_again():
    link = LinkState("acc", silence_ns=SILENCE_NS)
    link.on_message(welcome(T1, 1), 0)
    assert told(link.restart()) == ["lost stream_stale"]
    assert link.wants_welcome is True
    assert told(link.on_message(welcome(T1, 4), 0)) == ["connected 10"]


def test_it_is_not_announced_before_commands_can_be_handed_over():
    link = LinkState("acc", silence_ns=SILENCE_NS)
    link.commands_ready = False
    assert link.on_message(welcome(T1, 1), 0) == []
    assert told(link.on_message(fact(T1, 1), 0)) == ["F1"]
    assert link.status().reason == "commands cannot be handed over yet"
    link.commands_ready = True
    assert told(link.on_message(beat(T1, 1), 0)) == ["connected 10"]


def test_a_newer_run_is_asked_to_introduce_itself():
    link = LinkState("acc", silence_ns=SILENCE_NS)
    link.on_message(welcome(T1, 1), 0)
    link.on_message(beat(T2, 0), 0)
    assert link.wants_welcome is True


def test_status_counts_and_explains():
    link = LinkState("acc", silence_ns=SILENCE_NS)
    assert link.status().reason == "not heard yet"
    for message in (
        welcome(T2, 1),
        fact(T2, 2),
        fact(T2, 2),
        fact(T1, 1),
        beat(T2, 2, venue=False),
    ):
        link.on_message(message, 7)
    status = link.status()
    assert (status.connected, status.reason) == (False, "away")
    assert (status.gaps, status.duplicates, status.stale_frames) == (1, 1, 1)
    assert (status.gateway_epoch, status.heard_ns, status.clock_offset_ns) == (T2, 7, -7)


class LinkMachine(RuleBasedStateMachine):
    """Gateways that die and lose, double and delay what they say, against a count of our own."""

    def __init__(self) -> None:
        super().__init__()
        self.link = LinkState("acc", silence_ns=SILENCE_NS)
        self.now_ns = 0
        self.epoch, self.seq = T1, 0
        self.said: list[Any] = []
        self.heard: list[tuple[int, int]] = []
        self.connected = False
        self.told_since_fact = False

    def hear(self, message: Any) -> None:
        for item in self.link.on_message(message, self.now_ns):
            self.on_told(item, message)

    def on_told(self, item: Fact, message: Any = None) -> None:
        match item:
            case GatewayConnected():
                self.connected = True
            case GatewayLost():
                assert self.connected
                self.connected = False
            case OrderNotFound():
                here = (message.gateway_epoch, message.seq)
                assert not self.heard or here > self.heard[-1]
                before = self.heard[-1] if self.heard else None
                missing = before is not None and here > (before[0], before[1] + 1)
                # While lost nothing need be told: to be connected again is to ask for all.
                assert self.told_since_fact or not (missing and self.connected)
                self.heard.append(here)
                self.told_since_fact = False
                return
        self.told_since_fact = True

    @rule(arrives=st.booleans())
    def the_gateway_reports(self, arrives: bool) -> None:
        self.seq += 1
        self.say(fact(self.epoch, self.seq), arrives)

    @rule(arrives=st.booleans(), venue=st.booleans())
    def the_gateway_beats(self, arrives: bool, venue: bool) -> None:
        self.say(beat(self.epoch, self.seq, venue=venue), arrives)

    @rule(arrives=st.booleans())
    def the_gateway_welcomes(self, arrives: bool) -> None:
        self.say(welcome(self.epoch, self.seq + 1), arrives)

    @rule()
    def the_gateway_restarts(self) -> None:
        self.epoch, self.seq = self.epoch + 1, 0

    @rule(data=st.data())
    def something_old_comes_again(self, data: st.DataObject) -> None:
        if self.said:
            self.hear(data.draw(st.sampled_from(self.said)))

    @rule(step=st.integers(0, 2 * SILENCE_NS))
    def time_passes(self, step: int) -> None:
        self.now_ns += step
        for item in self.link.on_tick(self.now_ns):
            self.on_told(item)
        assert self.link.connected is self.connected

    def say(self, message: Any, arrives: bool) -> None:
        self.said.append(message)
        if arrives:
            self.hear(message)
        assert self.link.connected is self.connected


TestLinkMachine = LinkMachine.TestCase
