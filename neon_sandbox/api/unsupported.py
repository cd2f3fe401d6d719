"""Calls of Neon that the sandbox knows and does not offer. They say so, instead of looking mistyped."""

from __future__ import annotations

from neon_sandbox.api.request import Reply, Request
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem


def anonymised_branches(plane: Plane, request: Request, **ids: str) -> Reply:
    raise ApiProblem(422, "anonymized branches are not available in the local sandbox; nothing was changed")


def recovery(plane: Plane, request: Request, **ids: str) -> Reply:
    raise ApiProblem(422, "what was deleted can not be recovered in the local sandbox")


def old_consumption_history(plane: Plane, request: Request) -> Reply:
    raise ApiProblem(422, "the figures of old plans are not available in the local sandbox; ask for v2")
