"""A cycle of the monitor over 50 projects at the control plane, within Neon's rate limits, beside a bare loop of the
same GETs. In a process of its own, because it needs Django and a database."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit

PROJECTS = 50
GOAL_SECONDS = 10.0


def figures() -> list[dict[str, Any]]:
    """Measured by `python -m tests.bench.monitor_bench`."""
    command = [sys.executable, "-m", "tests.bench.monitor_bench"]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _measure() -> list[dict[str, Any]]:
    """The first look, which writes every row, and one that finds all as before."""
    from neon_sandbox.testing import running_postgres, running_sandbox

    with running_postgres("portal") as server, running_sandbox(plan="scale", operation_seconds=0) as sandbox:
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        os.environ["MONITOR_FIRST_SECONDS"] = "0.001"  # the cycle is measured, not a worker's start
        _set_up(server.url("portal"))
        projects = [sandbox.sandbox.create_project(name=f"p{n}", databases=["d"]) for n in range(PROJECTS)]
        found = []
        for name in ("first look", "all as before"):
            _register(sandbox, [project.id for project in projects], key=sandbox.add_key(label=name))
            sandbox.settings(rate_limits=True)
            seconds, calls = _cycle(sandbox)
            sandbox.settings(rate_limits=False)
            # Consumption is asked with a period, which the log of calls does not keep.
            plain = [call["path"] for call in calls if "consumption" not in call["path"]]
            bare = _bare_loop(sandbox, plain)
            found.append(_figure(name, seconds, bare, plain))
        return found


def _set_up(url: str) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    import backups.services.monitor.cycle  # noqa: F401 - its wait at a worker's start counts from here
    from tests.support.database import point_django_at

    point_django_at(url)
    call_command("migrate", verbosity=0)


def _register(sandbox: Any, ids: list[str], *, key: str) -> None:
    """Each project with its root branch in care, and one key for all, as an organisation has it."""
    from django.db import transaction

    from backups.domain.people import SYSTEM
    from backups.models import ProjectWatch
    from backups.neon.client import NeonClient
    from backups.neon.secret import Secret
    from backups.services.project import refresh_branches, register_project
    from backups.services.secrets import store_api_key

    with NeonClient(Secret(key), base_url=sandbox.url) as client:
        for neon_id in ids:
            project = register_project(
                actor=SYSTEM, name=neon_id, neon_project_id=neon_id, api_host=sandbox.url, is_sandbox=True
            )
            with transaction.atomic():
                store_api_key(project=project, api_key=Secret(key), actor=SYSTEM)
            refresh_branches(project_id=project.pk, found=client.branches.list(neon_id), actor=SYSTEM)
    ProjectWatch.objects.update(next_at=None)


def _cycle(sandbox: Any) -> tuple[float, list[dict[str, Any]]]:
    """Seconds of one cycle and its calls. What the registration asked with this key was minutes ago to the limits."""
    from backups.services.monitor import pace
    from backups.services.monitor.cycle import monitor_when_due
    from neon_sandbox.limits import RateLimits

    sandbox.app.limits = RateLimits()
    pace._pace = None
    before = len(sandbox.calls())
    started = time.monotonic()
    if not monitor_when_due():
        raise AssertionError("no project was due")
    return time.monotonic() - started, sandbox.calls()[before:]


def _bare_loop(sandbox: Any, paths: list[str]) -> float:
    address = urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    started = time.monotonic()
    for path in paths:
        connection.request("GET", f"{address.path}{path.removeprefix(address.path)}", headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise AssertionError(f"{answer.status} for {path}")
    return time.monotonic() - started


def _figure(name: str, seconds: float, bare: float, calls: list[dict[str, Any]]) -> dict[str, Any]:
    from backups.models import ControlState, MonitorRun

    run = MonitorRun.objects.latest("pk")
    unknown = ControlState.objects.filter(unknown_since__isnull=False).count()
    whole = run.projects == PROJECTS and not unknown and all(call["status"] == 200 for call in calls)
    return {
        "bench": f"monitor: cycle of {PROJECTS} projects, {name}",
        "value": round(seconds, 3),
        "unit": "s",
        "against": f"a bare loop of the same {len(calls)} GETs: {bare:.3f} s",
        "ratio": round(seconds / bare, 2),
        "goal": GOAL_SECONDS,
        "met": whole and seconds <= GOAL_SECONDS,
    }


if __name__ == "__main__":
    for each in _measure():
        sys.stdout.write(json.dumps(each) + "\n")
