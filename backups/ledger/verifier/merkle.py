"""The Merkle tree of RFC 6962 and RFC 9162: hashing, and the checking of proofs.

The checks are those of RFC 9162, 2.1.3.2 and 2.1.4.2: every hash of a proof must be used, and none may be missing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Callable, Iterable, List, Optional, Sequence, Tuple

EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_BYTES = 32


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """What must be remembered of a tree in order to append to it: one hash for each bit that its size has.

    `hashes` stand for complete subtrees, the largest and leftmost first.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if len(hashes) != bin(size).count("1") or any(len(each) != HASH_BYTES for each in hashes):
            raise ValueError("These hashes do not describe a tree of %d entries." % size)
        self.size = size
        self.hashes: List[bytes] = list(hashes)

    def append(self, leaf: bytes, completed: Optional[Callable[[int, int, bytes], None]] = None) -> None:
        """Adds the hash of one leaf. `completed(level, position, hash)` is told of each subtree that it fills."""
        self.hashes.append(leaf)
        merged, level = self.size, 0
        while merged & 1:
            right = self.hashes.pop()
            self.hashes.append(node_hash(self.hashes.pop(), right))
            merged, level = merged >> 1, level + 1
            if completed:
                completed(level, merged, self.hashes[-1])
        self.size += 1

    def root(self) -> bytes:
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def copy(self) -> CompactRange:
        return CompactRange(self.size, self.hashes)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over the hashes of all leaves."""
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_holds(*, index: int, size: int, leaf: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `leaf` (a hash) is entry `index` (from 0) of the tree of `size` entries that has this root."""
    if not 0 <= index < size or any(len(each) != HASH_BYTES for each in proof):
        return False
    node, last, reached = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            reached = node_hash(sibling, reached)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and hmac.compare_digest(reached, root)


def consistency_holds(
    *, old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the newer tree begins with exactly the entries of the older one."""
    if not 0 <= old_size <= new_size or any(len(each) != HASH_BYTES for each in proof):
        return False
    if old_size in (0, new_size):
        same = hmac.compare_digest(old_root, new_root if old_size else EMPTY_ROOT)
        return not proof and same
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not path:
        return False
    old, new, used_up = _both_roots(old_size - 1, new_size - 1, path)
    return used_up and hmac.compare_digest(old, old_root) and hmac.compare_digest(new, new_root)


def _both_roots(node: int, last: int, path: Sequence[bytes]) -> Tuple[bytes, bytes, bool]:
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return old, new, False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return old, new, last == 0
