"""Endpoints: the computes through which a branch is reached."""

from __future__ import annotations

from backups.neon import wire
from backups.neon.branches import NewEndpoint
from backups.neon.calls import Caller
from backups.neon.results import EndpointChange
from backups.neon.types import Endpoint, Operation
from backups.neon.wire import Raw


class Endpoints:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self, project_id: str) -> tuple[Endpoint, ...]:
        return self._caller.read(_path(project_id), _listed)

    def list_for_branch(self, project_id: str, branch_id: str) -> tuple[Endpoint, ...]:
        path = f"/projects/{wire.checked_id(project_id)}/branches/{wire.checked_id(branch_id)}/endpoints"
        return self._caller.read(path, _listed)

    def get(self, project_id: str, endpoint_id: str) -> Endpoint:
        return self._caller.read(
            _path(project_id, endpoint_id), lambda raw: Endpoint.of(wire.object_in(raw, "endpoint"))
        )

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
        return self._caller.change("create_endpoint", "POST", _path(project_id), _changed, body, request_id=request_id)

    def start(self, project_id: str, endpoint_id: str, *, request_id: str | None = None) -> EndpointChange:
        path = f"{_path(project_id, endpoint_id)}/start"
        return self._caller.change("start_endpoint", "POST", path, _changed, request_id=request_id)

    def suspend(self, project_id: str, endpoint_id: str, *, request_id: str | None = None) -> EndpointChange:
        """Cuts every connection; the next one wakes the endpoint again."""
        path = f"{_path(project_id, endpoint_id)}/suspend"
        return self._caller.change("suspend_endpoint", "POST", path, _changed, request_id=request_id)


def _path(project_id: str, endpoint_id: str | None = None) -> str:
    path = f"/projects/{wire.checked_id(project_id)}/endpoints"
    return path if endpoint_id is None else f"{path}/{wire.checked_id(endpoint_id)}"


def _listed(raw: Raw) -> tuple[Endpoint, ...]:
    return tuple(Endpoint.of(item) for item in wire.objects_in(raw, "endpoints"))


def _changed(raw: Raw, request_id: str) -> EndpointChange:
    return EndpointChange(
        endpoint=Endpoint.of(wire.object_in(raw, "endpoint")),
        operations=tuple(Operation.of(item) for item in wire.objects_in(raw, "operations")),
        request_id=request_id,
    )
