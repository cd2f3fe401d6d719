"""Accounts and their roles, for administrators. Nobody changes his own."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from backups.admin.capability_admin import CapabilityAdmin
from backups.domain.people import Capability, Role
from backups.models import RoleMembership
from backups.selectors.people import actor_of, is_service_account, roles_of
from backups.services.people import PeopleRefused, change_person, record_people_refusal

_HELP_OF_ROLES = "Engineers file and start restores, managers vote, auditors read the ledger, administrators set up."


class _RolesMixin(forms.Form):
    roles = forms.MultipleChoiceField(
        choices=[(role.value, role.label) for role in Role],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_HELP_OF_ROLES,
    )
    is_service_account = forms.BooleanField(
        required=False, label="Used by a program", help_text="A program may file and read; it never votes."
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("is_service_account") and Role.MANAGER.value in data.get("roles", ()):
            self.add_error("roles", "A program does not vote. Choose another role, or clear “Used by a program”.")
        return data


class PersonAddForm(_RolesMixin, AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email")


class PersonChangeForm(_RolesMixin, UserChangeForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["roles"] = [role.value for role in roles_of(self.instance)]
            self.initial["is_service_account"] = is_service_account(self.instance)


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PersonAdmin(CapabilityAdmin, UserAdmin):  # type: ignore[type-arg]
    view_capability = Capability.READ_PEOPLE
    add_capability = Capability.MANAGE_PEOPLE
    change_capability = Capability.MANAGE_PEOPLE

    form = PersonChangeForm
    add_form = PersonAddForm
    list_display = ("username", "full_name", "email", "roles_held", "is_active", "last_seen")
    list_filter = ("is_active", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    actions = None
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "roles", "is_service_account", "role_history", "last_seen")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("roles", "is_service_account")}),
    )
    shown_fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "roles_held", "role_history", "last_seen")}),
    )
    readonly_fields = ("roles_held", "role_history", "last_seen")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        held = RoleMembership.objects.order_by("since")
        return super().get_queryset(request).prefetch_related(Prefetch("role_memberships", queryset=held))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody changes his own account here: roles and all else about it are another administrator's to give."""
        own = obj is not None and obj.pk == request.user.pk
        return not own and super().has_change_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return self.shown_fieldsets
        return super().get_fieldsets(request, obj)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A refusal by the service comes out of the transaction, is recorded, and is said on the page."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except PeopleRefused as refused:
            record_people_refusal(actor=actor_of(request.user, request), refused=refused)
            self.message_user(request, refused.sentence, level=messages.ERROR)
            return HttpResponseRedirect(request.path)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Django saves first and tells of it afterwards; the password and its event stand or fall together."""
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        if not change:
            obj.is_staff = True
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: ModelForm[User], formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        change_person(
            actor=actor_of(request.user, request),
            user_id=form.instance.pk,
            roles={Role(role) for role in form.cleaned_data["roles"]},
            is_service_account=form.cleaned_data["is_service_account"],
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "People"} | (extra_context or {}))

    @admin.display(description="last log-in (UTC)", ordering="last_login")
    def last_seen(self, user: User) -> str:
        return f"{user.last_login:%Y-%m-%d %H:%M}" if user.last_login else "never"

    @admin.display(description="name", ordering="first_name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description="roles")
    def roles_held(self, user: User) -> str:
        held = [held.get_role_display() for held in user.role_memberships.all() if held.until is None]
        return ", ".join(held) or "none"

    @admin.display(description="roles since (UTC)")
    def role_history(self, user: User) -> str:
        return "\n".join(_span(held) for held in user.role_memberships.all()) or "none"


def _span(held: RoleMembership) -> str:
    until = f"until {held.until:%Y-%m-%d %H:%M:%S}" if held.until else "now"
    return f"{held.get_role_display()}: {held.since:%Y-%m-%d %H:%M:%S} {until}"
