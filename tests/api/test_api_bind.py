"""Where the API may listen."""

from pathlib import Path

import pytest

from quarterdeck.api.bind import Bind, admits, check_bind, is_loopback

CERT = {"certificate": Path("c.pem"), "private_key": Path("k.pem")}
PROXY = {"trusted_proxies": ("10.0.0.7", "fd00::/8")}

CASES = [
    # host, what protects it, keys, the field at fault
    ("127.0.0.1", {}, False, None),
    ("127.9.9.9", {}, False, None),
    ("::1", {}, False, None),
    ("localhost", {}, False, None),
    ("0.0.0.0", {}, True, "host"),
    ("::", {}, True, "host"),
    ("10.0.0.5", {}, True, "host"),
    ("desk.example", {}, True, "host"),
    ("localhost.example", {}, True, "host"),
    ("", {}, True, "host"),
    ("0.0.0.0", CERT, False, "host"),
    ("0.0.0.0", PROXY, False, "host"),
    ("0.0.0.0", CERT, True, None),
    ("0.0.0.0", PROXY, True, None),
    ("127.0.0.1", {"certificate": Path("c.pem")}, True, "private_key"),
    ("127.0.0.1", {"private_key": Path("k.pem")}, True, "private_key"),
    ("0.0.0.0", {"trusted_proxies": ("*",)}, True, "trusted_proxies"),
    ("0.0.0.0", {"trusted_proxies": ("0.0.0.0/0",)}, True, "trusted_proxies"),
    ("0.0.0.0", {"trusted_proxies": ("proxy.example",)}, True, "trusted_proxies"),
]


@pytest.mark.parametrize(("host", "protection", "has_keys", "field"), CASES)
def test_a_bind_is_judged(
    host: str, protection: dict[str, object], has_keys: bool, field: str | None
):
    refused = check_bind(Bind(host=host, port=8001, **protection), has_keys=has_keys)
    assert (refused.field if refused is not None else None) == field, refused


@pytest.mark.parametrize(
    ("port", "allowed"), [(-1, False), (0, True), (65_535, True), (65_536, False)]
)
def test_a_port_is_judged(port: int, allowed: bool):
    refused = check_bind(Bind(host="127.0.0.1", port=port), has_keys=True)
    assert (refused is None) is allowed


def test_an_address_in_another_guise_is_no_loopback():
    assert not is_loopback("127.0.0.1.example")
    assert not is_loopback("2130706433")


PEERS = [
    ("127.0.0.1", {}, "127.0.0.1", True),
    ("0.0.0.0", CERT, "203.0.113.9", True),
    ("0.0.0.0", PROXY, "10.0.0.7", True),
    ("0.0.0.0", PROXY, "10.0.0.8", False),
    ("::", PROXY, "::ffff:10.0.0.7", True),
    ("::", PROXY, "::ffff:10.0.0.8", False),
    ("::", PROXY, "fd00::1", True),
    ("0.0.0.0", PROXY, "127.0.0.1", True),
    ("0.0.0.0", PROXY, "", False),
    ("0.0.0.0", {**CERT, **PROXY}, "203.0.113.9", True),
]


@pytest.mark.parametrize(("host", "protection", "peer", "admitted"), PEERS)
def test_who_goes_round_the_proxy_is_turned_away(
    host: str, protection: dict[str, object], peer: str, admitted: bool
):
    assert admits(Bind(host=host, port=8001, **protection), peer) is admitted
