"""One project's look is judged and written down: one transaction, under the fence of the look."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction

from backups.domain.monitor import CouldNotTell, Observation
from backups.domain.people import Actor
from backups.models import ProjectWatch
from backups.selectors.clock import database_now
from backups.services.monitor.claim import lock_watch
from backups.services.monitor.controls.registry import BRANCH_CONTROLS, OUTSIDE, PROJECT_CONTROLS, RESTORABLE
from backups.services.monitor.controls.shapes import verdict_of
from backups.services.monitor.explanations import Explanations
from backups.services.monitor.facts import NeonFacts
from backups.services.monitor.findings import Answer, Reconciliation, Tally
from backups.services.monitor.memory import seen_now
from backups.services.monitor.outside import Compared, compare
from backups.services.monitor.prepare import Prepared
from backups.services.monitor.samples import take_samples
from backups.services.monitor.scene import Scene
from backups.services.project import refresh_branches, refresh_project


def conclude(prepared: Prepared, facts: NeonFacts, *, actor: Actor) -> Tally:
    """Findings, states of controls, memory and samples, or nothing at all. Raises Overtaken."""
    with transaction.atomic():
        watch = lock_watch(prepared.held)
        _refresh(prepared, facts, actor)
        scene = _scene(prepared, facts)
        answers, compared = _answers(scene)
        tally = Reconciliation(prepared.project, scene.now, actor).apply(answers)
        _remember(watch, compared, scene, asked_usage=prepared.questions.with_usage)
        take_samples(scene)
        return tally


def conclude_unknown(prepared: Prepared, reason: str, *, actor: Actor) -> Tally:
    """A look that could not be judged: every control is without an answer, which is told after the grace."""
    verdict = CouldNotTell(reason)
    with transaction.atomic():
        watch = lock_watch(prepared.held)
        answers = [Answer(control.name, verdict) for control in PROJECT_CONTROLS]
        answers += [
            Answer(control.name, verdict, branch.pk) for branch in prepared.branches for control in BRANCH_CONTROLS
        ]
        answers.append(Answer(OUTSIDE, verdict))
        tally = Reconciliation(prepared.project, database_now(), actor).apply(answers)
        watch.lease_until = None
        watch.save(update_fields=["lease_until"])
        return tally


def _scene(prepared: Prepared, facts: NeonFacts) -> Scene:
    return Scene(
        now=database_now(),
        project=prepared.project,
        branches=prepared.branches,
        wanted=prepared.wanted,
        facts=facts,
        before=prepared.before,
        present_before=prepared.present_before,
        copies_before=prepared.copies_before,
        judged_operations=prepared.judged_operations,
    )


def _refresh(prepared: Prepared, facts: NeonFacts, actor: Actor) -> None:
    """Keeps what is known of branches in care fresh. New ones come into care by the connection check, never here.

    While a snapshot takes a branch's place, or production is being restored, rows follow the run and nobody else.
    """
    if prepared.questions.quiet or prepared.had_exchange:
        return
    if facts.project.is_told:
        fresh = refresh_project(project_id=prepared.project.pk, found=facts.project.get(), actor=actor)
        prepared.project.root_branch_cap = fresh.root_branch_cap
        prepared.project.history_retention_seconds = fresh.history_retention_seconds
    if facts.branches.is_told:
        in_care = {branch.neon_branch_id for branch in prepared.branches}
        found = [branch for branch in facts.branches.get() if branch.id in in_care]
        refresh_branches(project_id=prepared.project.pk, found=found, actor=actor)


def _answers(scene: Scene) -> tuple[list[Answer], Compared | None]:
    answers = [Answer(control.name, verdict_of(control.name, control.look, scene)) for control in PROJECT_CONTROLS]
    answers += list(_of_branches(scene))
    compared, outside = _outside(scene)
    return [*answers, outside], compared


def _of_branches(scene: Scene) -> Iterator[Answer]:
    """Of a branch that Neon does not have, only that is said."""
    for branch in scene.branches:
        is_gone = scene.facts.branches.is_told and scene.facts.branch(branch.neon_branch_id) is None
        for control in BRANCH_CONTROLS:
            asks = control.name == RESTORABLE or not is_gone
            verdict = verdict_of(control.name, control.look, scene, branch) if asks else []
            yield Answer(control.name, verdict, branch.pk)


def _outside(scene: Scene) -> tuple[Compared | None, Answer]:
    """The comparison is told only when the lists that it compares were."""
    since = scene.before.at or scene.now
    found: list[Compared] = []

    def look() -> list[Observation]:
        operations = scene.facts.operations.get()
        scene.facts.branches.get()
        explained = Explanations(scene.project, since, operations)
        compared = compare(scene, explained, seen_now(scene.before, scene.facts, scene.now))
        found.append(compared)
        return compared.found

    verdict = verdict_of(OUTSIDE, look)
    return (found[0] if found and not isinstance(verdict, CouldNotTell) else None), Answer(OUTSIDE, verdict)


def _remember(watch: ProjectWatch, compared: Compared | None, scene: Scene, *, asked_usage: bool) -> None:
    watch.lease_until = None
    watch.last_ended_at = scene.now
    if asked_usage:
        watch.consumption_at = scene.now
    if compared is not None:
        watch.known = compared.memory.to_json()
        watch.known_at = scene.now
        watch.judged_operations = compared.judged_operations
    fields = ["lease_until", "last_ended_at", "known", "known_at", "judged_operations", "consumption_at"]
    watch.save(update_fields=fields)
