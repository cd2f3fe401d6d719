"""Taking a Neon project into the portal's care, and examining it again at any time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.db import transaction

from backups.domain.ledger import Target
from backups.domain.people import Actor, ActorKind, Capability
from backups.models import Project, ProtectedBranch
from backups.neon.client import NeonClient
from backups.neon.errors import NeonError, NeonKeyRejected, NeonNotFound, NeonRefused
from backups.neon.secret import Secret
from backups.neon.types import Branch
from backups.selectors.clock import database_now
from backups.services import connect_report as report_lines
from backups.services.connect_report import Line, Report, Verdict
from backups.services.database_access import NamedDatabase, connection_uri, databases_of
from backups.services.execution.events import the_worker
from backups.services.execution.queue import put_other_task
from backups.services.ledger import record_event, record_refusal
from backups.services.neon_access import client_for, client_with_key
from backups.services.observed_facts import one_line, reason_of
from backups.services.project import (
    name_database,
    refresh_branches,
    refresh_project,
    register_project,
    target_of_project,
)
from backups.services.secrets import SecretsKeyUnusable, SecretUnreadable, problem_with_secrets_key, store_api_key
from backups.services.self_hosting import SENTENCE, address_of, normal_address, portal_lies_in
from backups.verification import DatabaseFacts, DatabaseUnreachable, Dsn, OutOfTime, inspect_database

_INSPECT_SECONDS = 5.0
_REAL_HOSTS = (".neon.tech", ".neon.build")


class ConnectRefused(Exception):
    """The project was not taken into care; the sentence says why and what to do. Nothing was stored."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def connect_project(
    *, actor: Actor, neon_project_id: str, api_host: str, api_key: Secret, is_sandbox: bool = False
) -> Project:
    """Tries the key, registers the project with its branches, stores the key encrypted, and examines everything.

    Connecting again replaces the key. Raises ConnectRefused; then nothing was stored.
    """
    wanted = Project(
        name=neon_project_id, neon_project_id=neon_project_id, api_host=api_host.rstrip("/"), is_sandbox=is_sandbox
    )
    try:
        _may_connect(actor, Capability.MANAGE_SECRETS)
        _check_host(wanted)
        name = _try_key(wanted, api_key)
    except ConnectRefused as refused:
        target = Target(kind="project", id=neon_project_id[:60])
        record_refusal(actor=actor, why=refused.code, target=target, sandbox=is_sandbox)
        raise
    with transaction.atomic():
        project = register_project(
            actor=actor,
            name=name,
            neon_project_id=wanted.neon_project_id,
            api_host=wanted.api_host,
            is_sandbox=is_sandbox,
        )
        store_api_key(project=project, api_key=api_key, actor=actor)
    return examine_project(actor=actor, project_id=project.pk)


def connect_with_typed_key(
    *, actor: Actor, neon_project_id: str, api_host: str, typed_key: str, is_sandbox: bool = False
) -> Project:
    """As `connect_project`, for a key that comes out of a form. Raises ConnectRefused; then nothing was stored."""
    if not typed_key.strip():
        raise ConnectRefused("no_key", "Type the API key. It is stored encrypted and never shown again.")
    return connect_project(
        actor=actor,
        neon_project_id=neon_project_id,
        api_host=api_host,
        api_key=Secret(typed_key.strip()),
        is_sandbox=is_sandbox,
    )


def examine_project(*, actor: Actor, project_id: int) -> Project:
    """Looks at everything that a restore will need and keeps the report. Changes nothing at Neon.

    Raises ConnectRefused when the actor may not, or when the portal's own database lies in the project.
    """
    _may_connect(actor, Capability.RUN_CONNECT)
    project = Project.objects.get(pk=project_id)
    began = time.monotonic()
    report = Report(as_of=database_now())
    try:
        with client_for(project, correlation=f"connect-{project.pk}") as client:
            _examine(project, client, report, actor)
    except (NeonError, SecretUnreadable, SecretsKeyUnusable) as error:
        report.lines.append(_interrupted(error))
    return _keep(project, report, actor, milliseconds=round((time.monotonic() - began) * 1000))


