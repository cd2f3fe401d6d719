"""Who the key belongs to, the one organisation that there is, and the regions it may choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neon_sandbox import problems
from neon_sandbox.api.projects import ORGANISATION_ID
from neon_sandbox.api.request import Reply, Request
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem

# What the API answers; every project runs on this machine.
REGIONS: Mapping[str, tuple[str, str, str]] = {
    "aws-us-east-2": ("AWS US East 2 (Ohio)", "39.96", "-83"),
    "aws-us-east-1": ("AWS US East 1 (N. Virginia)", "38.13", "-78.45"),
    "aws-us-west-2": ("AWS US West 2 (Oregon)", "46.15", "-123.88"),
    "aws-eu-central-1": ("AWS Europe Central 1 (Frankfurt)", "50", "8"),
    "aws-eu-west-2": ("AWS Europe West 2 (London)", "51.5", "-0.13"),
    "aws-ap-southeast-1": ("AWS Asia Pacific 1 (Singapore)", "1.37", "103.8"),
    "aws-ap-southeast-2": ("AWS Asia Pacific 2 (Sydney)", "-33.86", "151.2"),
    "aws-sa-east-1": ("AWS South America East 1 (São Paulo)", "-23.55", "-46.63"),
}
AUTH_METHODS = {"personal": "api_key_user", "organisation": "api_key_org", "project": "api_key_org"}


def auth(plane: Plane, request: Request) -> Reply:
    return Reply(200, {"account_id": ORGANISATION_ID, "auth_method": AUTH_METHODS[request.key_kind]})


def me(plane: Plane, request: Request) -> Reply:
    return Reply(
        200,
        {
            "id": "7d5a2a4e-0000-4000-8000-000000000001",
            "login": "local",
            "email": "owner@example.com",
            "name": "Local",
            "last_name": "Owner",
            "image": "",
            "plan": plane.settings.plan,
            "auth_accounts": [],
            "active_seconds_limit": 0,
            "projects_limit": 100,
            "branches_limit": plane.branch_cap(),
            "max_autoscaling_limit": 8,
        },
    )


def my_organizations(plane: Plane, request: Request) -> Reply:
    return Reply(200, {"organizations": [_organization(plane)]})


def get_organization(plane: Plane, request: Request, org_id: str) -> Reply:
    if org_id != ORGANISATION_ID:
        raise problems.not_found("organization")
    return Reply(200, _organization(plane))


def list_regions(plane: Plane, request: Request) -> Reply:
    if request.query.get("org_id", ORGANISATION_ID) != ORGANISATION_ID:
        raise problems.not_found("organization")
    return Reply(200, {"regions": [_region(region_id) for region_id in REGIONS]})


def region_of(region_id: str) -> str:
    """The id itself. Raises ApiProblem 400 when there is no such region."""
    if region_id not in REGIONS:
        raise ApiProblem(400, f"region {region_id} does not exist; GET /regions lists them")
    return region_id


def _organization(plane: Plane) -> dict[str, Any]:
    return {
        "id": ORGANISATION_ID,
        "name": "Local",
        "handle": "local",
        "plan": plane.settings.plan,
        "managed_by": "console",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }


def _region(region_id: str) -> dict[str, Any]:
    name, latitude, longitude = REGIONS[region_id]
    return {
        "region_id": region_id,
        "name": name,
        "default": region_id == next(iter(REGIONS)),
        "geo_lat": latitude,
        "geo_long": longitude,
    }
