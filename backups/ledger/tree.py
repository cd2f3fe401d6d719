"""Proofs are made here: of inclusion (RFC 9162, 2.1.3.1) and of consistency (2.1.4.1).

A tree is given as a function `subtree(level, position)`: the hash of the complete subtree of 2**level leaves that
begins at leaf position * 2**level. So a proof needs as many reads as it has hashes, whatever stores them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from backups.ledger.verifier.merkle import node_hash, root_of

Subtree: TypeAlias = Callable[[int, int], bytes]


def inclusion_proof(*, index: int, size: int, subtree: Subtree) -> list[bytes]:
    """From the sibling of the leaf up to the child of the root. Raises ValueError when there is no such leaf."""
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} entries has no entry {index}.")
    return list(_path(index, 0, size, subtree))


def consistency_proof(*, old_size: int, new_size: int, subtree: Subtree) -> list[bytes]:
    """That the newer tree begins with the older one; empty when there is nothing to prove. Raises ValueError."""
    if not 0 <= old_size <= new_size:
        raise ValueError(f"A tree of {old_size} entries is not the beginning of one of {new_size}.")
    if old_size in (0, new_size):
        return []
    return list(_subproof(old_size, 0, new_size, subtree, whole=True))


def range_root(begin: int, end: int, subtree: Subtree) -> bytes:
    """The root over the leaves from `begin` up to `end`, where `begin` is the left edge of a subtree."""
    width = end - begin
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return subtree(level, begin >> level)
    middle = begin + _split(width)
    return node_hash(range_root(begin, middle, subtree), range_root(middle, end, subtree))


def subtrees_of(leaves: Sequence[bytes]) -> Subtree:
    """A tree that is held in memory, for few leaves."""

    def subtree(level: int, position: int) -> bytes:
        return root_of(leaves[position << level : (position + 1) << level])

    return subtree


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << (width - 1).bit_length() - 1


def _path(index: int, begin: int, end: int, subtree: Subtree) -> Iterator[bytes]:
    if end - begin == 1:
        return
    middle = begin + _split(end - begin)
    if index < middle:
        yield from _path(index, begin, middle, subtree)
        yield range_root(middle, end, subtree)
    else:
        yield from _path(index, middle, end, subtree)
        yield range_root(begin, middle, subtree)


def _subproof(old_end: int, begin: int, end: int, subtree: Subtree, *, whole: bool) -> Iterator[bytes]:
    """`whole`: the reader knows the root over begin..end already, because it is the older root itself."""
    if old_end == end:
        if not whole:
            yield range_root(begin, end, subtree)
        return
    middle = begin + _split(end - begin)
    if old_end <= middle:
        yield from _subproof(old_end, begin, middle, subtree, whole=whole)
        yield range_root(middle, end, subtree)
    else:
        yield from _subproof(old_end, middle, end, subtree, whole=False)
        yield range_root(begin, middle, subtree)
