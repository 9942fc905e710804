"""Who stands below whom, out of the numbers of concepts: a few integers a concept, however many answers there are.

Concepts are numbered from one. They are laid out in one walk, in which all that a walk meets below a concept stands
behind it in one piece; links to what another branch has met before lead from piece to piece. Circles end where they
begin.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

_CHILD = 32
_NUMBER = (1 << _CHILD) - 1


class Hierarchy:
    """Links (parent, child) among ``size`` concepts, given in the order of parents; one to itself is ignored."""

    def __init__(self, size: int, links: Iterable[tuple[int, int]]) -> None:
        self._size = size
        self._children = array("I")
        counts = array("I", bytes(4 * (size + 2)))
        for parent, child in links:
            if parent != child:
                self._children.append(child)
                counts[parent + 1] += 1
        self._first = array("I", accumulate(counts))
        self._begin = array("I", bytes(4 * (size + 1)))
        self._end = array("I", bytes(4 * (size + 1)))
        self._walk = array("I")
        self._across = self._walked()

    def rows(self) -> Iterator[tuple[int, list[int]]]:
        """Each concept, with itself and all below it in the order of their numbers."""
        begin, end, walk, across = self._begin, self._end, self._walk, self._across
        for number in range(1, self._size + 1):
            start, stop = begin[number], end[number]
            if across and self._leave(start, stop):
                yield number, self._below(number)
            elif stop - start == 1:
                yield number, [number]
            else:
                yield number, sorted(walk[start:stop])

    def _below(self, number: int) -> list[int]:
        found: set[int] = set()
        waiting = [number]
        while waiting:
            concept = waiting.pop()
            if concept not in found:
                start, stop = self._begin[concept], self._end[concept]
                found.update(self._walk[start:stop])
                waiting.extend(link & _NUMBER for link in self._leave(start, stop))
        return sorted(found)

    def _leave(self, start: int, stop: int) -> array[int]:
        """The links across that begin in a piece of the walk."""
        first = bisect_left(self._across, start << _CHILD)
        return self._across[first : bisect_left(self._across, stop << _CHILD, first)]

    def _walked(self) -> array[int]:
        """Walks from every concept without parents, then from where a circle is met; returns the links across: the
        parent's place in the walk and the child's number, packed into one integer and sorted."""
        met, below, across = bytearray(self._size + 1), bytearray(self._size + 1), array("Q")
        for child in self._children:
            below[child] = 1
        for circles in (0, 1):
            for number in range(1, self._size + 1):
                if below[number] == circles and not met[number]:
                    self._walk_from(number, met, across)
        return array("Q", sorted(across))

    def _walk_from(self, number: int, met: bytearray, across: array[int]) -> None:
        first, children, walk = self._first, self._children, self._walk
        met[number] = 1
        waiting = [number]
        while waiting:
            concept = waiting.pop()
            if concept < 0:
                self._end[-concept] = len(walk)
                continue
            self._begin[concept] = place = len(walk)
            walk.append(concept)
            waiting.append(-concept)
            for child in children[first[concept] : first[concept + 1]]:
                if met[child]:
                    across.append(place << _CHILD | child)
                else:
                    met[child] = 1
                    waiting.append(child)
