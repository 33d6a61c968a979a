"""How much each ladder gets: as much as possible is filled, and that at the least cost.

Exact for lots that divide each other, as powers of ten do. Two ideas carry it.

*Lots.* Let every lot divide the next coarser one. Whatever the coarser venues take is a multiple of
their lot, so what the finest take together is known modulo that lot: they give the remainder
first, and from there on only whole coarse lots of them matter. Bundled so, they compete with the
coarser venues lot for lot, and the cheapest bundle first is optimal because every ladder is convex.
The same step is repeated up to the coarsest lot.

*Minimums.* Leave them out and the answer above is a bound. If a venue then gets less than it
accepts, either it gets nothing or at least its minimum: both are tried, and a branch whose bound is
no better than what is already found is dropped.

Lots that do not divide each other are made to: each becomes the least common multiple with the
finer ones, once for every remainder of its own lot, while those are few.
"""

from itertools import product
from math import lcm, prod
from operator import itemgetter
from typing import Final

from msgspec import Struct

from quarterdeck.core.routing.ladder import Ladder, between

BRANCHES_MAX: Final = 256
"""Most branches tried; five venues need 63. Beyond it the best found so far stands."""
REMAINDERS_MAX: Final = 64
"""Most ways in which lots that do not divide each other are combined."""

type _Parts = int | tuple[tuple[int, int], ...]
"""Whose units: one venue's, or how many of each in one bundle."""
type _Bundles = tuple[int, int, int, _Parts]
"""Cost of one bundle, the first venue in it, units in all, and whose they are."""
type _Starts = tuple[int | None, ...]
"""Units that each venue gets before the rest is shared out; None keeps it out."""


class Allocation(Struct, frozen=True, kw_only=True, gc=False):
    """Units for each ladder, in the order of the ladders."""

    taken: list[int]
    filled: int
    cost: int
    """With fees, see `costs.net_px`."""
    prices: list[tuple[int, int]]
    """Of each ladder's part, with fees and without."""

    def beats(self, other: "Allocation") -> bool:
        """Say whether this one fills more, or as much for less."""
        return (-self.filled, self.cost) < (-other.filled, other.cost)


def allocate(ladders: list[Ladder], quantity: int) -> Allocation:
    """Return the best allocation; among equals one venue alone, then the first ladders."""
    best = best_single(ladders)
    everything = [ladder.most if ladder.usable else 0 for ladder in ladders]
    if best.filled < sum(everything) <= quantity:
        return _priced(ladders, everything)  # Nobody's part leaves another less.
    search = _Search(ladders, quantity)
    for root in search.roots():
        best = search.improve(best, root)
    return best


def best_single(ladders: list[Ladder]) -> Allocation:
    """Return the allocation to one venue that fills most, then costs least; perhaps nothing."""
    ranks = [rank for rank, ladder in enumerate(ladders) if ladder.usable]
    best = min(ranks, key=lambda rank: (-ladders[rank].most, ladders[rank].cost), default=None)
    taken = [0] * len(ladders)
    if best is not None:
        taken[best] = ladders[best].most
    return _priced(ladders, taken)


