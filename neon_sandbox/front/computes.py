"""What a host name leads to: an endpoint, which is woken when it sleeps, or a branch as it was at a moment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from neon_sandbox.api.endpoints import start_endpoint
from neon_sandbox.api.request import Request
from neon_sandbox.entities import Branch, Endpoint, Role
from neon_sandbox.front.past import Past
from neon_sandbox.front.protocol import Refused
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem

WAKING_SECONDS = 15.0
_STEP_SECONDS = 0.02


@dataclass(frozen=True)
class Destination:
    """A compute that runs. `in_the_past`: read-only, and kept while somebody is connected."""

    port: int
    branch_id: str
    in_the_past: str | None = None


class Computes:
    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self.past = Past(plane)

    def role(self, host: str, name: str) -> Role | None:
        """Who may log in at a host. None is told to nobody: a wrong name looks like a wrong password."""
        branch_id = self._branch_id(host)
        return self._plane.store.get(Role, f"{branch_id}/{name}") if branch_id else None

    def destination(self, host: str, parameters: Mapping[str, str]) -> Destination:
        """Raises Refused when there is nothing to lead to. Waits for a compute that starts."""
        label = _label(host)
        if branch := self._plane.store.get(Branch, label):
            node_id, port = self.past.compute(branch, parameters.get("options", ""))
            return Destination(port, branch.id, node_id)
        endpoint = self._plane.store.get(Endpoint, label)
        if endpoint is None:
            raise _no_such(label)
        awake = self._awake(endpoint)
        return Destination(awake.port, awake.branch_id)

    def _branch_id(self, host: str) -> str | None:
        label = _label(host)
        if self._plane.store.get(Branch, label):
            return label
        endpoint = self._plane.store.get(Endpoint, label)
        return endpoint.branch_id if endpoint else None

    def _awake(self, endpoint: Endpoint) -> Endpoint:
        deadline = time.monotonic() + WAKING_SECONDS
        while endpoint.current_state != "active" or endpoint.pending_state not in (None, "active"):
            if time.monotonic() > deadline:
                raise Refused("the compute could not be started in time", "57P03")
            self._start(endpoint)
            time.sleep(_STEP_SECONDS)
            found = self._plane.store.get(Endpoint, endpoint.id)
            if found is None:
                raise _no_such(endpoint.id)
            endpoint = found
        return endpoint

    def _start(self, endpoint: Endpoint) -> None:
        if endpoint.current_state != "idle" or endpoint.pending_state is not None:
            return
        try:
            start_endpoint(self._plane, Request("POST", ""), endpoint.project_id, endpoint.id)
        except ApiProblem as problem:
            if problem.status != 423:  # somebody else's operations end
                raise Refused(problem.message) from None


def _label(host: str) -> str:
    return host.partition(".")[0].lower().removesuffix("-pooler")


def _no_such(label: str) -> Refused:
    return Refused(f"The requested endpoint could not be found, or you don't have access to it. Name: {label}")
