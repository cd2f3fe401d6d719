"""Django's model pages, opened by the capabilities of a role. Being a superuser opens none."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from backups.domain.people import Capability
from backups.selectors.people import actor_of


class CapabilityAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What is None is given to nobody."""

    view_capability: ClassVar[Capability | None] = None
    add_capability: ClassVar[Capability | None] = None
    change_capability: ClassVar[Capability | None] = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, self.view_capability) or _may(request, self.change_capability)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _may(request, self.add_capability)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, self.change_capability)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing that the portal keeps is deleted through a page."""
        return False


def _may(request: HttpRequest, capability: Capability | None) -> bool:
    return capability is not None and actor_of(request.user, request).may(capability)
