from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from neon_sandbox.testing import RunningSandbox

FINAL = {"finished", "error", "cancelled"}


class Api:
    """A client that asserts nothing by itself; paths are below the project."""

    def __init__(self, sandbox: RunningSandbox, *, api_key: str | None = None, project_id: str | None = None) -> None:
        self.sandbox = sandbox
        self.project_id = project_id or sandbox.project_id
        self.http = httpx.Client(
            base_url=sandbox.url,
            headers={"Authorization": f"Bearer {api_key or sandbox.api_key}"},
            trust_env=False,
            verify=False,  # noqa: S501 - nothing here speaks TLS; loading certificates would take longer than the test
            timeout=10,
        )

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        return self.http.request(method, f"/projects/{self.project_id}{path}", json=body, params=query)

    def get(self, path: str = "", **query: Any) -> Any:
        return self.call("GET", path, **query).raise_for_status().json()

    def done(self, response: httpx.Response) -> Any:
        """Waits for the operations of an accepted call; returns its answer."""
        assert response.is_success, response.text
        body = response.json()
        for operation in body["operations"]:
            self.wait_for(operation["id"])
        return body

    def wait_for(self, operation_id: str, *statuses: str) -> Any:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            operation = self.get(f"/operations/{operation_id}")["operation"]
            if operation["status"] in (statuses or FINAL):
                return operation
            time.sleep(0.005)
        raise AssertionError(f"operation is still {operation['status']}")

    def make_branch(self, name: str, *, endpoint: bool = False, **branch: Any) -> Any:
        endpoints = [{"type": "read_write"}] if endpoint else []
        return self.done(self.call("POST", "/branches", {"branch": {"name": name, **branch}, "endpoints": endpoints}))

    def restore(self, branch_id: str, **body: Any) -> httpx.Response:
        return self.call("POST", f"/branches/{branch_id}/restore", body)

    def take_snapshot(self, branch_id: str, **query: Any) -> Any:
        """A complete one."""
        taken = self.done(self.call("POST", f"/branches/{branch_id}/snapshot", **query))["snapshot"]
        return self.snapshot(taken["id"])

    def snapshot(self, snapshot_id: str) -> Any:
        return next(snapshot for snapshot in self.get("/snapshots")["snapshots"] if snapshot["id"] == snapshot_id)

    def restore_snapshot(self, snapshot_id: str, **body: Any) -> httpx.Response:
        return self.call("POST", f"/snapshots/{snapshot_id}/restore", body)

    def branch(self, branch_id: str) -> Any:
        return self.get(f"/branches/{branch_id}")["branch"]

    def named(self, name: str) -> Any:
        return next(branch for branch in self.get("/branches")["branches"] if branch["name"] == name)


def ago(**delta: float) -> str:
    return (datetime.now(UTC) - timedelta(**delta)).isoformat()


def ahead(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()
