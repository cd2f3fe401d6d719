"""Findings are opened, changed and closed here by what controls saw. People's acts on them are in handling.py."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings

from backups.domain.monitor import KINDS, CouldNotTell, FindingCode, Observation, Severity, Verdict
from backups.domain.people import Actor
from backups.models import ControlState, Finding, Project, ProtectedBranch
from backups.services.monitor.controls.registry import NEON, TITLES, UNKNOWN
from backups.services.monitor.records import record_finding
from backups.services.monitor.telling import News, tell_of

_SENTENCE, _REASON, _SUBJECT = 400, 300, 300
#: These wait for an explanation, whatever the controls see.
_STAY = frozenset(code for code, kind in KINDS.items() if not kind.closes_by_itself)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one control said. `branch_id`: of a control that is asked branch by branch, else None."""

    control: str
    verdict: Verdict
    branch_id: int | None = None


@dataclass(slots=True)
class Tally:
    """What a reconciliation came to."""

    answered: int = 0
    unknown: int = 0
    opened: int = 0
    closed: int = 0
    blind: int = 0
    """Projects of which Neon told nothing."""

    def add(self, other: Tally) -> None:
        """Sums up."""
        self.answered += other.answered
        self.unknown += other.unknown
        self.opened += other.opened
        self.closed += other.closed
        self.blind += other.blind


