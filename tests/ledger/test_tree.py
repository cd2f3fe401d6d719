"""The Merkle tree: against another implementation, against every bit flipped, and under every wrong size."""

from __future__ import annotations

import hashlib
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from backups.ledger.tree import consistency_proof, inclusion_proof, subtrees_of
from backups.ledger.verifier.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_holds,
    inclusion_holds,
    leaf_hash,
    root_of,
)

SMALL = 40
LARGEST = 65_537
ENTRIES = [b"entry %d" % number for number in range(LARGEST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
#: From RFC 9162's rules over the same leaves, computed by recursion as the RFC writes it down.
ROOTS = {size: root_of(LEAVES[:size]) for size in range(301)}


def by_the_letter(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + by_the_letter(leaves[:split]) + by_the_letter(leaves[split:])).digest()


@pytest.fixture(scope="module")
def oracle() -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for entry in ENTRIES:
        tree.append_entry(entry)
    return tree


def test_the_published_tree_heads():
    """The seven trees that the Certificate Transparency project publishes with its Merkle tests (their leaves)."""
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in entries]
    assert [root_of(leaves[: size + 1]).hex() for size in range(8)] == roots
    assert root_of([]) == EMPTY_ROOT


def test_roots_agree_with_the_letter_and_with_another_implementation(oracle):
    for size, root in ROOTS.items():
        assert root == by_the_letter(LEAVES[:size])
        assert not size or root == oracle.get_root(size)


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537])
def test_large_roots_agree_with_another_implementation(oracle, size):
    assert root_of(LEAVES[:size]) == oracle.get_root(size)


def test_every_entry_of_every_small_tree_is_proven():
    for size in range(1, SMALL):
        subtree = subtrees_of(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(index=index, size=size, subtree=subtree)
            assert inclusion_holds(index=index, size=size, leaf=LEAVES[index], root=ROOTS[size], proof=proof)


@pytest.mark.parametrize("size", [70, 255, 256, 257, 300])
def test_proofs_agree_with_another_implementation(oracle, size):
    subtree = subtrees_of(LEAVES[:size])
    for index in random.Random(size).sample(range(size), 12):
        path = oracle.prove_inclusion(index + 1, size).path  # its first hash is the leaf itself
        assert path[0] == LEAVES[index]
        assert inclusion_proof(index=index, size=size, subtree=subtree) == path[1:]


def test_every_small_tree_extends_every_smaller_one():
    for old, new in itertools.combinations_with_replacement(range(SMALL), 2):
        proof = consistency_proof(old_size=old, new_size=new, subtree=subtrees_of(LEAVES[:new]))
        assert consistent(old, new, proof)


def test_a_tree_that_changed_its_past_is_not_an_extension():
    changed = [*LEAVES[:5], leaf_hash(b"other"), *LEAVES[6:20]]
    for old, new in itertools.combinations(range(6, 20), 2):
        proof = consistency_proof(old_size=old, new_size=new, subtree=subtrees_of(changed[:new]))
        assert not consistency_holds(
            old_size=old, new_size=new, old_root=ROOTS[old], new_root=root_of(changed[:new]), proof=proof
        )


def consistent(old: int, new: int, proof: list[bytes], **changed: bytes) -> bool:
    roots = {"old_root": ROOTS[old], "new_root": ROOTS[new]} | changed
    return consistency_holds(old_size=old, new_size=new, proof=proof, **roots)


def flips(data: bytes):
    for bit in range(len(data) * 8):
        yield data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


@pytest.mark.parametrize(("index", "size"), [(0, 5), (4, 5), (3, 8), (6, 7), (10, 13)])
def test_every_flipped_bit_of_an_inclusion_proof_is_noticed(index, size):
    proof = inclusion_proof(index=index, size=size, subtree=subtrees_of(LEAVES[:size]))

    def holds(leaf=LEAVES[index], root=ROOTS[size], proof=proof, index=index, size=size):
        return inclusion_holds(index=index, size=size, leaf=leaf, root=root, proof=proof)

    assert holds()
    assert not any(holds(leaf=flipped) for flipped in flips(LEAVES[index]))
    assert not any(holds(root=flipped) for flipped in flips(ROOTS[size]))
    for at, each in enumerate(proof):
        assert not any(holds(proof=[*proof[:at], flipped, *proof[at + 1 :]]) for flipped in flips(each))
    assert not any(holds(index=other) for other in range(-1, size + 3) if other != index)
    # A tree of another size may have the same path to this leaf, but never the same root.
    assert not any(holds(size=other, root=ROOTS[other]) for other in range(size + 9) if other != size)


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (4, 8), (6, 8), (7, 8), (5, 13)])
def test_every_flipped_bit_of_a_consistency_proof_is_noticed(old, new):
    proof = consistency_proof(old_size=old, new_size=new, subtree=subtrees_of(LEAVES[:new]))
    assert consistent(old, new, proof)
    assert not any(consistent(old, new, proof, old_root=flipped) for flipped in flips(ROOTS[old]))
    assert not any(consistent(old, new, proof, new_root=flipped) for flipped in flips(ROOTS[new]))
    for at, each in enumerate(proof):
        assert not any(consistent(old, new, [*proof[:at], flipped, *proof[at + 1 :]]) for flipped in flips(each))


