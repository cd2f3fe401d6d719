"""Plays one random history in a world and in the model, and compares the two as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

from tests.sandbox.histories.model import Chosen, Compute, Model, ModelBranch, ModelSnapshot, Version
from tests.sandbox.histories.worlds import World, now_of

WINDOW = timedelta(days=1)
#: Points nearer to the edge of the window are not asked for: it moves on while the call is on its way.
EDGE = timedelta(minutes=2)
PATIENCE_SECONDS = 60
MOST_BRANCHES = 8


class Difference(AssertionError):
    """The sandbox does not hold what the model says."""


class Player:
    def __init__(self, world: World, seed: int, *, kill_share: float) -> None:
        self.world = world
        self.seed = seed
        self.random = Random(seed)
        self.model = Model(WINDOW)
        self.told: list[str] = []
        self._kill_share = kill_share
        self._next_row = 1
        self._next_name = 1
        self._path = ""

    def play(self, steps: int) -> None:
        """Raises Difference, with all that was done until then."""
        try:
            self._begin()
            for _ in range(steps):
                self._step()
            self._compare_all()
            status, answer = self.world.call("DELETE", self._path)
            assert status == 200, answer
        except Exception as error:
            raise Difference(f"seed {self.seed}: {error!r}\n" + "\n".join(self.told)) from error

    def _begin(self) -> None:
        _, made = self.world.call("POST", "/_sandbox/projects", {"name": f"history {self.seed}"})
        self._path = f"/projects/{made['project']['id']}"
        (main,) = self._get("/branches")["branches"]
        compute = self._compute_of(main["id"])
        assert compute
        self.world.prepare(compute.dsn)
        now = now_of(self.world)
        self.model.branches[main["id"]] = ModelBranch(
            main["id"],
            "main",
            [Version(now, frozenset(), begun=now)],
            history_from=now,
            compute=compute,
            default=True,
            original_root=True,
        )

    def _step(self) -> None:
        possible: list[tuple[Callable[..., None], int, list[Any]]] = [
            (self._write, 6, self._branches(lambda b: b.compute is not None and b.compute.active)),
            (self._branch, 4, self._branches() if self._room() else []),
            (self._restore_itself, 3, self._branches(self._may_be_restored) if self._room() else []),
            (self._restore_from_other, 3, self._branches(self._may_be_restored) if self._room() else []),
            (self._reset, 2, self._branches(self.model.may_be_reset) if self._room() else []),
            (self._take_snapshot, 2, self._branches(lambda b: b.is_root)),
            (self._restore_snapshot, 3, list(self.model.snapshots.values()) if self._room() else []),
            (self._finalize, 3, self._branches(lambda b: self._waits(b))),
            (self._delete_snapshot, 1, list(self.model.snapshots.values())),
            (self._delete, 3, self._branches(self.model.may_be_deleted)),
            (self._suspend, 1, self._branches(lambda b: b.compute is not None and b.compute.active)),
            (self._start, 2, self._branches(lambda b: b.compute is not None and not b.compute.active)),
            (self._add_compute, 2, self._branches(lambda b: b.compute is None)),
            (self._move_clock, 1, [None]),
            (self._ask_in_vain, 1, self._branches(lambda b: b.is_root)),
        ]
        weights = [weight if candidates else 0 for _, weight, candidates in possible]
        act, _, candidates = self.random.choices(possible, weights)[0]
        act(self.random.choice(candidates))

    # Rows

    def _write(self, branch: ModelBranch) -> None:
        compute = self._active(branch)
        for _ in range(self.random.randint(1, 3)):
            begun, before = now_of(self.world), branch.rows
            if before and self.random.random() < 0.3:
                row = self.random.choice(sorted(before))
                self.world.remove(compute.dsn, row, before)
                after = before - {row}
            else:
                row, self._next_row = self._next_row, self._next_row + 1
                self.world.add(compute.dsn, row, before)
                after = before | {row}
            since = now_of(self.world)
            lsn = self.world.head_lsn(compute.dsn)
            branch.versions.append(Version(since, after, begun, lsn))
        self._tell("write", branch, sorted(branch.rows))

    # Branches

    def _branch(self, source: ModelBranch) -> None:
        point = self._point(source, may_be_head=True)
        name, with_compute = self._new_name("branch"), self.random.random() < 0.8
        self._tell("branch", source, name, point)
        body = {
            "branch": {"name": name, "parent_id": source.id, **point.named("parent_")},
            "endpoints": [{"type": "read_write"}] if with_compute else [],
        }
        made = self._change("POST", "/branches", body)["branch"]["id"]
        now = now_of(self.world)
        rows = source.versions[point.index].rows
        self.model.branches[made] = ModelBranch(
            made, name, [Version(now, rows, begun=now)], history_from=now, parent_id=source.id
        )
        self._look_at(self.model.branches[made])

    def _restore_itself(self, branch: ModelBranch) -> None:
        point = self._point(branch, may_be_head=False)
        if point.timestamp is not None or point.lsn is not None:
            self._restore(branch, branch, point, self._new_name("old"))

    def _restore_from_other(self, branch: ModelBranch) -> None:
        sources = self._branches(lambda b: b.id != branch.id and b.is_root)
        if not sources:
            return
        source = self.random.choice(sources)
        head_only = source.restored_from is not None
        point = Chosen(len(source.versions) - 1) if head_only else self._point(source, may_be_head=True)
        preserve = bool(self.model.children(branch.id)) or self.random.random() < 0.7
        self._restore(branch, source, point, self._new_name("replaced") if preserve else None)

    def _reset(self, branch: ModelBranch) -> None:
        parent = self.model.branches[branch.parent_id or ""]
        preserve = bool(self.model.children(branch.id)) or self.random.random() < 0.3
        self._restore(
            branch, parent, Chosen(len(parent.versions) - 1), self._new_name("before-reset") if preserve else None
        )

    def _restore(self, branch: ModelBranch, source: ModelBranch, point: Chosen, preserve: str | None) -> None:
        self._tell("restore", branch, "from", source, point, preserve)
        body: dict[str, Any] = {"source_branch_id": source.id, **point.named("source_")}
        if preserve is not None:
            body["preserve_under_name"] = preserve
        versions = source.up_to(point.index)
        self._change("POST", f"/branches/{branch.id}/restore", body)
        now = now_of(self.world)
        if preserve is not None:
            preserved_id = next(b["id"] for b in self._get("/branches")["branches"] if b["name"] == preserve)
            kept = branch.is_root and source.id != branch.id
            self.model.preserve(branch, preserved_id, preserve, kept_for_history=kept)
        if branch.is_root:
            branch.versions, branch.history_from = versions, min(source.history_from, branch.history_from)
        else:
            branch.versions, branch.history_from = [Version(now, source.rows, begun=now)], now
        self._look_at(branch)

    def _delete(self, branch: ModelBranch) -> None:
        self._tell("delete", branch)
        self._change("DELETE", f"/branches/{branch.id}")
        del self.model.branches[branch.id]

    # Snapshots

    def _take_snapshot(self, branch: ModelBranch) -> None:
        point = self._point(branch, may_be_head=True)
        self._tell("snapshot", branch, point)
        made = self._change("POST", f"/branches/{branch.id}/snapshot", None, point.named(""))["snapshot"]["id"]
        self.model.snapshots[made] = ModelSnapshot(made, branch.versions[point.index].rows, branch.id)

    def _restore_snapshot(self, snapshot: ModelSnapshot) -> None:
        target = self.random.choice(self._branches())
        at_once = self.random.random() < 0.4
        name = self._new_name("from-snapshot")
        self._tell("restore snapshot", snapshot.id, "to", target, "at once" if at_once else "as a preview", name)
        body = {"name": name, "target_branch_id": target.id, "finalize_restore": at_once}
        made = self._change("POST", f"/snapshots/{snapshot.id}/restore", body)["branch"]["id"]
        now = now_of(self.world)
        branch = ModelBranch(made, name, [Version(now, snapshot.rows, begun=now)], history_from=now)
        branch.restored_from, branch.replaces = snapshot.id, target.id
        old_name = self.model.name_when_replaced(target)
        self.model.branches[made] = branch
        if at_once:
            self._replace(branch, target, old_name)
        self._look_at(branch)

    def _finalize(self, branch: ModelBranch) -> None:
        target = self.model.branches[branch.replaces or ""]
        old_name = self._new_name("replaced") if self.random.random() < 0.5 else None
        self._tell("finalize", branch, "replacing", target, old_name)
        self._change("POST", f"/branches/{branch.id}/finalize_restore", {"name": old_name} if old_name else None)
        self._replace(branch, target, old_name or self.model.name_when_replaced(target))
        self._look_at(branch)

    def _replace(self, branch: ModelBranch, target: ModelBranch, old_name: str) -> None:
        branch.name, target.name, branch.finalized = target.name, old_name, True
        branch.default, target.default = target.default, False
        branch.original_root, target.original_root = target.original_root, False
        if target.compute is not None:
            branch.compute, target.compute = target.compute, None

    def _delete_snapshot(self, snapshot: ModelSnapshot) -> None:
        self._tell("delete snapshot", snapshot.id)
        self._change("DELETE", f"/snapshots/{snapshot.id}")
        del self.model.snapshots[snapshot.id]

    # Computes, time, refusals

    def _suspend(self, branch: ModelBranch) -> None:
        compute = self._active(branch)
        self._tell("suspend", branch)
        self._change("POST", f"/endpoints/{compute.id}/suspend")
        compute.active = False

    def _start(self, branch: ModelBranch) -> None:
        assert branch.compute
        self._tell("start", branch)
        self._change("POST", f"/endpoints/{branch.compute.id}/start")
        branch.compute.active = True
        self._look_at(branch)

    def _add_compute(self, branch: ModelBranch) -> None:
        self._tell("add compute", branch)
        self._change("POST", "/endpoints", {"endpoint": {"branch_id": branch.id, "type": "read_write"}})
        self._look_at(branch)

    def _move_clock(self, _: None) -> None:
        seconds = self.random.choice([60.0, 3600.0, 36_000.0])
        self._tell("move the clock", seconds)
        status, _body = self.world.call("POST", "/_sandbox/clock", {"seconds": seconds})
        assert status == 200

    def _ask_in_vain(self, branch: ModelBranch) -> None:
        now = now_of(self.world)
        moment = self.random.choice([now - WINDOW - EDGE, branch.history_from - timedelta(days=1), now + EDGE])
        body = {"branch": {"parent_id": branch.id, "parent_timestamp": moment.isoformat()}}
        self._tell("ask in vain", branch, moment)
        status, answer = self.world.call("POST", f"{self._path}/branches", body)
        assert status == 400, answer
        self._look_at(branch)

    # Comparing

    def _look_at(self, branch: ModelBranch) -> None:
        known = branch.compute
        branch.compute = self._compute_of(branch.id)
        assert known is None or (branch.compute and known.id == branch.compute.id), "it has another compute"
        assert known is None or known.active == (branch.compute and branch.compute.active), "its compute's state"
        if branch.compute is not None and branch.compute.active:
            found = self.world.rows(branch.compute.dsn)
            assert found == branch.rows, f"{branch.name} holds {sorted(found)} instead of {sorted(branch.rows)}"

    def _compare_all(self) -> None:
        told = {(b["id"], b["name"], b.get("parent_id")) for b in self._get("/branches")["branches"]}
        expected = {(b.id, b.name, b.parent_id) for b in self.model.branches.values()}
        assert told == expected, f"branches {told ^ expected}"
        assert {s["id"] for s in self._get("/snapshots")["snapshots"]} == set(self.model.snapshots)
        for branch in self.model.branches.values():
            if branch.compute is None:
                self._add_compute(branch)
            elif not branch.compute.active:
                self._start(branch)
            self._look_at(branch)

    def _compute_of(self, branch_id: str) -> Compute | None:
        found = self._get(f"/branches/{branch_id}/endpoints")["endpoints"]
        if not found:
            return None
        _, body = self.world.call("GET", f"/_sandbox/branches/{branch_id}/dsn")
        return Compute(found[0]["id"], body["dsn"], found[0]["current_state"] == "active")

    # Calls

    def _change(self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None) -> Any:
        """A call that must be accepted and come to its end, now and then through a kill in the middle."""
        kill = self.world.doom(self.random) if self.random.random() < self._kill_share else None
        deadline = time.monotonic() + PATIENCE_SECONDS
        status, answer = self._asked(method, path, body, query, deadline)
        if kill is not None:
            self.told.append("    a kill meanwhile")
            kill()
            if status == 500:  # Neon's own work in the background met the kill first, so nothing was accepted
                status, answer = self._asked(method, path, body, query, deadline)
        assert status in (200, 201, 202), f"{method} {path}: {status} {answer}"
        for operation in answer["operations"]:
            self._finished(operation["id"], deadline)
        return answer

    def _asked(
        self, method: str, path: str, body: object, query: Mapping[str, str] | None, deadline: float
    ) -> tuple[int, Any]:
        """The first answer that is not 423: Neon does work of its own in the background."""
        while True:
            status, answer = self.world.call(method, self._path + path, body, query)
            if status != 423 or time.monotonic() > deadline:
                return status, answer
            time.sleep(0.002)

    def _finished(self, operation_id: str, deadline: float) -> None:
        while (operation := self._get(f"/operations/{operation_id}")["operation"])["status"] != "finished":
            assert operation["status"] in ("scheduling", "running"), operation
            assert time.monotonic() < deadline, operation
            time.sleep(0.001)

    def _get(self, path: str) -> Any:
        status, answer = self.world.call("GET", self._path + path)
        assert status == 200, answer
        return answer

    # Choosing

    def _point(self, branch: ModelBranch, *, may_be_head: bool) -> Chosen:
        """At its head, at a moment or at an LSN; the head as well when there is nothing else."""
        now = now_of(self.world)
        kind = self.random.choice(["head", "moment", "moment", "position"] if may_be_head else ["moment", "position"])
        found = None
        if kind == "position":
            found = self.model.position(self.random, branch, now, EDGE)
        if kind == "moment" or (found is None and not may_be_head):
            found = self.model.moment(self.random, branch, now, EDGE)
        return found or Chosen(len(branch.versions) - 1)

    def _branches(self, where: Callable[[ModelBranch], bool] = lambda _: True) -> list[ModelBranch]:
        return [branch for branch in self.model.branches.values() if where(branch)]

    def _room(self) -> bool:
        return len(self.model.branches) < MOST_BRANCHES

    def _may_be_restored(self, branch: ModelBranch) -> bool:
        return branch.is_root and branch.restored_from is None

    def _waits(self, branch: ModelBranch) -> bool:
        return branch.restored_from is not None and not branch.finalized and branch.replaces in self.model.branches

    def _active(self, branch: ModelBranch) -> Compute:
        assert branch.compute
        assert branch.compute.active
        return branch.compute

    def _new_name(self, kind: str) -> str:
        self._next_name += 1
        return f"{kind}-{self._next_name}"

    def _tell(self, *what: object) -> None:
        shown = [each.name if isinstance(each, ModelBranch) else str(each) for each in what]
        self.told.append("  " + " ".join(shown))