@dataclass
class Reconciliation:
    """One project's, or with None the portal's, in the caller's transaction."""

    project: Project | None
    now: dt.datetime
    actor: Actor

    def __post_init__(self) -> None:
        self.tally = Tally()
        rows = Finding.objects.select_for_update(of=("self",)).select_related("project", "branch__project")
        self._open = list(rows.filter(project=self.project, closed_at__isnull=True).order_by("pk"))
        self._states = {
            (state.control, state.branch_id): state for state in ControlState.objects.filter(project=self.project)
        }

    def apply(self, answers: Sequence[Answer]) -> Tally:
        """Opens, changes and closes findings, and keeps the state of each control."""
        for answer in answers:
            self._note(answer)
            if not isinstance(answer.verdict, CouldNotTell):
                self._compare(answer.control, answer.branch_id, answer.verdict)
        self._save_states()
        self._compare(UNKNOWN, None, self._long_unknown())
        self._forget({(answer.control, answer.branch_id) for answer in answers})
        return self.tally

    def _note(self, answer: Answer) -> None:
        key = (answer.control, answer.branch_id)
        state = self._states.get(key)
        if state is None:
            state = ControlState(control=answer.control, project=self.project, branch_id=answer.branch_id)
            self._states[key] = state
        state.last_tried_at = self.now
        verdict = answer.verdict
        if isinstance(verdict, CouldNotTell):
            self.tally.unknown += 1
            self.tally.blind += answer.control == NEON
            if state.unknown_since is None or (state.is_postponed and not verdict.postponed):
                state.unknown_since = self.now
            state.unknown_reason = verdict.reason[:_REASON] or "No reason was given."
            state.is_postponed = verdict.postponed
            return
        self.tally.answered += 1
        state.last_ok_at = self.now
        state.unknown_since, state.unknown_reason, state.is_postponed = None, "", False

    def _compare(self, control: str, branch_id: int | None, seen: Iterable[Observation]) -> None:
        """A control that is asked branch by branch speaks for its branch only."""
        before = {
            (finding.branch_id, finding.code, finding.subject): finding
            for finding in self._open
            if finding.control == control and branch_id in (None, finding.branch_id)
        }
        told: set[tuple[int | None, str, str]] = set()
        for observation in seen:
            key = (observation.branch_id, observation.code.value, observation.subject[:_SUBJECT])
            if key in told:
                continue  # the same thing, seen twice
            told.add(key)
            finding = before.pop(key, None)
            if finding is None:
                self._open_one(control, observation)
            else:
                self._see_again(finding, observation)
        for finding in before.values():
            if FindingCode(finding.code) not in _STAY:
                self._close(finding)

    def _open_one(self, control: str, observation: Observation) -> None:
        finding = Finding.objects.create(
            project=self.project,
            branch=_branch(observation.branch_id),
            control=control,
            code=observation.code.value,
            subject=observation.subject[:_SUBJECT],
            severity=observation.weight.value,
            sentence=observation.sentence[:_SENTENCE],
            evidence=dict(observation.evidence),
            since=self.now,
            last_seen_at=self.now,
        )
        self._open.append(finding)
        self.tally.opened += 1
        record_finding(finding, type="finding.opened", actor=self.actor)
        tell_of(finding, News.OPENED)

    def _see_again(self, finding: Finding, observation: Observation) -> None:
        before, after = Severity(finding.severity), observation.weight
        finding.last_seen_at = self.now
        finding.sentence = observation.sentence[:_SENTENCE]
        finding.evidence = dict(observation.evidence)
        finding.severity = after.value
        finding.save(update_fields=["last_seen_at", "sentence", "evidence", "severity"])
        if before is after:
            return
        record_finding(
            finding, type="finding.changed", actor=self.actor, details={"before": before.value, "after": after.value}
        )
        if after.rank < before.rank:
            tell_of(finding, News.WORSE)

    def _close(self, finding: Finding) -> None:
        finding.closed_at = self.now
        finding.save(update_fields=["closed_at"])
        self._open.remove(finding)
        self.tally.closed += 1
        record_finding(finding, type="finding.closed", actor=self.actor)
        tell_of(finding, News.CLOSED)

    def _save_states(self) -> None:
        fields = ["last_tried_at", "last_ok_at", "unknown_since", "unknown_reason", "is_postponed"]
        fresh = [state for state in self._states.values() if state._state.adding]
        known = [state for state in self._states.values() if not state._state.adding]
        ControlState.objects.bulk_create(fresh)
        ControlState.objects.bulk_update(known, fields)

    def _long_unknown(self) -> list[Observation]:
        """Silence for longer than the grace is a finding of its own: one for the project, naming the controls."""
        grace = dt.timedelta(seconds=settings.MONITOR_UNKNOWN_GRACE_SECONDS)
        silent = [
            state
            for state in self._states.values()
            if state.unknown_since is not None and not state.is_postponed and self.now - state.unknown_since >= grace
        ]
        return [_cannot_tell(silent, of=len(self._states))] if silent else []

    def _forget(self, asked: set[tuple[str, int | None]]) -> None:
        """A control that is no more, or whose branch is, leaves nothing open that could never close."""
        gone = {key: state for key, state in self._states.items() if key not in asked}
        ControlState.objects.filter(pk__in=[state.pk for state in gone.values()]).delete()
        for finding in list(self._open):
            is_asked = (finding.control, finding.branch_id) in asked or (finding.control, None) in asked
            if finding.control != UNKNOWN and not is_asked and FindingCode(finding.code) not in _STAY:
                self._close(finding)


def _cannot_tell(silent: list[ControlState], *, of: int) -> Observation:
    names = sorted({TITLES.get(state.control, state.control) for state in silent})
    since = min(state.unknown_since for state in silent if state.unknown_since is not None)
    reasons = sorted({state.unknown_reason for state in silent})
    # Without Neon's answer nothing that matters is known.
    is_blind = any(state.control == NEON for state in silent)
    what = "Nothing can be told" if is_blind else f"{len(silent)} of {of} controls can't tell"
    return Observation(
        code=FindingCode.CANNOT_TELL,
        subject="monitor",
        sentence=f"{what} since {since:%Y-%m-%d %H:%M} UTC. {reasons[0]}"[:_SENTENCE],
        evidence={
            "controls": names,
            "reasons": reasons[:10],
            "unknown_since": since.isoformat(timespec="seconds"),
        },
        severity=Severity.CRITICAL if is_blind else Severity.WARNING,
    )


def _branch(branch_id: int | None) -> ProtectedBranch | None:
    if branch_id is None:
        return None
    return ProtectedBranch.objects.select_related("project").get(pk=branch_id)
