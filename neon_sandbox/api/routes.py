from __future__ import annotations

import re
from collections.abc import Sequence

from neon_sandbox.api import (
    accounts,
    backup_schedule,
    branches,
    catalog,
    consumption,
    control,
    create_branch,
    databases,
    endpoints,
    new_project,
    operations,
    projects,
    restore,
    restore_snapshot,
    roles,
    schema,
    snapshots,
    unsupported,
)
from neon_sandbox.api.request import Handler

Routes = Sequence[tuple[str, re.Pattern[str], Handler]]


def _compiled(*routes: tuple[str, str, Handler]) -> Routes:
    return [
        (method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]{1,128})", path) + "/?"), handler)
        for method, path, handler in routes
    ]


NEON: Routes = _compiled(
    ("GET", "/auth", accounts.auth),
    ("GET", "/users/me", accounts.me),
    ("GET", "/users/me/organizations", accounts.my_organizations),
    ("GET", "/organizations/{org_id}", accounts.get_organization),
    ("GET", "/consumption_history/projects", unsupported.old_consumption_history),
    ("GET", "/consumption_history/v2/projects", consumption.of_projects),
    ("GET", "/consumption_history/v2/branches", consumption.of_branches),
    ("GET", "/regions", accounts.list_regions),
    ("GET", "/projects", projects.list_projects),
    ("POST", "/projects", new_project.create_project),
    ("GET", "/projects/shared", projects.list_shared_projects),
    ("GET", "/projects/{project_id}", projects.get_project),
    ("PATCH", "/projects/{project_id}", projects.update_project),
    ("DELETE", "/projects/{project_id}", new_project.delete_project),
    ("GET", "/projects/{project_id}/operations", operations.list_operations),
    ("GET", "/projects/{project_id}/operations/{operation_id}", operations.get_operation),
    ("GET", "/projects/{project_id}/connection_uri", catalog.connection_uri),
    ("GET", "/projects/{project_id}/branches", branches.list_branches),
    ("POST", "/projects/{project_id}/branches", create_branch.create_branch),
    ("GET", "/projects/{project_id}/branches/count", branches.count_branches),
    ("GET", "/projects/{project_id}/branches/{branch_id}", branches.get_branch),
    ("PATCH", "/projects/{project_id}/branches/{branch_id}", branches.update_branch),
    ("DELETE", "/projects/{project_id}/branches/{branch_id}", branches.delete_branch),
    ("POST", "/projects/{project_id}/branches/{branch_id}/set_as_default", branches.set_default),
    ("POST", "/projects/{project_id}/branches/{branch_id}/restore", restore.restore_branch),
    ("POST", "/projects/{project_id}/branches/{branch_id}/snapshot", snapshots.create_snapshot),
    ("POST", "/projects/{project_id}/branches/{branch_id}/finalize_restore", restore_snapshot.finalize_restore),
    ("GET", "/projects/{project_id}/branches/{branch_id}/backup_schedule", backup_schedule.get_schedule),
    ("PUT", "/projects/{project_id}/branches/{branch_id}/backup_schedule", backup_schedule.put_schedule),
    ("GET", "/projects/{project_id}/snapshots", snapshots.list_snapshots),
    ("PATCH", "/projects/{project_id}/snapshots/{snapshot_id}", snapshots.update_snapshot),
    ("DELETE", "/projects/{project_id}/snapshots/{snapshot_id}", snapshots.delete_snapshot),
    ("POST", "/projects/{project_id}/snapshots/{snapshot_id}/restore", restore_snapshot.restore_snapshot),
    ("GET", "/projects/{project_id}/branches/{branch_id}/endpoints", endpoints.list_branch_endpoints),
    ("GET", "/projects/{project_id}/branches/{branch_id}/databases", databases.list_databases),
    ("POST", "/projects/{project_id}/branches/{branch_id}/databases", databases.create_database),
    ("GET", "/projects/{project_id}/branches/{branch_id}/databases/{database_name}", databases.get_database),
    ("PATCH", "/projects/{project_id}/branches/{branch_id}/databases/{database_name}", databases.update_database),
    ("DELETE", "/projects/{project_id}/branches/{branch_id}/databases/{database_name}", databases.delete_database),
    ("GET", "/projects/{project_id}/branches/{branch_id}/roles", roles.list_roles),
    ("POST", "/projects/{project_id}/branches/{branch_id}/roles", roles.create_role),
    ("GET", "/projects/{project_id}/branches/{branch_id}/roles/{role_name}", roles.get_role),
    ("DELETE", "/projects/{project_id}/branches/{branch_id}/roles/{role_name}", roles.delete_role),
    ("GET", "/projects/{project_id}/branches/{branch_id}/roles/{role_name}/reveal_password", roles.reveal_password),
    ("POST", "/projects/{project_id}/branches/{branch_id}/roles/{role_name}/reset_password", roles.reset_password),
    ("GET", "/projects/{project_id}/branches/{branch_id}/schema", schema.get_schema),
    ("GET", "/projects/{project_id}/branches/{branch_id}/compare_schema", schema.compare_schema),
    ("GET", "/projects/{project_id}/branches/{branch_id}/masking_rules", unsupported.anonymised_branches),
    ("PATCH", "/projects/{project_id}/branches/{branch_id}/masking_rules", unsupported.anonymised_branches),
    ("GET", "/projects/{project_id}/branches/{branch_id}/anonymized_status", unsupported.anonymised_branches),
    ("POST", "/projects/{project_id}/branches/{branch_id}/anonymize", unsupported.anonymised_branches),
    ("POST", "/projects/{project_id}/branches/{branch_id}/recover", unsupported.recovery),
    ("POST", "/projects/{project_id}/branch_anonymized", unsupported.anonymised_branches),
    ("POST", "/projects/{project_id}/recover", unsupported.recovery),
    ("GET", "/projects/{project_id}/endpoints", endpoints.list_endpoints),
    ("POST", "/projects/{project_id}/endpoints", endpoints.create_endpoint),
    ("GET", "/projects/{project_id}/endpoints/{endpoint_id}", endpoints.get_endpoint),
    ("PATCH", "/projects/{project_id}/endpoints/{endpoint_id}", endpoints.update_endpoint),
    ("DELETE", "/projects/{project_id}/endpoints/{endpoint_id}", endpoints.delete_endpoint),
    ("POST", "/projects/{project_id}/endpoints/{endpoint_id}/restart", endpoints.restart_endpoint),
    ("POST", "/projects/{project_id}/endpoints/{endpoint_id}/start", endpoints.start_endpoint),
    ("POST", "/projects/{project_id}/endpoints/{endpoint_id}/suspend", endpoints.suspend_endpoint),
)

CONTROL: Routes = _compiled(
    ("GET", "/_sandbox/faults", control.list_faults),
    ("POST", "/_sandbox/faults", control.add_fault),
    ("DELETE", "/_sandbox/faults", control.clear_faults),
    ("DELETE", "/_sandbox/faults/{fault_id}", control.clear_faults),
    ("GET", "/_sandbox/calls", control.list_calls),
    ("DELETE", "/_sandbox/calls", control.clear_calls),
    ("GET", "/_sandbox/settings", control.get_settings),
    ("PATCH", "/_sandbox/settings", control.update_settings),
    ("GET", "/_sandbox/keys", control.list_keys),
    ("POST", "/_sandbox/keys", control.add_key),
    ("DELETE", "/_sandbox/keys/{label}", control.revoke_key),
    ("GET", "/_sandbox/branches/{branch_id}/dsn", control.branch_dsn),
    ("PATCH", "/_sandbox/branches/{branch_id}", control.force_branch),
    ("POST", "/_sandbox/foreign_operation", control.foreign_operation),
    ("GET", "/_sandbox/clock", control.get_clock),
    ("POST", "/_sandbox/clock", control.move_clock),
    ("POST", "/_sandbox/projects", control.create_project),
)
