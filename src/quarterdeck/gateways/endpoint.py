"""Where a gateway listens: three addresses, and keys when they leave the machine.

By default the addresses are sockets in a folder that only its owner may enter, which is all the
authentication that local processes need. An address that reaches further (`tcp://`) is accepted
only with CURVE keys: it is encrypted, the desk knows the gateway by its key, and the gateway
admits only the desk keys that it was told.
"""

import os
from pathlib import Path
from typing import Final

from msgspec import Struct

SOCKET_PATH_BYTES_MAX: Final = 107
"""What the kernel allows for the path of a local socket."""


class DeskKeys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a desk needs to reach a gateway over a network; Z85 texts of 40 characters."""

    public_key: str
    secret_key: str
    gateway_public_key: str


class GatewayKeys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a gateway needs to be reached over a network."""

    secret_key: str
    public_key: str
    desk_public_keys: tuple[str, ...]
    """Desks that are admitted."""


class Endpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The three addresses of one account's gateway."""

    commands: str
    facts: str
    views: str
    keys: DeskKeys | None = None
    """The desk's side; a gateway has its own keys in its settings."""

    @property
    def addresses(self) -> tuple[str, str, str]:
        """All three."""
        return (self.commands, self.facts, self.views)


def local_endpoint(run_dir: Path, account: str) -> Endpoint:
    """Return the addresses of an account's gateway in the folder that both sides share."""
    return Endpoint(
        commands=f"ipc://{run_dir}/{account}.commands",
        facts=f"ipc://{run_dir}/{account}.facts",
        views=f"ipc://{run_dir}/{account}.views",
    )


def endpoint_fault(endpoint: Endpoint, *, has_keys: bool) -> str | None:
    """Return what forbids using an endpoint, or None."""
    for address in endpoint.addresses:
        scheme, _, rest = address.partition("://")
        match scheme:
            case "ipc":
                size = len(os.fsencode(rest))
                if not 0 < size <= SOCKET_PATH_BYTES_MAX:
                    return (
                        f"{address}: the path has {size} bytes, allowed are 1 to "
                        f"{SOCKET_PATH_BYTES_MAX}; choose a shorter run_dir"
                    )
            case "tcp":
                if not has_keys:
                    return f"{address}: tcp is allowed with CURVE keys only"
            case _:
                return f"{address}: an address starts with ipc:// or tcp://"
    return None


def private_folder(folder: Path) -> Path:
    """Make the folder for the sockets, or check that it is ours alone.

    Raises:
        PermissionError: if it belongs to somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to user {status.st_uid}, not to {os.geteuid()}")
    if status.st_mode & 0o077:
        folder.chmod(0o700)
    return folder
