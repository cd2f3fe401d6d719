"""Endpoints: the computes through which a branch is reached."""

from __future__ import annotations

from backups.neon import wire
from backups.neon.branches import NewEndpoint
from backups.neon.calls import Caller
from backups.neon.results import EndpointChange
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

    def start(self, project_id: str, endpoint_id: str, *, request_id: str | None = None) -> EndpointChange:
        return self._step("endpoints.start", project_id, endpoint_id, request_id)

    def suspend(self, project_id: str, endpoint_id: str, *, request_id: str | None = None) -> EndpointChange:
        """Cuts every connection; the next one wakes the endpoint again."""
        return self._step("endpoints.suspend", project_id, endpoint_id, request_id)

    def _step(self, name: str, project_id: str, endpoint_id: str, request_id: str | None) -> EndpointChange:
        return self._caller.change(
            name, EndpointChange.of, request_id=request_id, project_id=project_id, endpoint_id=endpoint_id
        )


def _one(raw: Raw) -> Endpoint:
    return Endpoint.of(wire.object_in(raw, "endpoint"))


def _listed(raw: Raw) -> tuple[Endpoint, ...]:
    return tuple(Endpoint.of(item) for item in wire.objects_in(raw, "endpoints"))
