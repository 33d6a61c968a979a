"""API keys: the file, what opens what, and how guessing is slowed."""

import stat
from pathlib import Path

import pytest
from tests.api.standins import Rig, TickingClock

from quarterdeck.api.attempts import FREE, PEERS_MAX, REFILL_NS, FailedAttempts
from quarterdeck.api.endpoint import Endpoint
from quarterdeck.api.keys import (
    LOOK_AGAIN_NS,
    ApiKey,
    KeyFileError,
    KeyRing,
    Scope,
    create_key,
    list_keys,
    revoke_key,
)
from quarterdeck.api.routes import ENDPOINTS

OPEN_ROUTES = {"/healthz"}
DAY_NS = 86_400_000_000_000


def paths() -> list[tuple[str, str, Scope | None]]:
    filled = [
        (e.method, e.path.replace("{operation_id}", "OP-1").replace("{child_no}", "1"), e.scope)
        for e in ENDPOINTS
    ]
    return [*filled, ("GET", "/openapi.json", Scope.READ)]


def test_only_the_pulse_is_open_to_everybody():
    assert {endpoint.path for endpoint in ENDPOINTS if endpoint.scope is None} == OPEN_ROUTES


CHANGES_NOTHING = {"/api/preview"}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
def test_calls_that_change_something_need_more_than_read(endpoint: Endpoint):
    if endpoint.method != "GET" and endpoint.path not in CHANGES_NOTHING:
        assert endpoint.scope in {Scope.TRADE, Scope.RISK, Scope.ADMIN}


async def test_every_route_of_the_application_is_in_the_table(rig: Rig):
    served = {(route.path, *sorted(route.methods - {"HEAD"})) for route in rig.app.router.routes}
    table = {(endpoint.path, endpoint.method) for endpoint in ENDPOINTS}
    assert served == table | {("/openapi.json", "GET")}


@pytest.mark.parametrize(("method", "path", "scope"), paths())
async def test_no_key_is_401_a_wrong_one_403_and_the_right_one_passes(
    rig: Rig, method: str, path: str, scope: Scope | None
):
    nobody = await rig.client.request(method, path, headers={"authorization": ""})
    if scope is None:
        assert nobody.status_code == 200
        return
    assert nobody.status_code == 401
    assert nobody.headers["www-authenticate"] == "Bearer"
    assert nobody.json()["error"]["code"] == "unauthenticated"
    before = rig.stored()
    for other in set(Scope) - {scope}:
        headers = {"authorization": f"Bearer {rig.tokens[other.value]}"}
        answer = await rig.client.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        assert scope.value in answer.json()["error"]["text"]
    assert rig.stored() == before
    headers = {"authorization": f"Bearer {rig.tokens[scope.value]}"}
    answer = await rig.client.request(method, path, headers=headers)
    assert answer.status_code not in {401, 403, 500}


async def test_a_head_request_needs_a_key_too(rig: Rig):
    answer = await rig.client.head("/api/positions", headers={"authorization": ""})
    assert answer.status_code == 401


async def test_who_called_is_journaled_by_the_keys_id(rig: Rig):
    headers = {"authorization": f"Bearer {rig.tokens['risk']}"}
    body = {"state": "reducing", "why": "x"}
    await rig.client.post("/api/trading-state", json=body, headers=headers)
    assert b'"by":"risk"' in rig.record.entries[-1].body


async def test_guessing_is_slowed_and_a_good_key_still_passes(rig: Rig):
    wrong = {"authorization": f"Bearer qd_all_{'0' * 64}"}
    answers = [await rig.client.get("/api/health", headers=wrong) for _ in range(FREE + 3)]
    assert [answer.status_code for answer in answers] == [401] * FREE + [429] * 3
    assert answers[-1].json()["error"]["code"] == "too_many_attempts"
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await rig.client.get("/api/health")).status_code == 200
    rig.clock.at_ns += 2 * REFILL_NS
    assert (await rig.client.get("/api/health", headers=wrong)).status_code == 401


def test_failed_attempts_are_bounded_and_forgiven():
    attempts = FailedAttempts()
    assert [attempts.fail("a", 0) > 0 for _ in range(FREE + 2)] == [False] * FREE + [True] * 2
    assert attempts.fail("b", 0) == 0, "another peer is not to blame"
    assert attempts.fail("a", REFILL_NS) == 0, "one came free"
    assert attempts.fail("a", REFILL_NS) > 0
    assert attempts.fail("a", 100 * REFILL_NS) == 0
    for number in range(PEERS_MAX * 2):
        attempts.fail(f"peer-{number}", 0)
    assert len(attempts) == PEERS_MAX


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keys.json"


def ring(path: Path, clock: TickingClock, faults: list[str] | None = None) -> KeyRing:
    return KeyRing(path, clock, on_fault=(faults if faults is not None else []).append)


