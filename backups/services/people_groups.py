"""Django's groups, one for each role, kept equal to the matrix after every migration.

Django's permissions only list what a role can see in the admin; nothing is decided by them, because a superuser
has all of them. What may be done is decided by Capability.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

from backups.domain.people import Capability, Role, capabilities_of

_RESTORE_MODELS = "restorerequest decisionpacket vote comment execution look"

# Capability -> permissions of Django, as "application.codename".
PERMISSIONS_OF_CAPABILITY: dict[Capability, tuple[str, ...]] = {
    Capability.READ_REQUESTS: tuple(f"backups.view_{model}" for model in _RESTORE_MODELS.split()),
    Capability.READ_PROJECTS: ("backups.view_project", "backups.view_protectedbranch"),
    Capability.MANAGE_PROJECTS: ("backups.change_project", "backups.change_protectedbranch"),
    Capability.READ_LEDGER: ("backups.view_ledgerevent",),
    Capability.READ_PEOPLE: ("auth.view_user", "backups.view_rolemembership"),
    Capability.MANAGE_PEOPLE: ("auth.add_user", "auth.change_user"),
}


def synchronise_groups(**_: Any) -> None:
    """Makes the groups and gives each exactly its permissions. Harmless to repeat; a receiver of post_migrate."""
    for label in ("auth", "backups"):
        create_permissions(apps.get_app_config(label), verbosity=0)
    with transaction.atomic():
        for role in Role:
            group, _created = Group.objects.get_or_create(name=role.label)
            group.permissions.set(_permissions(role))


def _permissions(role: Role) -> list[Permission]:
    names = [name for capability in capabilities_of((role,)) for name in PERMISSIONS_OF_CAPABILITY.get(capability, ())]
    if not names:
        return []
    wanted = Q()
    for name in names:
        application, codename = name.split(".")
        wanted |= Q(content_type__app_label=application, codename=codename)
    return list(Permission.objects.filter(wanted))
