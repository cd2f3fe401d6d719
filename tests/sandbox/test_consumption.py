"""What projects and branches used: counted over time, folded, asked for by the hour, the day and the month."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from neon_sandbox.api.projects import ORGANISATION_ID
from neon_sandbox.entities import Meter, Usage
from neon_sandbox.testing import RunningSandbox, running_sandbox, temporary_state_dir
from tests.sandbox.api import Api
from tests.sandbox.real import RealProject, real_project

HOUR, DAY = 3600.0, 86_400.0
# The size that every branch has without a storage.
SIZE = 30 << 20
ALL = (
    "compute_unit_seconds,root_branch_bytes_month,child_branch_bytes_month,instant_restore_bytes_month,"
    "snapshot_storage_bytes_month,public_network_transfer_bytes,private_network_transfer_bytes,extra_branches_month"
)
OF_BRANCHES = "compute_unit_seconds,root_branch_bytes_month,child_branch_bytes_month,instant_restore_bytes_month"


def asked(api: Api, what: str = "projects", **query: Any) -> Any:
    now = api.sandbox.now()
    parameters = {
        "org_id": ORGANISATION_ID,
        "from": (now - timedelta(days=6)).isoformat(),
        "to": now.isoformat(),
        "granularity": "hourly",
        "metrics": ALL if what == "projects" else OF_BRANCHES,
    } | query
    return api.http.get(
        f"/consumption_history/v2/{what}", params={k: v for k, v in parameters.items() if v is not None}
    )


def frames(owner: Any) -> list[Any]:
    return [frame for period in owner["periods"] for frame in period["consumption"]]


def value(frame: Any, metric: str) -> int:
    return next(item["value"] for item in frame["metrics"] if item["metric_name"] == metric)


def total(owner: Any, metric: str) -> int:
    return sum(value(frame, metric) for frame in frames(owner))


def of_project(api: Api, **query: Any) -> Any:
    return asked(api, **query).raise_for_status().json()["projects"][0]


def test_skipped_hours_hold_the_last_known_sizes(api: Api, sandbox: RunningSandbox) -> None:
    api.make_branch("child")
    sandbox.move_clock(10 * HOUR)
    project = of_project(api)
    whole = frames(project)[1:-1]
    assert len(whole) in (9, 10)
    assert {value(frame, "root_branch_bytes_month") for frame in whole} == {SIZE}
    assert {value(frame, "extra_branches_month") for frame in whole} == {1}
    assert {value(frame, "compute_unit_seconds") for frame in whole} == {900}
    starts = [datetime.fromisoformat(frame["timeframe_start"]) for frame in frames(project)]
    assert starts == sorted(starts)
    assert all(
        datetime.fromisoformat(frame["timeframe_end"]) - start == timedelta(hours=1)
        for frame, start in zip(frames(project), starts, strict=True)
    )
    assert total(project, "root_branch_bytes_month") == pytest.approx(10 * SIZE, rel=0.02)
    assert project["periods"][-1]["period_plan"] == "launch"
    assert "period_end" not in project["periods"][-1]


def test_a_suspended_compute_costs_nothing(api: Api, sandbox: RunningSandbox, main: str) -> None:
    endpoint = api.get("/endpoints")["endpoints"][0]["id"]
    sandbox.move_clock(HOUR)
    api.done(api.call("POST", f"/endpoints/{endpoint}/suspend"))
    sandbox.move_clock(10 * HOUR)
    assert total(of_project(api), "compute_unit_seconds") == pytest.approx(900, abs=30)
    body = {"endpoint": {"autoscaling_limit_min_cu": 2, "autoscaling_limit_max_cu": 2}}
    api.done(api.call("PATCH", f"/endpoints/{endpoint}", body))
    api.done(api.call("POST", f"/endpoints/{endpoint}/start"))
    sandbox.move_clock(HOUR)
    assert total(of_project(api), "compute_unit_seconds") == pytest.approx(900 + 7200, abs=150)


def test_days_and_months_are_the_sums_of_hours_also_when_these_are_folded(api: Api, sandbox: RunningSandbox) -> None:
    for _ in range(4):
        sandbox.move_clock(5 * DAY)
        sandbox.sandbox.tidy()
    now = sandbox.now()
    since = (now - timedelta(days=25)).isoformat()
    daily = of_project(api, granularity="daily", **{"from": since})
    assert {value(frame, "root_branch_bytes_month") for frame in frames(daily)[1:-1]} == {24 * SIZE}
    assert len(frames(daily)) in (20, 21, 22)
    monthly = of_project(api, granularity="monthly", **{"from": since})
    assert total(monthly, "root_branch_bytes_month") == pytest.approx(total(daily, "root_branch_bytes_month"), rel=1e-4)
    assert total(daily, "root_branch_bytes_month") == pytest.approx(20 * 24 * SIZE, rel=0.01)
    # Hours are kept for a bit more than the week that they can be asked for.
    kept = sandbox.sandbox.plane.store.find(Usage, lambda used: used.branch_id is not None)
    assert len([used for used in kept if used.hours == 1]) <= 10 * 24
    assert len([used for used in kept if used.hours == 24]) in range(10, 14)


def test_a_very_long_time_leaves_no_more_than_a_year(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.move_clock(900 * DAY)
    assert len(sandbox.sandbox.plane.store.find(Usage, lambda used: used.branch_id is not None)) < 400 + 10 * 24
    assert asked(api, granularity="monthly").status_code == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"org_id": None}, 400),
        ({"org_id": "org-other-1"}, 404),
        ({"from": None}, 400),
        ({"to": None}, 400),
        ({"metrics": None}, 400),
        ({"metrics": "compute_unit_seconds,nonsense"}, 400),
        ({"granularity": None}, 400),
        ({"granularity": "yearly"}, 400),
        ({"from": "yesterday"}, 400),
        ({"limit": 101}, 400),
        ({"cursor": "nonsense"}, 400),
        ({"project_ids": ",".join(f"p-{number}" for number in range(101))}, 400),
    ],
)
def test_what_can_not_be_asked(api: Api, query: dict[str, Any], status: int) -> None:
    assert asked(api, **query).status_code == status


@pytest.mark.parametrize(("granularity", "days"), [("hourly", 7), ("daily", 60), ("monthly", 366)])
def test_each_granularity_has_a_window(api: Api, sandbox: RunningSandbox, granularity: str, days: int) -> None:
    within, beyond = ((sandbox.now() - timedelta(days=days, hours=hours)).isoformat() for hours in (-1, 1))
    assert asked(api, granularity=granularity, **{"from": within}).status_code == 200
    assert asked(api, granularity=granularity, **{"from": beyond}).status_code == 406
    backwards = {"from": sandbox.now().isoformat(), "to": within}
    assert asked(api, granularity=granularity, **backwards).status_code == 406


def test_the_free_plan_has_no_history_of_consumption(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.settings(plan="free")
    assert asked(api).status_code == asked(api, "branches", project_ids=sandbox.project_id).status_code == 403


def test_lists_are_repeated_or_have_commas(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.move_clock(HOUR)
    metrics = ["compute_unit_seconds", "root_branch_bytes_month"]
    repeated, joined = of_project(api, metrics=metrics), of_project(api, metrics=",".join(metrics))
    names = [item["metric_name"] for item in frames(repeated)[0]["metrics"]]
    assert names == [item["metric_name"] for item in frames(joined)[0]["metrics"]] == metrics


def test_pages_of_projects_the_newest_first(api: Api, sandbox: RunningSandbox) -> None:
    others = [sandbox.sandbox.create_project(name=str(number), databases=["a"]).id for number in range(2)]
    seen, cursor = [], None
    while page := asked(api, limit=1, cursor=cursor).json():
        if not page["projects"]:
            break
        seen += [project["project_id"] for project in page["projects"]]
        cursor = page["pagination"]["cursor"]
    assert set(seen) == {sandbox.project_id, *others}
    assert len(seen) == 3
    only = asked(api, project_ids=f"{others[0]},{sandbox.project_id}").json()["projects"]
    assert {project["project_id"] for project in only} == {others[0], sandbox.project_id}


def test_branches_add_up_to_their_project(api: Api, sandbox: RunningSandbox, main: str) -> None:
    child = api.make_branch("child", endpoint=True)["branch"]["id"]
    sandbox.move_clock(3 * HOUR)
    query = {"project_ids": sandbox.project_id}
    branches = asked(api, "branches", **query).json()["branches"]
    assert {branch["branch_id"] for branch in branches} == {main, child}
    of_all = of_project(api)
    for metric in ("compute_unit_seconds", "root_branch_bytes_month"):
        assert sum(total(branch, metric) for branch in branches) == pytest.approx(total(of_all, metric), rel=0.01)
    only = asked(api, "branches", branch_ids=child, **query).json()["branches"]
    assert [branch["branch_id"] for branch in only] == [child]
    assert asked(api, "branches").status_code == 400
    assert asked(api, "branches", metrics="extra_branches_month", **query).status_code == 400
    # What a deleted branch used stays in the project's figures.
    before = total(of_project(api), "compute_unit_seconds")
    api.done(api.call("DELETE", f"/branches/{child}"))
    assert total(of_project(api), "compute_unit_seconds") >= before
    assert sandbox.sandbox.plane.store.get(Meter, child) is None


def test_figures_come_with_the_lag_that_was_set(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.settings(consumption_lag_seconds=900)
    sandbox.sandbox.tidy()
    before = total(of_project(api), "root_branch_bytes_month")
    assert total(of_project(api), "root_branch_bytes_month") == before
    sandbox.move_clock(901)
    assert total(of_project(api), "root_branch_bytes_month") > before


def test_project_and_branch_tell_what_they_used(api: Api, sandbox: RunningSandbox, main: str) -> None:
    assert api.get()["project"]["consumption_period_start"] in ("0001-01-01T00:00:00Z", _month(sandbox))
    sandbox.move_clock(DAY)
    project, branch = api.get()["project"], api.branch(main)
    assert project["consumption_period_start"] == _month(sandbox)
    assert project["synthetic_storage_size"] == branch["logical_size"] == SIZE
    # A period that began within the day counts from its own begin on.
    assert 0 < project["data_storage_bytes_hour"] <= 24.1 * SIZE
    assert project["compute_time_seconds"] == pytest.approx(project["active_time_seconds"] / 4, abs=2)
    assert branch["active_time_seconds"] == pytest.approx(project["active_time_seconds"], abs=2)
    listed = api.http.get("/projects").json()["projects"][0]
    assert listed["active_time"] >= project["active_time_seconds"]


def _month(sandbox: RunningSandbox) -> str:
    return sandbox.now().strftime("%Y-%m-01T00:00:00Z")


def test_counting_goes_on_after_a_restart() -> None:
    with temporary_state_dir() as directory:
        with running_sandbox(state_dir=directory / "state") as sandbox:
            sandbox.move_clock(5 * HOUR)
        with running_sandbox(state_dir=directory / "state") as sandbox, Api(sandbox).http as http:
            api = Api(sandbox)
            api.http.close()
            api.http = http
            sandbox.move_clock(5 * HOUR)
            assert total(of_project(api), "root_branch_bytes_month") == pytest.approx(10 * SIZE, rel=0.02)


def test_real_sizes() -> None:
    with running_sandbox("postgres", plan="scale") as sandbox, real_project(sandbox) as project:
        _check_real_sizes(project)


def _check_real_sizes(project: RealProject) -> None:
    api, sandbox = project.api, project.sandbox
    child = project.branch("child")
    project.execute("create table heavy as select repeat('x', 1000) as filler from generate_series(1, 5000)")
    project.execute("insert into entry select n, 'y' from generate_series(1, 100) n", branch_id=child)
    api.done(api.call("POST", f"/branches/{project.main}/snapshot", name="kept"))
    sandbox.sandbox.plane.read_meters()
    main, copy = api.branch(project.main), api.branch(child)
    assert main["logical_size"] > copy["logical_size"] + 4_000_000
    with project.connect() as connection:
        row = connection.execute("select sum(pg_database_size(oid)) from pg_database").fetchone()
    assert row
    assert main["logical_size"] == pytest.approx(int(row[0]), rel=0.1)
    sandbox.move_clock(2 * HOUR)
    query = {"project_ids": api.project_id}
    by_id = {branch["branch_id"]: branch for branch in asked(api, "branches", **query).json()["branches"]}
    root, delta = by_id[project.main], by_id[child]
    assert total(root, "root_branch_bytes_month") == pytest.approx(2 * main["logical_size"], rel=0.05)
    assert total(root, "instant_restore_bytes_month") > 2 * 4_000_000
    assert total(delta, "root_branch_bytes_month") == total(delta, "instant_restore_bytes_month") == 0
    assert 0 < total(delta, "child_branch_bytes_month") <= 2.1 * copy["logical_size"]
    whole = asked(api, **query).json()["projects"][0]
    assert total(whole, "snapshot_storage_bytes_month") > 2 * 4_000_000
