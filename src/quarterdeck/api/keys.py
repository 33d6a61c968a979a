"""Who may call: API keys, their scopes, and the file that holds them.

A key is an id and a 256-bit secret that is shown once, when it is made; the file (mode 0600) keeps
only the SHA-256 of the secret. A plain hash is enough because there is nothing to guess: it is a
random number, not a password. Scopes do not imply one another: what a key may do is what it lists.

The file is read again when it changes, so that a revocation works without a restart. A file that
cannot be read keeps the keys that were good before and says so: a slip of an editor must not shut
out those who need to cancel.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.ports import Clock

LOOK_AGAIN_NS: Final = 500_000_000
"""A change of the file is noticed within this time."""

KEY_ID_RULE: Final = "1 to 32 characters out of a-z 0-9 -"
_KEY_ID = re.compile(r"[a-z0-9-]{1,32}")
_TOKEN = re.compile(r"qd_([a-z0-9-]{1,32})_([0-9a-f]{64})")
_NOBODY: Final = hashlib.sha256(b"").hexdigest()


class Scope(StrEnum):
    """What a key lets its holder do."""

    READ = "read"
    TRADE = "trade"
    """Submit and cancel orders."""
    RISK = "risk"
    """Turn the trading state, resolve unknown outcomes."""
    ADMIN = "admin"
    """What changes the desk itself; no call of this release needs it."""


class ApiKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key as the file keeps it."""

    id: str
    secret_sha256: str
    scopes: tuple[Scope, ...]
    created_ns: int
    expires_ns: int | None = None
    revoked_ns: int | None = None

    def is_valid(self, now_ns: int) -> bool:
        """Whether it opens anything at this time."""
        return self.revoked_ns is None and (self.expires_ns is None or now_ns < self.expires_ns)

    def __repr__(self) -> str:
        return f"ApiKey(id={self.id!r}, scopes={[str(scope) for scope in self.scopes]})"


class KeyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of the file."""

    keys: tuple[ApiKey, ...] = ()


class Token(Struct, frozen=True):
    """A key's full text, shown once. Printing the object does not show it."""

    text: str

    def __repr__(self) -> str:
        return "Token('***')"


class KeyFileError(Exception):
    """The key file cannot be used; the text says why and what is allowed."""


_decoder: Final = msgspec.json.Decoder(KeyFile)


def list_keys(path: Path) -> tuple[ApiKey, ...]:
    """Return the keys of a file, revoked and expired ones too; none when there is no file.

    Raises:
        KeyFileError: if it can be read by others or is not a key file.
    """
    try:
        mode, body = path.stat().st_mode, path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    if mode & 0o077:
        raise KeyFileError(f"{path} can be used by others (mode {mode & 0o777:o}); chmod 600 it")
    try:
        return _decoder.decode(body).keys
    except (msgspec.DecodeError, ValueError) as error:
        raise KeyFileError(f"{path} is not a key file: {error}") from error


def create_key(
    path: Path,
    *,
    key_id: str,
    scopes: Iterable[Scope],
    now_ns: int,
    expires_ns: int | None = None,
) -> Token:
    """Add a key to a file, made when absent, and return its text: the only time it is known.

    Raises:
        KeyFileError: if the id is taken or misspelt, or the file cannot be used.
    """
    keys = list_keys(path)
    if _KEY_ID.fullmatch(key_id) is None:
        raise KeyFileError(f"key id {key_id!r}: {KEY_ID_RULE}")
    if any(key.id == key_id for key in keys):
        raise KeyFileError(f"key id {key_id!r} is taken; revoked ids are not used again either")
    secret = secrets.token_hex(32)
    key = ApiKey(
        id=key_id,
        secret_sha256=_hash(secret),
        scopes=tuple(sorted(set(scopes))),
        created_ns=now_ns,
        expires_ns=expires_ns,
    )
    _write(path, (*keys, key))
    return Token(f"qd_{key_id}_{secret}")


def revoke_key(path: Path, key_id: str, now_ns: int) -> ApiKey:
    """End a key for good; revoking it again changes nothing.

    Raises:
        KeyFileError: if there is no such key, or the file cannot be used.
    """
    keys = {key.id: key for key in list_keys(path)}
    if key_id not in keys:
        raise KeyFileError(f"no key {key_id!r}; there are: {', '.join(keys) or 'none'}")
    if keys[key_id].revoked_ns is None:
        keys[key_id] = replace(keys[key_id], revoked_ns=now_ns)
        _write(path, keys.values())
    return keys[key_id]


class KeyRing:
    """The keys in memory, as fresh as the file."""

    def __init__(self, path: Path, clock: Clock, on_fault: Callable[[str], None]) -> None:
        """Read the file.

        Args:
            path: the key file; one that does not exist holds no key.
            clock: for expiry, and for how often the file is looked at.
            on_fault: told once for each change that could not be read.

        Raises:
            KeyFileError: if there is a file and it cannot be used.
        """
        self._path = path
        self._clock = clock
        self._on_fault = on_fault
        self._seen = self._signature()
        self._looked_ns = clock.now_ns()
        self._keys = {key.id: key for key in list_keys(path)}

    def authenticate(self, header: str) -> ApiKey | None:
        """Return the key that an `Authorization` header proves, or None when it proves none."""
        now_ns = self._clock.now_ns()
        self._refresh(now_ns)
        scheme, _, text = header.partition(" ")
        token = _TOKEN.fullmatch(text) if scheme.lower() == "bearer" else None
        if token is None:
            return None
        key = self._keys.get(token[1])
        # An unknown id is compared as well, so that the time taken does not tell the ids.
        expected = key.secret_sha256 if key is not None else _NOBODY
        proven = hmac.compare_digest(expected, _hash(token[2]))
        return key if key is not None and proven and key.is_valid(now_ns) else None

    def has_valid_key(self) -> bool:
        """Whether anybody can call at all."""
        now_ns = self._clock.now_ns()
        self._refresh(now_ns)
        return any(key.is_valid(now_ns) for key in self._keys.values())

    def _refresh(self, now_ns: int) -> None:
        if 0 <= now_ns - self._looked_ns < LOOK_AGAIN_NS:
            return
        self._looked_ns = now_ns
        signature = self._signature()
        if signature == self._seen:
            return
        self._seen = signature
        try:
            self._keys = {key.id: key for key in list_keys(self._path)}
        except KeyFileError as error:
            self._on_fault(f"the keys of before stay in force: {error}")

    def _signature(self) -> tuple[int, ...]:
        try:
            status = self._path.stat()
        except OSError:
            return ()
        return (status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _write(path: Path, keys: Iterable[ApiKey]) -> None:
    """Replace the file at once, so that no reader sees half of it."""
    body = msgspec.json.format(msgspec.json.encode(KeyFile(keys=tuple(keys))), indent=2)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, body + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
