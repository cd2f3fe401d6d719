"""What a key may do. A project-scoped one sees its project only, and nothing of the organisation."""

from __future__ import annotations

from neon_sandbox import problems
from neon_sandbox.api.request import Request
from neon_sandbox.entities import Key
from neon_sandbox.problems import ApiProblem

_ORGANISATION_CALLS = ("organizations", "consumption_history")


def refuse_beyond(key: Key, request: Request) -> None:
    """Raises ApiProblem 404 for another project, as if it did not exist, and 403 for calls of the organisation."""
    if key.kind != "project" or key.project_id is None:
        return
    first, *rest = request.path.strip("/").split("/")
    if first in _ORGANISATION_CALLS or request.path.startswith("/users/me/organizations"):
        raise ApiProblem(403, "this key is limited to one project; the call needs a key of the organization")
    if first != "projects" or rest == ["shared"]:
        return
    if not rest and request.method != "GET":
        raise ApiProblem(403, "this key is limited to one project and can not create another")
    if rest and rest[0] != key.project_id:
        raise problems.not_found("project")
    if len(rest) == 1 and request.method == "DELETE":
        raise ApiProblem(403, "this key is limited to one project and can not delete it")
