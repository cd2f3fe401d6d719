"""Endpoints: the computes through which a branch is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backups.neon import wire
from backups.neon.branches import NewEndpoint
from backups.neon.calls import Caller
from backups.neon.results import EndpointChange, OperationsStarted
from backups.neon.sending import without_none
from backups.neon.types import Endpoint
from backups.neon.wire import Raw


class Endpoints:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self, project_id: str) -> tuple[Endpoint, ...]:
        return self._caller.read("endpoints.list", _listed, project_id=project_id)

    def list_for_branch(self, project_id: str, branch_id: str) -> tuple[Endpoint, ...]:
        return self._caller.read("endpoints.list_for_branch", _listed, project_id=project_id, branch_id=branch_id)

    def get(self, project_id: str, endpoint_id: str) -> Endpoint:
        return self._caller.read("endpoints.get", _one, project_id=project_id, endpoint_id=endpoint_id)

    def create(
        self,
        project_id: str,
        *,
        branch_id: str,
        endpoint: NewEndpoint | None = None,
        request_id: str | None = None,
    ) -> EndpointChange:
        """A branch has at most one read_write endpoint; a second one is refused."""
        chosen = endpoint or NewEndpoint()
        body = {"endpoint": {"branch_id": wire.checked_id(branch_id)} | chosen.body()}
        return self._caller.change(
            "endpoints.create", EndpointChange.of, body, request_id=request_id, project_id=project_id
        )

    def update(
        self,
        project_id: str,
        endpoint_id: str,
        *,
        autoscaling_limit_min_cu: float | None = None,
        autoscaling_limit_max_cu: float | None = None,
        suspend_timeout_seconds: int | None = None,
        disabled: bool | None = None,
        request_id: str | None = None,
    ) -> EndpointChange:
        """Change what is given. An idle endpoint may wake for it. `suspend_timeout_seconds` of 0 is Neon's default,
        -1 means never; a `disabled` one lets nobody in."""
        changes = without_none(
            autoscaling_limit_min_cu=autoscaling_limit_min_cu,
            autoscaling_limit_max_cu=autoscaling_limit_max_cu,
            suspend_timeout_seconds=suspend_timeout_seconds,
            disabled=disabled,
        )
        if not changes:
            raise ValueError("nothing to change")
        return self._step("endpoints.update", project_id, endpoint_id, request_id, {"endpoint": changes})

    def delete(self, project_id: str, endpoint_id: str, *, request_id: str | None = None) -> OperationsStarted:
        """The branch stays, and can't be reached any more. No operations when there was none to delete."""
        return self._caller.change(
            "endpoints.delete",
            OperationsStarted.of_delete,
            request_id=request_id,
            project_id=project_id,
            endpoint_id=endpoint_id,
        )

    def start(self, project_id: str, endpoint_id: str, *, request_id: str | None = None) -> EndpointChange:
        return self._step("endpoints.start", project_id, endpoint_id, request_id)

    def suspend(self, project_id: str, endpoint_id: str, *, request_id: str | None = None) -> EndpointChange:
        """Cuts every connection; the next one wakes the endpoint again."""
        return self._step("endpoints.suspend", project_id, endpoint_id, request_id)

    def restart(self, project_id: str, endpoint_id: str, *, request_id: str | None = None) -> EndpointChange:
        """Suspends at once, which cuts every connection, and starts again."""
        return self._step("endpoints.restart", project_id, endpoint_id, request_id)

    def _step(
        self,
        name: str,
        project_id: str,
        endpoint_id: str,
        request_id: str | None,
        body: Mapping[str, Any] | None = None,
    ) -> EndpointChange:
        return self._caller.change(
            name, EndpointChange.of, body, request_id=request_id, project_id=project_id, endpoint_id=endpoint_id
        )


def _one(raw: Raw) -> Endpoint:
    return Endpoint.of(wire.object_in(raw, "endpoint"))


def _listed(raw: Raw) -> tuple[Endpoint, ...]:
    return tuple(Endpoint.of(item) for item in wire.objects_in(raw, "endpoints"))
