"""What is read of the portal's own rows before Neon is asked: what to ask, and with which key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from backups.domain.backup_plan import WantedBackups
from backups.domain.safety_copy import CopyState
from backups.models import OwnedBranch, Project, ProjectWatch, ProtectedBranch, SafetyCopy
from backups.neon.client import NeonClient
from backups.neon.deadline import Deadlines
from backups.selectors.backup_plan import wanted_backups
from backups.selectors.clock import database_now
from backups.selectors.restore import exchanges_under_way, governing_requests
from backups.services.monitor.claim import Held
from backups.services.monitor.facts import CallCount, Questions
from backups.services.monitor.memory import Memory
from backups.services.neon_access import refuse_inside_transaction
from backups.services.secrets import SecretsKeyUnusable, SecretUnreadable, api_key_of, fingerprint

#: Branches whose schedule is read in one cycle.
_MOST_SCHEDULES = 20
#: Neon's clock may be behind the portal's.
_OVERLAP = timedelta(minutes=2)


@dataclass(frozen=True)
class Prepared:
    """One project, ready to be asked about. `client` is None where there is no usable key: `trouble` says why."""

    held: Held
    project: Project
    branches: tuple[ProtectedBranch, ...]
    wanted: Mapping[int, WantedBackups]
    before: Memory
    judged_operations: frozenset[str]
    present_before: frozenset[int]
    copies_before: frozenset[int]
    had_exchange: bool
    questions: Questions
    count: CallCount
    client: NeonClient | None = None
    key_name: str = ""
    trouble: str = ""


def prepare(held: Held, *, may_ask_usage: bool = False) -> Prepared:
    """Outside any transaction, because a call to Neon follows. `may_ask_usage`: Neon allows few such questions.

    Raises CallInsideTransaction.
    """
    refuse_inside_transaction()
    watch = ProjectWatch.objects.select_related("project").get(pk=held.project_id)
    project = watch.project
    branches = tuple(ProtectedBranch.objects.select_related("project").filter(project=project).order_by("pk"))
    wanted = wanted_backups(branches)
    count = CallCount()
    client, key_name, trouble = _client(project, count)
    return Prepared(
        held=held,
        project=project,
        branches=branches,
        wanted=wanted,
        before=Memory.from_json(watch.known, watch.known_at),
        judged_operations=frozenset(watch.judged_operations),
        present_before=frozenset(OwnedBranch.objects.filter(project=project).values_list("pk", flat=True)),
        copies_before=frozenset(
            SafetyCopy.objects.filter(branch__project=project, state=CopyState.MADE).values_list("pk", flat=True)
        ),
        had_exchange=bool(exchanges_under_way(project)),
        questions=_questions(watch, branches, may_ask_usage=may_ask_usage),
        count=count,
        client=client,
        key_name=key_name,
        trouble=trouble,
    )


def _questions(watch: ProjectWatch, branches: tuple[ProtectedBranch, ...], *, may_ask_usage: bool) -> Questions:
    roots = [each for each in branches if each.is_root and each.missing_since is None]
    near = governing_requests(watch.project).first()
    return Questions(
        project_id=watch.project.neon_project_id,
        schedules_of=tuple(each.neon_branch_id for each in roots[:_MOST_SCHEDULES]),
        operations_since=watch.known_at - _OVERLAP if watch.known_at else None,
        with_usage=may_ask_usage and _is_due(watch.consumption_at),
        quiet=near is not None,
        quiet_because=f"{near.reference} restores production: Neon is asked only what is needed." if near else "",
    )


def _is_due(asked_at: datetime | None) -> bool:
    """Neon renews the figures of consumption about every quarter of an hour; once an hour will do."""
    return asked_at is None or database_now() - asked_at >= timedelta(hours=1)


def _client(project: Project, count: CallCount) -> tuple[NeonClient | None, str, str]:
    """Reads are counted and not recorded one by one: the ledger keeps what they found."""
    try:
        key = api_key_of(project)
        name = f"{project.api_host}:{fingerprint(key)}"
    except (SecretUnreadable, SecretsKeyUnusable) as error:
        return None, "", str(error)
    seconds = settings.MONITOR_CALL_SECONDS
    deadlines = Deadlines(connect_seconds=min(3.0, seconds), read_seconds=seconds, total_seconds=seconds)
    return NeonClient(key, base_url=project.api_host, deadlines=deadlines, on_call=count.note), name, ""