def ask_for_examination(*, actor: Actor, project_id: int) -> None:
    """Has the worker examine the project; the report appears on its page. Raises ConnectRefused."""
    _may_connect(actor, Capability.RUN_CONNECT)
    with transaction.atomic():
        project = Project.objects.get(pk=project_id)
        put_other_task("examine_project", project.pk)
        record_event(
            type="project.check_asked", actor=actor, target=target_of_project(project), sandbox=project.is_sandbox
        )


def examine_as_worker(*, project_id: int) -> None:
    """The examination that somebody asked the worker for."""
    examine_project(actor=the_worker(), project_id=project_id)


def is_this_machine(api_host: str) -> bool:
    """True for an API that runs on this machine, which can only be a sandbox."""
    host = urlsplit(api_host).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _may_connect(actor: Actor, capability: Capability) -> None:
    if actor.kind is not ActorKind.SYSTEM and not actor.may(capability):
        raise ConnectRefused("not_allowed", "Only an administrator can connect a project. Nothing was stored.")


def _check_host(wanted: Project) -> None:
    problem = problem_with_secrets_key()
    if problem:
        raise ConnectRefused("no_secrets_key", problem)
    parts = urlsplit(wanted.api_host)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ConnectRefused("bad_host", "The API's address must look like https://console.neon.tech/api/v2.")
    if parts.scheme == "http" and not is_this_machine(wanted.api_host):
        raise ConnectRefused(
            "no_tls", "The API's address must begin with https://: the key would cross the network bare."
        )
    if wanted.is_sandbox and parts.hostname.endswith(_REAL_HOSTS):
        raise ConnectRefused("not_a_sandbox", "This is Neon itself, so it can't be registered as a sandbox.")


def _try_key(wanted: Project, api_key: Secret) -> str:
    """The project's name at Neon. Nothing is registered before the key has shown that it works."""
    try:
        with client_with_key(wanted, api_key, correlation="connect") as client:
            found = client.projects.get(wanted.neon_project_id)
            hosts = [endpoint.host for endpoint in client.endpoints.list(wanted.neon_project_id) if endpoint.host]
    except NeonKeyRejected:
        raise ConnectRefused(
            "key_rejected", "Neon does not accept this API key. Make a new one and try again."
        ) from None
    except NeonNotFound:
        raise ConnectRefused(
            "not_found",
            f"Neon shows no project {wanted.neon_project_id} to this key. Check the id and the key's rights.",
        ) from None
    except (NeonError, ValueError) as error:
        raise ConnectRefused("unreachable", f"{error} Nothing was stored.") from None
    _refuse_own_home(wanted.neon_project_id, found.name or wanted.neon_project_id, hosts)
    return found.name or wanted.neon_project_id


def _refuse_own_home(neon_project_id: str, name: str, hosts: Sequence[str]) -> None:
    if portal_lies_in(neon_project_id=neon_project_id, addresses=frozenset(_addresses_of(hosts))):
        raise ConnectRefused("own_home", f"{SENTENCE.format(project=name)} Nothing was stored.")


def _examine(project: Project, client: NeonClient, report: Report, actor: Actor) -> None:
    found = client.projects.get(project.neon_project_id)
    branches = client.branches.list(project.neon_project_id)
    refresh_project(project_id=project.pk, found=found, actor=actor)
    kept = refresh_branches(project_id=project.pk, found=branches, actor=actor)
    by_id = {branch.id: branch for branch in branches}
    report.lines += [
        _key_line(client),
        report_lines.plan_line(found),
        report_lines.history_line(found),
        report_lines.head_room_line(found, branches),
        report_lines.default_branch_line(branches),
    ]
    report.addresses += _endpoint_addresses(client, project)
    for branch in kept:
        _examine_branch(client, project, branch, by_id[branch.neon_branch_id], report, actor)
    report.lines.append(_own_home_line(project, report))


def _own_home_line(project: Project, report: Report) -> Line:
    title = "The portal's own database"
    if portal_lies_in(neon_project_id=project.neon_project_id, addresses=frozenset(report.addresses)):
        act = "Move it before the portal is started again: it will refuse to start."
        return report_lines.to_do("own_home", title, SENTENCE.format(project=project.name), act)
    return report_lines.ok("own_home", title, "It lies outside of this project.")