def test_a_key_opens_and_its_secret_is_nowhere_in_the_file(key_file: Path):
    clock = TickingClock()
    token = create_key(key_file, key_id="bot-1", scopes=[Scope.TRADE, Scope.READ], now_ns=1)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert token.text.rpartition("_")[2] not in key_file.read_text()
    assert token.text not in repr(token)
    [stored] = list_keys(key_file)
    assert stored.secret_sha256 not in repr(stored)
    key = ring(key_file, clock).authenticate(f"Bearer {token.text}")
    assert key is not None
    assert (key.id, set(key.scopes)) == ("bot-1", {Scope.READ, Scope.TRADE})


BAD_HEADERS = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    "Basic {token}",
    "Bearer {token}x",
    "Bearer {token} ",
    "Bearer qd_other_{secret}",
    "Bearer qd_bot_" + "0" * 64,
    "Bearer qd_bot_" + "é" * 64,
    "{token}",
]


@pytest.mark.parametrize("header", BAD_HEADERS)
def test_what_is_not_quite_the_key_does_not_open(key_file: Path, header: str):
    token = create_key(key_file, key_id="bot", scopes=[Scope.READ], now_ns=1).text
    text = header.format(token=token, secret=token.rpartition("_")[2])
    assert ring(key_file, TickingClock()).authenticate(text) is None


def test_the_scheme_is_read_in_any_case(key_file: Path):
    token = create_key(key_file, key_id="bot", scopes=[Scope.READ], now_ns=1).text
    assert ring(key_file, TickingClock()).authenticate(f"bearer {token}") is not None


def test_a_key_expires(key_file: Path):
    clock = TickingClock()
    token = create_key(
        key_file, key_id="bot", scopes=[Scope.READ], now_ns=1, expires_ns=clock.at_ns + DAY_NS
    ).text
    keys = ring(key_file, clock)
    assert keys.authenticate(f"Bearer {token}") is not None
    clock.at_ns += DAY_NS
    assert keys.authenticate(f"Bearer {token}") is None
    assert not keys.has_valid_key()


def test_a_revocation_is_noticed_and_a_broken_file_keeps_the_old_keys(key_file: Path):
    clock, faults = TickingClock(), list[str]()
    good = create_key(key_file, key_id="good", scopes=[Scope.READ], now_ns=1).text
    bad = create_key(key_file, key_id="bad", scopes=[Scope.READ], now_ns=1).text
    keys = ring(key_file, clock, faults)
    assert keys.authenticate(f"Bearer {bad}") is not None

    revoked = revoke_key(key_file, "bad", 77)
    assert (revoked.revoked_ns, revoke_key(key_file, "bad", 99).revoked_ns) == (77, 77)
    clock.at_ns += LOOK_AGAIN_NS
    assert keys.authenticate(f"Bearer {bad}") is None
    assert keys.authenticate(f"Bearer {good}") is not None

    for broken in ("{", '{"keys": [], "more": 1}', '{"keys": [{"id": "x"}]}'):
        key_file.write_text(broken)
        clock.at_ns += LOOK_AGAIN_NS
        told = len(faults)
        assert keys.authenticate(f"Bearer {good}") is not None
        assert keys.authenticate(f"Bearer {good}") is not None
        assert len(faults) == told + 1, "told once for each change"


def test_a_file_that_others_can_read_is_refused(key_file: Path):
    create_key(key_file, key_id="bot", scopes=[Scope.READ], now_ns=1)
    key_file.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        list_keys(key_file)
    with pytest.raises(KeyFileError, match="chmod 600"):
        ring(key_file, TickingClock())


@pytest.mark.parametrize("key_id", ["", "a b", "A", "ü", "x" * 33, "a_b"])
def test_a_key_id_that_a_token_cannot_carry_is_refused(key_file: Path, key_id: str):
    with pytest.raises(KeyFileError, match="1 to 32 characters"):
        create_key(key_file, key_id=key_id, scopes=[], now_ns=1)
    assert list_keys(key_file) == ()


def test_an_id_is_never_used_twice_and_an_unknown_one_is_named(key_file: Path):
    create_key(key_file, key_id="bot", scopes=[Scope.READ], now_ns=1)
    revoke_key(key_file, "bot", 2)
    with pytest.raises(KeyFileError, match="taken"):
        create_key(key_file, key_id="bot", scopes=[Scope.READ], now_ns=1)
    with pytest.raises(KeyFileError, match="there are: bot"):
        revoke_key(key_file, "tob", 2)


def test_without_a_file_nobody_may_call(key_file: Path):
    keys = ring(key_file, TickingClock())
    assert not keys.has_valid_key()
    assert keys.authenticate(f"Bearer qd_x_{'0' * 64}") is None


def test_a_key_without_scopes_opens_nothing():
    key = ApiKey(id="a", secret_sha256="", scopes=(), created_ns=0)
    assert all(scope not in key.scopes for scope in Scope)
