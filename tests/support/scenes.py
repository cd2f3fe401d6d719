"""A request in every state that a page has to show, made through the services wherever one exists."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from backups.domain.execution import BranchFate, BranchPurpose, ExecutionState, IntentKind, IntentOutcome, Purpose, Step
from backups.domain.people import worker_actor
from backups.domain.policy import Environment
from backups.domain.restore import (
    PointKind,
    RestoreKind,
    RestorePoint,
    Scenario,
    SnapshotMode,
    Urgency,
    Verb,
    WritersStopped,
    rfc3339,
)
from backups.models import (
    CheckResult,
    Execution,
    ExecutionStep,
    Intent,
    Look,
    LookState,
    OwnedBranch,
    ProtectedBranch,
    Resolution,
    RestoreRequest,
    Vote,
)
from backups.selectors.clock import database_now
from backups.services.restore import outcome
from backups.services.restore.attention import propose_resolution
from backups.services.restore.draft import draft_request, draft_undo, submit_request
from backups.services.restore.running import mark_running
from backups.services.restore.start import start_request
from backups.services.restore.transition import change_state, lock_request
from backups.services.restore.votes import cast_vote, comment_on_request, withdraw_request
from tests.factories import People, approve, branch, project, publish, submitted, wish

SNAPSHOT_MODE = SnapshotMode.PREVIEW_FIRST.value
MINUTE = dt.timedelta(minutes=1)

_TABLES = (
    # table, at the point, now, lost, back, changed, meaning, patient safety, why unknown
    ("public.medication_logs", 310_455, 310_492, 37, 0, 0, "doses given", True, None),
    ("public.medications", 41_022, 22_818, 6, 18_210, 3, "prescribed medication", True, None),
    ("public.appointments", 12_044, 12_056, 12, 0, 5, "appointments", False, None),
    ("public.notifications", 90_000, 91_322, 1_322, 0, 0, "", False, None),
    ("public.documents", 5_120, None, None, None, None, "documents", False, "the count took longer than 20 s"),
    ("public.families", 1_800, 1_800, 0, 0, 0, "", False, None),
    ("public.users", 5_400, 5_400, 0, 0, 0, "", False, None),
    ("public.care_recipients", 2_210, 2_210, 0, 0, 0, "", False, None),
    ("public.devices", 640, 640, 0, 0, 0, "", False, None),
)


def observed(**changes: Any) -> dict[str, Any]:
    """What a worker saw: some losses, some returns, and one table that it could not count."""
    keys = ("table", "at_point", "now", "lost_at_least", "back_at_least", "changed_at_least", "meaning",
            "patient_safety", "unknown")  # fmt: skip
    tables = [dict(zip(keys, row, strict=True)) | {"database": "carecircle", "counted_by": "key"} for row in _TABLES]
    checks = [
        {"code": "connect", "title": "The copy can be connected to", "outcome": "passed", "sentence": "in 0.2 s"},
        {"code": "tables", "title": "Required tables are there", "outcome": "passed", "sentence": "9 of 9"},
        {"code": "sequences", "title": "Sequences are ahead of their tables", "outcome": "passed", "sentence": ""},
        {"code": "constraints", "title": "Constraints hold", "outcome": "passed", "sentence": "23 foreign keys"},
    ]
    facts = {
        "as_of": database_now().isoformat(),
        "tables": tables,
        "schema": {
            "tables_only_now": ["carecircle/public.dose_windows"],
            "columns_only_now": ["carecircle/public.medications.archived_at"],
            "tables_only_then": [],
            "columns_only_then": [],
        },
        "migration_head": {"then": "care.0041_reminders", "now": "care.0042_dose_windows"},
        "sessions": {"count": 38, "by_application": {"api": 30, "jobs": 8}},
        "sizes": {"branch_bytes": 64_300_000},
        "history_left_seconds": 590_000,
        "root_branches": {"used": 3, "cap": 25},
        "head_lsn": "0/1E19478",
        "rehearsal": {"outcome": "passed", "checks": checks, "ready_seconds": 6.1, "checked_seconds": 1.4},
        "unknown": [{"what": "rows of public.documents", "why": "the count took longer than 20 s"}],
    }
    return facts | changes


class Scenes:
    """Requests by the state they stand in. Each is made on a branch of its own, so that none blocks another."""

    def __init__(self, people: People, *, is_sandbox: bool = False) -> None:
        self.people = people
        for name in ("alice", "bob", "carol", "dana", "erin"):
            getattr(people, name)
        self.project = project(is_sandbox=is_sandbox, plan="scale", region="aws-eu-central-1", pg_version=17,
                               connected_at=database_now())  # fmt: skip
        self._number = 0

    def draft(self) -> RestoreRequest:
        return draft_request(actor=self.people.alice.actor, wish=self._wish())

    def preparing(self) -> RestoreRequest:
        request = self._submitted()
        run = request.executions.get(purpose=Purpose.PREPARE)
        _passed(run, (Step.FACTS, 0.4, "2 databases, 1 child branch"), (Step.COPY, 3.1, "Copy asked for and ready"))
        Execution.objects.filter(pk=run.pk).update(step=Step.INSPECT)
        return request

    def pending(self, **seen: Any) -> RestoreRequest:
        request = self._submitted()
        self._publish(request, **seen)
        comment_on_request(actor=self.people.carol.actor, request_id=request.pk, text="Is the queue paused?",
                           question=True)  # fmt: skip
        comment_on_request(actor=self.people.alice.actor, request_id=request.pk, text="Yes, workers scaled to 0.")
        return request

    def half_approved(self) -> RestoreRequest:
        return approve(self.pending(), self.people.carol)

    def approved(self) -> RestoreRequest:
        return approve(self.pending(), self.people.bob, self.people.carol)

    def copy_pending(self) -> RestoreRequest:
        request = self._submitted(kind=RestoreKind.NEW_BRANCH)
        self._publish(request)
        return request

    def snapshot_pending(self) -> RestoreRequest:
        taken = (database_now() - 20 * 60 * MINUTE).replace(microsecond=0)
        point = RestorePoint(PointKind.SNAPSHOT, at=taken, snapshot_id="snap-calm-sea-1", snapshot_name="nightly")
        request = self._submitted(
            kind=RestoreKind.SNAPSHOT, point=point, point_entered_as="", snapshot_mode=SnapshotMode.PREVIEW_FIRST
        )
        self._publish(request, snapshot_name="nightly", snapshot_at=rfc3339(taken), snapshot_mode=SNAPSHOT_MODE)
        return request

    def snapshot_completed(self) -> RestoreRequest:
        request = approve(self.snapshot_pending(), self.people.bob, self.people.carol)
        minutes = int((database_now() - (request.point_at or database_now())).total_seconds() // 60)
        start_request(
            actor=self.people.alice.actor, request_id=request.pk, writers_stopped=WritersStopped.YES, minutes=minutes
        )
        run = self._claimed(request)
        _passed(run, (Step.PREFLIGHT, 0.1, ""), (Step.COPY, 0.1, ""), (Step.REHEARSE, 2.0, ""), (Step.SUBMIT, 0.3, ""))
        return self.finish(_fresh(request))

    def staging_ready(self) -> ProtectedBranch:
        return self._branch(label=Environment.STAGING.value, is_default=False, name="staging")

    def started(self) -> RestoreRequest:
        request = self.approved()
        minutes = int((database_now() - (request.point_at or database_now())).total_seconds() // 60)
        return start_request(
            actor=self.people.alice.actor, request_id=request.pk, writers_stopped=WritersStopped.YES, minutes=minutes
        )

    def waiting(self) -> RestoreRequest:
        request = self.started()
        now = database_now()
        Execution.objects.filter(request=request, purpose=Purpose.RESTORE).update(
            waiting_for="Neon is busy with another operation of this project", waiting_since=now - MINUTE,
            next_attempt_at=now + dt.timedelta(seconds=8),
        )  # fmt: skip
        return request

    def running(self) -> RestoreRequest:
        request = self.started()
        run = self._claimed(request)
        _passed(run, (Step.PREFLIGHT, 0.1, "Votes and facts hold"), (Step.SUBMIT, 0.3, "Neon accepted the order"))
        Execution.objects.filter(pk=run.pk).update(step=Step.WAIT)
        return _fresh(request)

    def completed(self) -> RestoreRequest:
        return self.finish(self.running())

    def undo_pending(self) -> RestoreRequest:
        restore, actor = self.completed(), self.people.alice.actor
        draft = draft_undo(actor=actor, request_id=restore.pk, reason="The deletion was wanted after all.")
        request = submit_request(actor=actor, request_id=draft.pk)
        self._publish(request, migration_head={"then": "care.0042", "now": "care.0042"})
        return request

    def approve_by_carol(self, request: RestoreRequest) -> RestoreRequest:
        return approve(request, self.people.carol)

    def finish(self, request: RestoreRequest) -> RestoreRequest:
        """The worker's end of a run."""
        run = request.executions.get(purpose=Purpose.RESTORE)
        self._kept(request)
        self._checks(run, failed=False)
        _passed(run, (Step.WAIT, 5.2, ""), (Step.CONNECT, 0.4, ""), (Step.VERIFY, 2.2, "11 of 11 checks passed"))
        Execution.objects.filter(pk=run.pk).update(state=ExecutionState.FINISHED, finished_at=database_now())
        with transaction.atomic():
            outcome.complete(request_id=request.pk, sentence="11 of 11 checks passed.")
        return _fresh(request)

    def unverified(self) -> RestoreRequest:
        request = self.running()
        run = request.executions.get(purpose=Purpose.RESTORE)
        Intent.objects.filter(execution=run).update(outcome=IntentOutcome.APPLIED)
        self._kept(request)
        self._checks(run, failed=True)
        self._halt(run, Step.VERIFY, "verification_failed", "1 of 4 checks failed. medications: 41,022 expected, "
                                                            "41,020 found.")  # fmt: skip
        return _fresh(request)

    def unknown_effect(self) -> RestoreRequest:
        request = self.running()
        run = request.executions.get(purpose=Purpose.RESTORE)
        Intent.objects.filter(execution=run).update(outcome=IntentOutcome.UNKNOWN)
        self._halt(run, Step.SUBMIT, "effect_unknown", "The connection broke after the order was sent. Neon was "
                                                       "asked 6 times since and does not answer.")  # fmt: skip
        return _fresh(request)

    def proposed(self) -> RestoreRequest:
        request = self.unverified()
        propose_resolution(
            actor=self.people.alice.actor, request_id=request.pk, kind=Resolution.Kind.ACCEPT,
            reason="The two rows are test data that a script removed after the restore.",
        )  # fmt: skip
        return request

    def rejected(self) -> RestoreRequest:
        request = self.pending()
        assert request.packet is not None
        cast_vote(actor=self.people.bob.actor, request_id=request.pk, digest=request.packet.digest,
                  choice=Vote.Choice.REJECT, reason="A copy beside it is enough")  # fmt: skip
        return _fresh(request)

    def withdrawn(self) -> RestoreRequest:
        return withdraw_request(actor=self.people.alice.actor, request_id=self.pending().pk, reason="Found a backup")

    def expired(self) -> RestoreRequest:
        request = approve(self.pending(), self.people.carol)
        with transaction.atomic():
            sentence = "The time for votes ran out. Nothing was changed."
            change_state(
                lock_request(request.pk), verb=Verb.EXPIRE, actor=worker_actor(), now=database_now(), sentence=sentence,
                fields={"closed_at": database_now(), "outcome_code": "expired", "outcome_sentence": sentence},
            )  # fmt: skip
        return _fresh(request)

    def failed(self) -> RestoreRequest:
        request = self.running()
        with transaction.atomic():
            outcome.fail_without_effect(request_id=request.pk, code="refused",
                                        sentence="Neon refused: too many root branches.")  # fmt: skip
        return _fresh(request)

    def look(self, state: LookState = LookState.READY) -> Look:
        now = database_now()
        rows: dict[str, Any] = {row[0]: row[1] for row in _TABLES}
        rows["public.documents"] = {"unknown": "the count took longer than 3 s", "retry": True}
        facts = {
            "as_of": now.isoformat(),
            "ready_seconds": 4.2,
            "databases": [
                {
                    "database": "carecircle", "rows": rows, "newest_row_at": (now - 51 * MINUTE).isoformat(),
                    "newest_row_table": "public.medication_logs", "migration_head": "care.0041_reminders",
                },
            ],
        }  # fmt: skip
        ready = state == LookState.READY
        return Look.objects.create(
            branch=self._branch(), point_kind=PointKind.TIMESTAMP, point_at=now - 50 * MINUTE, state=state,
            person=self.people.alice.user, person_name="alice", facts=facts if ready else {},
            ready_at=now if ready else None, expires_at=now + 60 * MINUTE,
            problem="Neon refused: too many branches. Nothing was changed." if state == LookState.FAILED else "",
        )  # fmt: skip

    def _branch(self, **fields: Any) -> ProtectedBranch:
        self._number += 1
        name = {"name": "main" if self._number == 1 else f"main-{self._number}"}
        return branch(self.project, **(name | {"neon_branch_id": f"br-calm-sea-{self._number:08d}"} | fields))

    def _wish(self, **fields: Any) -> Any:
        now = database_now()
        typed = {
            "point": RestorePoint(PointKind.TIMESTAMP, at=(now - 50 * MINUTE).replace(microsecond=0)),
            "point_entered_as": f"{now - 50 * MINUTE:%Y-%m-%d %H:%M:%S} UTC",
            "scenario": Scenario.ACCIDENTAL_DELETION,
            "urgency": Urgency.URGENT,
            "noticed_at": now - 24 * MINUTE,
            "began_at": now - 49 * MINUTE,
            "thread_url": "https://chat.example/t/881",
            "writers_stopped": WritersStopped.YES,
            "reason": "Migration 0042 deleted active medications. The app is in maintenance mode since 03:09.",
        }
        return wish(self._branch(), **(typed | fields))

    def _submitted(self, **fields: Any) -> RestoreRequest:
        made = self._wish(**fields)
        values = {name: getattr(made, name) for name in made.__slots__ if name != "branch_id"}
        return submitted(self.people.alice, ProtectedBranch.objects.get(pk=made.branch_id), **values)

    def _publish(self, request: RestoreRequest, **seen: Any) -> None:
        bound = {name: seen.pop(name) for name in ("snapshot_name", "snapshot_at", "snapshot_mode") if name in seen}
        publish(request, observed=observed(**seen), databases=("analytics", "carecircle"),
                children=("pr-311 (br-1)", "staging-copy (br-2)"), **bound)  # fmt: skip

    def _claimed(self, request: RestoreRequest) -> Execution:
        run = Execution.objects.get(request=request, purpose=Purpose.RESTORE)
        now = database_now()
        kind = IntentKind.FINALIZE_RESTORE if request.snapshot_id else IntentKind.RESTORE_BRANCH
        with transaction.atomic():
            mark_running(request_id=request.pk, execution=run, actor=worker_actor())
            Intent.objects.create(
                execution=run, kind=kind, number=1, name=request.preserve_name, fence=1,
                target_branch_id=request.branch.neon_branch_id, http_request_id=_uuid(run.pk), created_at=now,
                call_deadline_at=now + MINUTE, outcome=IntentOutcome.APPLIED,
            )  # fmt: skip
        outcome.note_submitted(request_id=request.pk, at=now)
        outcome.note_connectable(request_id=request.pk, at=now + dt.timedelta(seconds=5))
        return run

    def _kept(self, request: RestoreRequest) -> None:
        OwnedBranch.objects.create(
            project=self.project, name=request.preserve_name, neon_branch_id=f"br-old-{request.pk:08d}",
            purpose=BranchPurpose.PRESERVED, fate=BranchFate.PRESENT, owner_name="alice", request=request,
        )  # fmt: skip

    def _checks(self, run: Execution, *, failed: bool) -> None:
        rows = (
            ("connect", "", "The branch answers through its own address", "passed", "in 0.2 s"),
            ("sequences", "", "Sequences are ahead of their tables", "passed", "14 sequences"),
            ("rows", "public.medications", "Holds what the copy holds", "failed" if failed else "passed",
             "41,022 expected, 41,020 found" if failed else "41,022 rows"),
            ("rows", "public.notifications", "Holds what the copy holds", "inconclusive" if failed else "passed",
             "written to since" if failed else "90,000 rows"),
        )  # fmt: skip
        for position, (code, subject, title, result, sentence) in enumerate(rows):
            CheckResult.objects.create(
                execution=run, code=code, subject=subject, title=title, is_required=code != "sequences",
                outcome=result, sentence=sentence, position=position, ended_at=database_now(),
            )  # fmt: skip

    def _halt(self, run: Execution, step: Step, code: str, sentence: str) -> None:
        Execution.objects.filter(pk=run.pk).update(
            state=ExecutionState.HALTED, step=step, halt_code=code, halt_sentence=sentence
        )
        with transaction.atomic():
            outcome.needs_attention(request_id=run.request_id, code=code, sentence=sentence)  # type: ignore[arg-type]


def _passed(run: Execution, *passes: tuple[Step, float, str]) -> None:
    at = database_now() - dt.timedelta(seconds=sum(seconds for _, seconds, _ in passes))
    for step, seconds, sentence in passes:
        ended = at + dt.timedelta(seconds=seconds)
        ExecutionStep.objects.create(
            execution=run, step=step, fence=1, started_at=at, ended_at=ended, result="advance", sentence=sentence
        )
        at = ended


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def _fresh(request: RestoreRequest) -> RestoreRequest:
    return RestoreRequest.objects.select_related("branch__project", "packet").get(pk=request.pk)
