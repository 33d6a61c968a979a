"""A map that reads through to another and writes only to itself: the paper of a sketch pad.

`collections.ChainMap` would do, at several times the cost, and decisions are made of look-ups.
Nothing is ever deleted from the desk's maps while deciding, so deletion is not offered.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any, overload, override


class Overlay[K, V](MutableMapping[K, V]):
    """What was written on top, over a base that stays as it is.

    Keys come in the base's order, then new ones in the order they were written.
    """

    __slots__ = ("_base", "_top")

    def __init__(self, base: MutableMapping[K, V]) -> None:
        """Begin with nothing written."""
        self._base = base
        self._top: dict[K, V] = {}

    @override
    def __getitem__(self, key: K) -> V:
        top = self._top
        return top[key] if key in top else self._base[key]

    @overload
    def get(self, key: K, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V, /) -> V: ...
    @overload
    def get[D](self, key: K, default: D, /) -> V | D: ...
    @override
    def get(self, key: K, default: Any = None, /) -> Any:
        top = self._top
        return top[key] if key in top else self._base.get(key, default)

    @override
    def __contains__(self, key: object) -> bool:
        return key in self._top or key in self._base

    @override
    def __setitem__(self, key: K, value: V) -> None:
        self._top[key] = value

    @override
    def __delitem__(self, key: K) -> None:
        raise TypeError("a decision deletes nothing")

    @override
    def __iter__(self) -> Iterator[K]:
        yield from self._base
        yield from (key for key in self._top if key not in self._base)

    @override
    def __len__(self) -> int:
        return len(self._base) + sum(key not in self._base for key in self._top)

    @override
    def values(self) -> Any:
        """Return the values, in the order of the keys."""
        top = self._top
        if not top:
            return self._base.values()
        return [top.get(key, value) for key, value in self._base.items()] + [
            value for key, value in top.items() if key not in self._base
        ]
