"""How often a key may call, and what a limited key may call at all."""

from __future__ import annotations

from neon_sandbox.limits import CALLS_A_MINUTE, CALLS_A_SECOND_OF_A_ROUTE, CONSUMPTION_CALLS_A_MINUTE, RateLimits
from neon_sandbox.problems import ApiProblem
from neon_sandbox.running import opened_sandbox
from neon_sandbox.testing import RunningSandbox, temporary_state_dir
from tests.sandbox.api import Api


class Limited:
    """The limits with a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self._limits = RateLimits(lambda: self.now)

    def admitted(self, tries: int, *, route: str = "get_branch", key: str = "mine", consumption: bool = False) -> int:
        """How many of so many calls at once were let through."""
        return sum(self._admit(key, route, consumption=consumption) for _ in range(tries))

    def _admit(self, key: str, route: str, *, consumption: bool) -> bool:
        try:
            self._limits.admit(key, route, consumption=consumption)
        except ApiProblem as problem:
            return problem.status != 429
        return True


def test_forty_at_once_on_a_route_and_more_a_second_later() -> None:
    limited = Limited()
    assert limited.admitted(100) == CALLS_A_SECOND_OF_A_ROUTE
    assert limited.admitted(100, route="list_branches") == CALLS_A_SECOND_OF_A_ROUTE
    limited.now += 0.5
    assert limited.admitted(100) == CALLS_A_SECOND_OF_A_ROUTE / 2


def test_seven_hundred_a_minute_over_all_routes() -> None:
    limited = Limited()
    assert sum(limited.admitted(40, route=f"route-{number}") for number in range(30)) == CALLS_A_MINUTE
    assert limited.admitted(1, key="another") == 1
    limited.now += 6
    assert limited.admitted(40, route="a") + limited.admitted(40, route="b") == CALLS_A_MINUTE / 10


def test_consumption_has_a_limit_of_its_own() -> None:
    limited = Limited()
    assert limited.admitted(100, route="projects", consumption=True) == CONSUMPTION_CALLS_A_MINUTE
    assert limited.admitted(1, route="branches", consumption=True) == 0
    assert limited.admitted(1) == 1
    limited.now += 2
    assert limited.admitted(10, consumption=True) == 1


def test_a_refused_call_has_neons_form_and_does_nothing(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.app.limits = RateLimits(lambda: 0.0)
    sandbox.settings(rate_limits=True)
    for number in range(CALLS_A_SECOND_OF_A_ROUTE):
        assert api.call("POST", f"/branches/{number}/set_as_default").status_code == 404
    refused = api.call("POST", f"/branches/{sandbox.branch_id}/set_as_default")
    assert (refused.status_code, set(refused.json())) == (429, {"request_id", "code", "message"})
    assert api.call("GET", "/branches").status_code == 200
    sandbox.settings(rate_limits=False)
    assert api.call("POST", f"/branches/{sandbox.branch_id}/set_as_default").status_code == 200


def test_consumption_calls_are_counted_apart_over_http(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.app.limits = RateLimits(lambda: 0.0)
    sandbox.settings(rate_limits=True)
    paths = ("/consumption_history/v2/projects", "/consumption_history/v2/branches")
    statuses = [api.http.get(paths[number % 2]).status_code for number in range(CONSUMPTION_CALLS_A_MINUTE + 1)]
    assert statuses == [400] * CONSUMPTION_CALLS_A_MINUTE + [429]
    assert api.call("GET", "").status_code == 200


def test_the_limits_are_on_unless_a_test_turns_them_off() -> None:
    with temporary_state_dir() as directory, opened_sandbox(directory / "state", storage="none") as sandbox:
        assert sandbox.plane.settings.rate_limits


# Keys that are limited to a project


def test_a_project_key_sees_its_project_and_nothing_else(api: Api, sandbox: RunningSandbox) -> None:
    second = sandbox.sandbox.create_project(name="second", databases=["other"])
    client = Api(sandbox, api_key=sandbox.add_key("limited", kind="project", project_id=second.id))
    with client.http as http:
        assert [project["id"] for project in http.get("/projects").json()["projects"]] == [second.id]
        assert http.get(f"/projects/{second.id}/branches").status_code == 200
        for path in ("", "/branches", f"/branches/{sandbox.branch_id}"):
            assert client.call("GET", path).status_code == 404
        assert client.call("POST", "/branches", {"branch": {"name": "copy"}}).status_code == 404
        assert http.delete(f"/projects/{second.id}").status_code == 403
        assert http.post("/projects", json={"project": {"name": "third"}}).status_code == 403
        for path in (
            "/users/me/organizations",
            "/organizations/org-local-sandbox-12345678",
            "/consumption_history/v2/projects",
        ):
            assert http.get(path).status_code == 403
        assert http.get("/auth").status_code == http.get("/projects/shared").status_code == 200
    assert len(api.http.get("/projects").json()["projects"]) == 2


def test_keys_are_made_for_a_project_by_the_sandboxs_own_route(api: Api, sandbox: RunningSandbox) -> None:
    second = sandbox.sandbox.create_project(name="second", databases=["other"])
    control = f"{sandbox.root_url}/_sandbox/keys"
    body = {"label": "limited", "kind": "project", "project_id": second.id}
    made = api.http.post(control, json=body)
    assert made.status_code == 201
    assert api.http.post(control, json=body | {"project_id": "no-such-project"}).status_code == 404
    client = Api(sandbox, api_key=made.json()["key"], project_id=second.id)
    with client.http:
        assert client.call("GET", "").status_code == 200