def test_proofs_that_are_too_long_or_too_short_are_refused():
    for size in range(1, SMALL):
        subtree = subtrees_of(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(index=index, size=size, subtree=subtree)
            for wrong in ([*proof, ROOTS[size]], [ROOTS[size], *proof], *([proof[:-1], proof[1:]] if proof else [])):
                assert not inclusion_holds(index=index, size=size, leaf=LEAVES[index], root=ROOTS[size], proof=wrong)
    for old, new in itertools.combinations_with_replacement(range(14), 2):
        proof = consistency_proof(old_size=old, new_size=new, subtree=subtrees_of(LEAVES[:new]))
        for wrong in ([*proof, ROOTS[new]], [ROOTS[new], *proof], *([proof[:-1], proof[1:]] if proof else [])):
            assert not consistent(old, new, wrong)


def test_a_larger_tree_is_never_the_beginning_of_a_smaller_one():
    assert not consistent(5, 3, [])
    assert not consistency_holds(old_size=-1, new_size=3, old_root=ROOTS[1], new_root=ROOTS[3], proof=[])
    with pytest.raises(ValueError, match="not the beginning"):
        consistency_proof(old_size=5, new_size=3, subtree=subtrees_of(LEAVES[:5]))
    with pytest.raises(ValueError, match="no entry 3"):
        inclusion_proof(index=3, size=3, subtree=subtrees_of(LEAVES[:3]))


def test_the_empty_tree_is_the_beginning_of_every_other_and_of_nothing_else_without_its_root():
    assert consistent(0, 9, [])
    assert not consistent(0, 9, [], old_root=ROOTS[1])
    assert not consistent(0, 9, [ROOTS[9]])
    assert not consistent(9, 9, [], old_root=ROOTS[8])


@given(st.lists(st.binary(max_size=3), max_size=90), st.data())
def test_appending_later_gives_the_same_root(entries, data):
    leaves = [leaf_hash(entry) for entry in entries]
    stop = data.draw(st.integers(0, len(leaves)))
    first = CompactRange()
    for leaf in leaves[:stop]:
        first.append(leaf)
    again = CompactRange(first.size, first.hashes)
    for leaf in leaves[stop:]:
        again.append(leaf)
    assert again.root() == by_the_letter(leaves)
    assert first.root() == by_the_letter(leaves[:stop])


@given(st.integers(1, 200), st.data())
def test_any_proof_of_any_tree_holds_and_no_other_leaf_takes_its_place(size, data):
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index=index, size=size, subtree=subtrees_of(LEAVES[:size]))
    holds = inclusion_holds(index=index, size=size, leaf=LEAVES[other], root=ROOTS[size], proof=proof)
    assert holds == (other == index)


@given(st.integers(1, 40))
def test_each_subtree_is_reported_as_soon_as_it_is_full(size):
    told = {}
    tree = CompactRange()
    for leaf in LEAVES[:size]:
        tree.append(leaf, lambda level, position, node: told.update({(level, position): node}))
    full = {(level, at) for level in range(1, 7) for at in range(size >> level)}
    assert set(told) == full
    assert all(told[level, at] == root_of(LEAVES[at << level : (at + 1) << level]) for level, at in full)


@pytest.mark.parametrize(("size", "hashes"), [(3, [b"a" * 32]), (1, [b"short"]), (0, [b"a" * 32])])
def test_a_range_of_the_wrong_shape_is_refused(size, hashes):
    with pytest.raises(ValueError, match="do not describe"):
        CompactRange(size, hashes)
