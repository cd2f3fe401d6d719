"""Whether production could be recovered, subject by subject, computed from evidence and never typed in.

What cannot be seen from here is unknown, however often somebody says otherwise.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from backups.domain.drill import Proof, Standing
from backups.domain.duty import DoneBy
from backups.domain.monitor import Severity
from backups.domain.policy import Environment
from backups.domain.restore import RequestState
from backups.models import Drill, DutyTask, Project, ProtectedBranch, RestoreRequest, RunbookCopy
from backups.selectors.drill import standings
from backups.selectors.monitor import BranchHealth, Situation, situation


class Readiness(StrEnum):
    """From the answer that asks for most to the one that asks for nothing."""

    MISSING = "missing"
    WEAK = "weak"
    UNKNOWN = "unknown"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Row:
    """One subject. `at`: when the oldest piece of its evidence was seen; None: there is none."""

    code: str
    title: str
    state: Readiness
    sentences: tuple[str, ...]
    at: dt.datetime | None
    link: str = ""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is said of one branch or project."""

    state: Readiness
    sentence: str
    at: dt.datetime | None = None


#: Controls of the monitor that tell whether backups are taken by themselves.
_BACKUP_CONTROLS = frozenset({"history", "schedule", "snapshot", "restorable"})
_RUNBOOK_GOOD_FOR = dt.timedelta(days=8)
_EXERCISE_GOOD_FOR = dt.timedelta(days=366)


def readiness(now: dt.datetime) -> list[Row]:
    """The six subjects, in the order in which an auditor asks for them."""
    seen = situation(now)
    branches = [each.branch for each in seen.branches if _counts(each.branch)]
    known = standings(branches, now=now)
    return [
        _backups(seen),
        _recovery(branches, known, now),
        _encryption(branches),
        _off_site(),
        _documentation(now),
        _testing(branches, known, now),
    ]


def _counts(branch: ProtectedBranch) -> bool:
    return branch.is_root is not False and branch.environment is Environment.PRODUCTION


def _backups(seen: Situation) -> Row:
    found = [_backup_of(each, seen.is_late) for each in seen.branches if _counts(each.branch)]
    return _row("backups", "Automated backups", found, "No production branch is in care.", link="monitor")


def _backup_of(health: BranchHealth, monitor_is_late: bool) -> _Seen:
    name = str(health.branch)
    if monitor_is_late or health.asked_at is None:
        return _Seen(Readiness.UNKNOWN, f"{name}: the monitor has not looked lately.", health.asked_at)
    wrong = [each for each in health.findings if each.control in _BACKUP_CONTROLS and each.severity != Severity.NOTICE]
    if wrong:
        grave = any(each.severity == Severity.CRITICAL for each in wrong)
        return _Seen(Readiness.MISSING if grave else Readiness.WEAK, f"{name}: {wrong[0].sentence}", health.asked_at)
    unclear = [each for each in health.unknown if each.control in _BACKUP_CONTROLS]
    if unclear or not health.answered:
        why = unclear[0].reason if unclear else "nothing was answered"
        return _Seen(Readiness.UNKNOWN, f"{name}: the monitor can't tell, {why}", health.asked_at)
    return _Seen(Readiness.READY, f"{name}: history, schedule and snapshots are as declared.", health.asked_at)


def _recovery(branches: list[ProtectedBranch], known: dict[int, Standing], now: dt.datetime) -> Row:
    restores = RestoreRequest.objects.filter(
        branch__in=branches, state=RequestState.COMPLETED, outcome_code="completed"
    ).order_by("branch", "-closed_at")
    newest = {each.branch_id: each.closed_at for each in restores.distinct("branch")}
    found = [_recovery_of(branch, known[branch.pk], newest.get(branch.pk), now) for branch in branches]
    return _row("recovery", "Recovery", found, "No production branch is in care.", link="drills")


def _recovery_of(
    branch: ProtectedBranch, standing: Standing, restored_at: dt.datetime | None, now: dt.datetime
) -> _Seen:
    """A real restore that was verified proves as much as a drill, for as long."""
    limit = dt.timedelta(seconds=standing.limit_seconds or 0)
    if restored_at is not None and now - restored_at <= limit:
        return _Seen(Readiness.READY, f"{branch}: a verified restore proves it.", restored_at)
    state, words = _PROOF[standing.proof]
    return _Seen(state, f"{branch}: {words}", standing.last_good_at)


_PROOF: dict[Proof, tuple[Readiness, str]] = {
    Proof.PROVEN: (Readiness.READY, "a drill proves it."),
    Proof.DOUBTFUL: (Readiness.WEAK, "a drill proves it, but a newer one failed."),
    Proof.FADING: (Readiness.WEAK, "the proof is fading; no drill passed in time."),
    Proof.STALE: (Readiness.MISSING, "the last good drill is too old to count."),
    Proof.NEVER: (Readiness.MISSING, "no drill has ever passed."),
    Proof.NO_PLAN: (Readiness.MISSING, "no drill plan, so nothing proves it."),
}


