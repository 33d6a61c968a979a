"""Where the API may listen: on this machine freely, beyond it only when that is safe.

Beyond loopback every call crosses wires that others can read, so both are needed: keys to tell
callers apart, and encryption, by a certificate of our own or by a proxy that is named as trusted.
"""

import ipaddress
from pathlib import Path

from msgspec import Struct

from quarterdeck.core.model.reasons import Reason, Refused


class Bind(Struct, frozen=True, kw_only=True):
    """An address to listen on, and what protects it."""

    host: str
    port: int
    certificate: Path | None = None
    """PEM file of the certificate and its chain."""
    private_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies that speak TLS for us."""


def check_bind(bind: Bind, *, has_keys: bool) -> Refused | None:
    """Return why the API may not listen there, or None."""
    if not 0 <= bind.port < 65_536:
        return _refused(
            "port", f"{bind.port} is not a port; 1 to 65535 are, and 0 takes any free one"
        )
    if (bind.certificate is None) != (bind.private_key is None):
        return _refused("private_key", "a certificate and its private key come together")
    for proxy in bind.trusted_proxies:
        if not _is_network(proxy):
            text = f"{proxy!r} is neither an address nor a network, such as 10.0.0.7 or 10.0.0.0/24"
            return _refused("trusted_proxies", text)
        if ipaddress.ip_network(proxy, strict=False).prefixlen == 0:
            return _refused("trusted_proxies", f"{proxy} trusts everybody; name the proxy")
    if is_loopback(bind.host):
        return None
    if not has_keys:
        text = f"{bind.host} is reached from other machines and there is no API key; create one"
        return _refused("host", text)
    if bind.certificate is None and not bind.trusted_proxies:
        text = f"{bind.host} is reached from other machines: give a certificate with its private "
        return _refused("host", f"{text}key, or name the proxy that speaks TLS for the desk")
    return None


def admits(bind: Bind, peer: str) -> bool:
    """Tell whether a peer may connect at all.

    Where a proxy is what makes a public address safe, those who go round it are turned away: their
    keys would cross the network in the clear.
    """
    if is_loopback(bind.host) or bind.certificate is not None:
        return True
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # An IPv4 peer of an IPv6 socket.
    address = mapped if mapped is not None else address
    networks = (ipaddress.ip_network(proxy, strict=False) for proxy in bind.trusted_proxies)
    return address.is_loopback or any(address in network for network in networks)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a host; a name other than localhost counts as not.

    A name is not looked up: what it stands for may change after the check.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _refused(field: str, text: str) -> Refused:
    return Refused(code=Reason.INVALID_VALUE, field=field, text=text)
