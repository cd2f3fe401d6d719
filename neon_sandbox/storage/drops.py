"""A dropped database in a branch from before the drop.

Dropping a database takes its files away first and is committed afterwards. Replay to a time ends at the first commit
behind that time; when that is the drop's own, the files are gone already and PostgreSQL calls the database invalid.
Such a replay is done again, up to the last commit before the time and no further.
"""

from __future__ import annotations

import re

from neon_sandbox import times
from neon_sandbox.entities import Node
from neon_sandbox.storage.nodes import Nodes, segment_of

# The connection limit by which PostgreSQL marks a database whose drop was begun.
_INVALID = "select from pg_database where datconnlimit = -2"
_COMMIT = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+),.* desc: COMMIT")


def has_half_dropped_database(nodes: Nodes, node_id: str) -> bool:
    with nodes.connection(node_id) as connection:
        return connection.execute(_INVALID).fetchone() is not None


def behind_last_commit(nodes: Nodes, source: Node, since_lsn: int, ended: Node) -> int | None:
    """Right behind the source's last commit before the LSN at which `ended` stopped replaying; None without one."""
    readable = nodes.tools.make_dir(nodes.dir(ended.id) / "searched")
    for directory in (nodes.dir(source.id) / "wal", nodes.data_dir(source.id) / "pg_wal"):
        for path in directory.iterdir():
            segment = segment_of(path.name)
            if segment is not None and segment[0] == source.timeline and not (readable / path.name).exists():
                (readable / path.name).symlink_to(path)
    start, end = times.shown_lsn(max(since_lsn, source.fork_lsn)), times.shown_lsn(ended.fork_lsn)
    options = ["-p", str(readable), "-t", str(source.timeline), "-s", str(start), "-e", str(end), "-r", "Transaction"]
    # It complains when it comes to the end; what it printed until then counts.
    printed = nodes.tools.run(nodes.tools.command("pg_waldump", *options), check=False).stdout
    commits = [times.parse_lsn(found, "pg_waldump") for found in _COMMIT.findall(printed)]
    before = [lsn for lsn in commits if lsn < ended.fork_lsn]
    return before[-1] + 1 if before else None