class _Search:
    """One question: its ladders, their rungs together, and their chain of lots."""

    def __init__(self, ladders: list[Ladder], quantity: int) -> None:
        self.ladders = ladders
        self.quantity = quantity
        self.branches = 0
        self.sizes = [ladder.lot for ladder in ladders]
        size = 1
        for lot in sorted(set(self.sizes)):
            size = lcm(size, lot)
            self.sizes = [size if known == lot else known for known in self.sizes]
        finest_first: dict[int, list[int]] = {}
        for rank, size in sorted(enumerate(self.sizes), key=itemgetter(1)):
            finest_first.setdefault(size, []).append(rank)
        self.groups = list(finest_first.items())
        self.reach = (len(ladders) - 1) * max(self.sizes, default=0)
        self.rungs = [
            (net, rank, part)
            for rank, ladder in enumerate(ladders)
            for net, part, _ in ladder.rungs
        ]
        self.rungs.sort()

    def roots(self) -> list[_Starts]:
        """Return the starts to search from: one, unless lots do not divide each other."""
        usable = [ladder.least <= ladder.most > 0 for ladder in self.ladders]
        ways = [size // ladder.lot for size, ladder in zip(self.sizes, self.ladders, strict=True)]
        ways = [way if use else 1 for way, use in zip(ways, usable, strict=True)]
        if prod(ways) > REMAINDERS_MAX:
            ways = [1] * len(ways)
        return [
            tuple(
                rest * ladder.lot if use else None
                for rest, ladder, use in zip(rests, self.ladders, usable, strict=True)
            )
            for rests in product(*map(range, ways))
        ]

    def improve(self, best: Allocation, root: _Starts) -> Allocation:
        """Return the best allocation under the root if it beats the one given."""
        stack = [root]
        while stack and self.branches < BRANCHES_MAX:
            starts = stack.pop()
            self.branches += 1
            found = self.share_out(starts)
            if found is None or not found.beats(best):
                continue
            short = next(
                (
                    rank
                    for rank, taken in enumerate(found.taken)
                    if 0 < taken < self.ladders[rank].least
                ),
                None,
            )
            if short is None:
                best = found
                continue
            start, size = starts[short], self.sizes[short]
            assert start is not None, "a venue that is kept out gets nothing"
            if start == 0:
                stack.append((*starts[:short], None, *starts[short + 1 :]))
            forced = start - (start - self.ladders[short].least) // size * size
            if forced <= self.ladders[short].most:
                stack.append((*starts[:short], forced, *starts[short + 1 :]))
        return best

    def share_out(self, starts: _Starts) -> Allocation | None:
        """Return the best allocation above the starts, minimums left out; None when none fits."""
        taken = [start or 0 for start in starts]
        if any(start > ladder.most for start, ladder in zip(taken, self.ladders, strict=True)):
            return None
        left = self.quantity - sum(taken)
        if left < 0:
            return None
        rooms = [
            0 if start is None else (ladder.most - start) // size * size
            for start, ladder, size in zip(starts, self.ladders, self.sizes, strict=True)
        ]
        target = left
        for size, ranks in reversed(self.groups):
            left -= min(sum(rooms[rank] for rank in ranks), left // size * size)
        target -= left
        stream: list[_Bundles] = []
        step = 1
        sure = self.least_shares(taken, rooms, target)
        for rank, share in enumerate(sure):
            taken[rank] += share
            target -= share
        bases = list(taken)
        for size, ranks in self.groups:
            if stream:
                first = target % size
                if first:
                    _take(stream, first, taken)
                    target -= first
                stream = _bundle(stream, step, size)
            step = size
            for rank in ranks:
                room = min(rooms[rank] - sure[rank], 2 * self.reach + size)
                rest = between(self.ladders[rank].rungs, bases[rank], room)
                stream += _bundle([(net, rank, part, rank) for net, part in rest], 1, size)
            stream.sort(key=_by_cost)
        if target:
            _take(stream, target, taken)
        return _priced(self.ladders, taken)

    def least_shares(self, starts: list[int], rooms: list[int], target: int) -> list[int]:
        """Return what each venue gets of the target in some best allocation, at the least.

        Let x be the best allocation without lots. Among the best with lots, the one nearest to x
        gives no venue less than x by more than (venues - 1) coarsest lots: else another venue
        would have over one such lot more than in x, and moving a lot between them costs nothing.
        The same holds upwards. So only twice that, the reach, is open and worth bundling.
        """
        if self.reach >= target:
            return [0] * len(starts)
        shares, passed, left = [0] * len(starts), list(starts), target
        for _, rank, size in self.rungs:
            part = min(size, rooms[rank] - shares[rank] + passed[rank])
            if part <= passed[rank]:
                passed[rank] -= part
                continue
            part = min(part - passed[rank], left)
            passed[rank] = 0
            shares[rank] += part
            left -= part
            if not left:
                break
        return [
            max(share - self.reach, 0) // size * size
            for share, size in zip(shares, self.sizes, strict=True)
        ]


_by_cost = itemgetter(0, 1)


def _bundle(stream: list[_Bundles], step: int, size: int) -> list[_Bundles]:
    """Return the stream in bundles of a larger size, cheapest first; an unfilled last one goes."""
    factor = size // step
    if factor == 1:
        return stream
    bundles: list[_Bundles] = []
    mixed: list[tuple[int, int]] = []
    mixed_units = mixed_cost = mixed_rank = 0
    for cost, rank, count, parts in stream:
        left = count
        if mixed_units:
            part = min(size - mixed_units, left)
            mixed += _shares(parts, part)
            mixed_units += part
            mixed_cost += cost * (part // step)
            left -= part
            if mixed_units < size:
                continue
            bundles.append((mixed_cost, mixed_rank, size, tuple(mixed)))
            mixed_units = 0
        rest = left % size
        if left > rest:
            bundles.append((cost * factor, rank, left - rest, parts))
        if rest:
            mixed = _shares(parts, rest)
            mixed_units, mixed_cost, mixed_rank = rest, cost * (rest // step), rank
    return bundles


def _shares(parts: _Parts, quantity: int) -> list[tuple[int, int]]:
    # A mixed bundle stands alone and is smaller than the next lot, so it is never divided.
    return [(parts, quantity)] if isinstance(parts, int) else list(parts)


def _take(stream: list[_Bundles], quantity: int, taken: list[int]) -> None:
    """Move the cheapest units from the stream to the venues."""
    used = 0
    for cost, rank, count, parts in stream:
        part = min(count, quantity)
        for owner, share in _shares(parts, part):
            taken[owner] += share
        quantity -= part
        if part < count:
            stream[used] = (cost, rank, count - part, parts)
            break
        used += 1
        if not quantity:
            break
    assert not quantity, "what is taken was counted before"
    del stream[:used]


def _priced(ladders: list[Ladder], taken: list[int]) -> Allocation:
    prices = [ladder.price(part) for ladder, part in zip(ladders, taken, strict=True)]
    return Allocation(
        taken=taken,
        filled=sum(taken),
        cost=sum(cost for cost, _ in prices),
        prices=prices,
    )