def _key_line(client: NeonClient) -> Line:
    try:
        return report_lines.key_line(client.auth())
    except NeonError as error:
        return report_lines.cant_tell(
            "key", "API key", f"The key reads this project; its kind is unknown: {one_line(str(error))}.", "Try again."
        )


def _endpoint_addresses(client: NeonClient, project: Project) -> list[str]:
    found = client.endpoints.list(project.neon_project_id)
    return _addresses_of([endpoint.host for endpoint in found if endpoint.host])


def _addresses_of(hosts: Sequence[str]) -> list[str]:
    """Endpoints on this machine differ by port, which Neon does not tell here; they are compared when connected to."""
    addresses = [normal_address(host, 5432) for host in hosts]
    return [address for address in addresses if ":" not in address]


def _examine_branch(
    client: NeonClient, project: Project, branch: ProtectedBranch, found: Branch, report: Report, actor: Actor
) -> None:
    report.lines.append(report_lines.environment_line(branch))
    if not found.is_root:
        return
    report.lines.append(report_lines.restorable_line(found))
    try:
        databases = databases_of(client, project, neon_branch_id=branch.neon_branch_id)
    except NeonError as error:
        report.lines.append(_no_connection(branch, one_line(str(error))))
        return
    facts = [_open(client, project, branch, database, report) for database in databases]
    if databases and not branch.database_name:
        name_database(branch_id=branch.pk, database_name=databases[0].name, role_name=databases[0].role, actor=actor)
    report.lines += report_lines.time_column_lines(branch.name, [each for each in facts if each is not None])


def _open(
    client: NeonClient, project: Project, branch: ProtectedBranch, database: NamedDatabase, report: Report
) -> DatabaseFacts | None:
    """Connects from this machine, as the checks after a restore will have to."""
    subject = f"{branch.name} / {database.name}"
    began = time.monotonic()
    try:
        uri = connection_uri(
            client, project, neon_branch_id=branch.neon_branch_id, database=database.name, role=database.role
        )
        report.addresses.append(address_of(uri))
        facts = inspect_database(Dsn(uri.reveal()), budget_seconds=_INSPECT_SECONDS)
    except NeonRefused as error:
        act = "Let the project store passwords (project settings), or the checks can't connect."
        report.lines.append(_connection(Verdict.TO_DO, one_line(str(error)), act, subject))
        return None
    except (NeonError, DatabaseUnreachable, OutOfTime) as error:
        act = "Allow this machine's address in the project's IP settings, and see that the branch has an endpoint."
        report.lines.append(_connection(Verdict.TO_DO, one_line(reason_of(error)), act, subject))
        return None
    took = round((time.monotonic() - began) * 1000)
    report.lines.append(_connection(Verdict.OK, f"Answered from here in {took} ms", "", subject))
    return facts


def _connection(verdict: Verdict, sentence: str, act: str, subject: str) -> Line:
    return Line("connection", "Connection from here", verdict, f"{sentence}.", act, subject)


def _no_connection(branch: ProtectedBranch, why: str) -> Line:
    return _connection(Verdict.CANT_TELL, f"The databases could not be listed: {why}", "Try again.", branch.name)


def _interrupted(error: Exception) -> Line:
    return report_lines.cant_tell(
        "interrupted",
        "Connection check",
        f"It ended early: {one_line(str(error))}.",
        "Try again; if it lasts, connect again with a valid key.",
    )


def _keep(project: Project, report: Report, actor: Actor, *, milliseconds: int) -> Project:
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=project.pk)
        if not report.addresses:
            report.addresses = list(project.connect_report.get("addresses", []))
        project.connect_report = report.to_json()
        project.connected_at = report.as_of
        project.save(update_fields=["connect_report", "connected_at"])
        record_event(
            type="project.checked",
            actor=actor,
            target=target_of_project(project),
            details={
                "findings": sorted({line.code for line in report.lines if line.verdict is not Verdict.OK}),
                "passed": report.number_of(Verdict.OK),
                "failed": report.number_of(Verdict.TO_DO),
                "inconclusive": report.number_of(Verdict.CANT_TELL),
                "plan": project.plan or None,
                "history_seconds": project.history_retention_seconds,
                "duration_ms": milliseconds,
            },
            sandbox=project.is_sandbox,
        )
    return project