def _encryption(branches: list[ProtectedBranch]) -> Row:
    """Neon says that it encrypts at rest; no call to its API shows it."""
    projects = {branch.project_id: branch.project for branch in branches}.values()
    open_ways = [each for each in projects if not each.is_sandbox and not each.api_host.startswith("https://")]
    if open_ways:
        sentence = f"{open_ways[0].name}: its API is addressed without TLS."
        return Row("encryption", "Encryption", Readiness.MISSING, (sentence,), None)
    sentences = (
        "In transit: the portal talks to Neon's API over https and stores keys encrypted.",
        "At rest: Neon's documentation says so. Nothing that the portal can ask shows it.",
    )
    return Row(
        "encryption", "Encryption", Readiness.UNKNOWN, sentences, _oldest(each.connected_at for each in projects)
    )


def _off_site() -> Row:
    said = DutyTask.objects.filter(code="off_site_copy", done_by=DoneBy.PERSON).order_by("-done_at").first()
    regions = sorted({each.region for each in Project.objects.all() if each.region})
    sentences = [f"All data lie with Neon, in {', '.join(regions)}." if regions else "All data lie with Neon."]
    if said is not None:
        sentences.append(f"{said.done_by_name} says that a copy outside exists. The portal has not seen it.")
        return Row("off_site", "Off-site copy", Readiness.UNKNOWN, tuple(sentences), said.done_at)
    sentences.append("No copy outside Neon is known here.")
    return Row("off_site", "Off-site copy", Readiness.MISSING, tuple(sentences), None)


def _documentation(now: dt.datetime) -> Row:
    copies = {each.project_id: each for each in RunbookCopy.objects.all()}
    found = [_runbook_of(each, copies.get(each.pk), now) for each in Project.objects.order_by("name")]
    return _row("documentation", "Documentation", found, "No project is connected.", link="runbooks")


def _runbook_of(project: Project, copy: RunbookCopy | None, now: dt.datetime) -> _Seen:
    if copy is not None and copy.problem:
        return _Seen(Readiness.WEAK, f"{project.name}: {copy.problem}", copy.written_at)
    if copy is None or copy.written_at is None:
        return _Seen(Readiness.MISSING, f"{project.name}: no runbook was written.")
    if now - copy.written_at > _RUNBOOK_GOOD_FOR:
        return _Seen(Readiness.WEAK, f"{project.name}: its runbook is older than a week.", copy.written_at)
    return _Seen(Readiness.READY, f"{project.name}: its runbook is written.", copy.written_at)


def _testing(branches: list[ProtectedBranch], known: dict[int, Standing], now: dt.datetime) -> Row:
    """Drills of each branch, and people: the Rule asks for both."""
    found = [_drills_of(branch, known[branch.pk]) for branch in branches]
    held = Drill.objects.filter(is_automatic=False, sign_off__isnull=False, ended_at__isnull=False)
    newest = held.order_by("-ended_at").first()
    if newest is None or newest.ended_at is None:
        found.append(_Seen(Readiness.MISSING, "No exercise with people was held and signed off."))
    else:
        fresh = now - newest.ended_at <= _EXERCISE_GOOD_FOR
        found.append(
            _Seen(
                Readiness.READY if fresh else Readiness.WEAK,
                f"{newest.reference}, an exercise with people, was signed off.",
                newest.ended_at,
            )
        )
    return _row("testing", "Testing", found, "", link="drills")


def _drills_of(branch: ProtectedBranch, standing: Standing) -> _Seen:
    if standing.last_ended_at is None:
        return _Seen(Readiness.MISSING, f"{branch}: no drill has ended.")
    if standing.last_outcome != "passed":
        return _Seen(Readiness.WEAK, f"{branch}: the newest drill did not pass.", standing.last_ended_at)
    state, words = _PROOF[standing.proof]
    return _Seen(state, f"{branch}: the newest drill passed; {words}", standing.last_ended_at)


def _row(code: str, title: str, found: list[_Seen], nothing: str, *, link: str) -> Row:
    """The worst of what is said decides; its sentences come first."""
    if not found:
        return Row(code, title, Readiness.UNKNOWN, (nothing,), None, link)
    order = list(Readiness)
    ranked = sorted(found, key=lambda each: order.index(each.state))
    return Row(
        code, title, ranked[0].state, tuple(each.sentence for each in ranked), _oldest(each.at for each in found), link
    )


def _oldest(times: Iterable[dt.datetime | None]) -> dt.datetime | None:
    """None as soon as one of them is not known."""
    known = list(times)
    return None if not known or None in known else min(at for at in known if at is not None)
