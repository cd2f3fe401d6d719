"""What must be kept so that each node in use can go back as far as it has to. Pure: no disk is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from neon_sandbox.entities import Base, Node


@dataclass(frozen=True)
class Span:
    """A stretch of a node's WAL; `to` is None when it goes on to the node's head."""

    start: int
    to: int | None

    def touches(self, start: int, end: int) -> bool:
        return end > self.start and (self.to is None or start <= self.to)


@dataclass
class Kept:
    """What of a node is needed: the bases that replay begins with, and the WAL that it passes."""

    bases: set[int] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)

    def useful(self, base: Base) -> bool:
        """Whether replay could begin with it as well, which makes it shorter."""
        return any(span.start <= base.start_lsn and span.touches(base.start_lsn, base.stop_lsn) for span in self.spans)

    def covers(self, start: int, end: int) -> bool:
        return any(span.touches(start, end) for span in self.spans)


def chain(nodes: Mapping[str, Node], node_id: str) -> Iterator[tuple[Node, int | None]]:
    """The node and its ancestors, each with the LSN at which the next younger one left it."""
    limit: int | None = None
    current = nodes.get(node_id)
    while current is not None:
        yield current, limit
        limit = current.fork_lsn if limit is None else min(limit, current.fork_lsn)
        current = nodes.get(current.parent_id) if current.parent_id else None


def plan(nodes: Mapping[str, Node], needed: Mapping[str, datetime]) -> dict[str, Kept]:
    """`needed` names the nodes in use, each with the oldest moment to be reached. A node not in the answer can go."""
    kept: dict[str, Kept] = {}
    for node_id, moment in needed.items():
        first = first_base(nodes, node_id, moment)
        for node, limit in chain(nodes, node_id):
            of_node = kept.setdefault(node.id, Kept())
            if first is not None and first[0].id == node.id:
                of_node.bases.add(first[1].number)
                of_node.spans.append(Span(first[1].start_lsn, limit))
                break
            of_node.spans.append(Span(0, limit))
    return kept


def first_base(nodes: Mapping[str, Node], node_id: str, moment: datetime) -> tuple[Node, Base] | None:
    """The base from which everything since the moment is reached, and its node.

    A history that begins later than the moment is reached from its beginning.
    """
    oldest: tuple[Node, Base] | None = None
    for node, limit in chain(nodes, node_id):
        own = [base for base in node.bases if limit is None or base.stop_lsn <= limit]
        old_enough = [base for base in own if base.stop_time <= moment]
        if old_enough:
            return node, max(old_enough, key=lambda base: base.stop_lsn)
        if own:
            oldest = node, min(own, key=lambda base: base.stop_lsn)
    return oldest


def thinned(bases: list[Base], always: set[int], most: int) -> list[Base]:
    """At most that many, spread over the WAL: whichever leaves the smallest gap goes first, never the newest."""
    left = sorted(bases, key=lambda base: base.stop_lsn)
    while len(left) > most:
        inner = [index for index in range(len(left) - 1) if left[index].number not in always]
        if not inner:
            break
        left.pop(min(inner, key=lambda index: left[index + 1].stop_lsn - left[max(index - 1, 0)].stop_lsn))
    return left
