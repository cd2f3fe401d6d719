"""The form of a new export."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib.auth.models import User

from backups.admin.audit.export_words import FORMAT_EXPLAINED, other_actors
from backups.admin.form_parts import PlainForm
from backups.domain.export import ExportFormat, ExportScope
from backups.domain.period import Period
from backups.services.ledger import event_meanings


def logins() -> dict[str, str]:
    """Who is who, by the name that the ledger has for them. One query."""
    return {f"user:{pk}": login for pk, login in User.objects.order_by("username").values_list("pk", "username")}


class ExportForm(PlainForm):
    """Which events, and in which form."""

    format = forms.ChoiceField(
        label="What do you need?",
        widget=forms.RadioSelect,
        choices=[(each.value, FORMAT_EXPLAINED[each]) for each in ExportFormat],
        error_messages={"required": "Choose one."},
    )
    first = forms.DateField(
        label="First day (UTC)", required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Give the day as 2026-11-26."},
    )  # fmt: skip
    last = forms.DateField(
        label="Last day (UTC)", required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="By when events were recorded; the last day is included.",
        error_messages={"invalid": "Give the day as 2026-11-26."},
    )  # fmt: skip
    family = forms.ChoiceField(label="Type of event", required=False)
    person = forms.ChoiceField(label="Done by", required=False)
    target = forms.CharField(
        label="About", required=False, max_length=200, help_text="The exact id, such as R-0007 or D-0003."
    )
    with_sandbox = forms.BooleanField(
        label="With the events of sandbox projects",
        required=False,
        help_text="They are no evidence of anything, and each is marked so.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        families = sorted({code.partition(".")[0] for code in event_meanings()})
        self.fields["family"].choices = [("", "All"), *((f"{each}.", each) for each in families)]  # type: ignore[attr-defined]
        people = [("", "Anybody"), *logins().items(), *other_actors()]
        self.fields["person"].choices = people  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = data.get("first"), data.get("last")
        if bool(first) != bool(last) and not {"first", "last"} & self.errors.keys():
            self.refuse("last" if first else "first", "Give both days, or none for all time.")
        elif first and last and last < first:
            self.refuse("last", "The last day is before the first.")
        return data

    def scope(self) -> ExportScope:
        """What was chosen; only of a form that is valid."""
        data = self.cleaned_data
        first: dt.date | None = data["first"]
        return ExportScope(
            period=Period(first, data["last"]) if first else None,
            family=data["family"],
            person=data["person"],
            target=data["target"].strip(),
            with_sandbox=data["with_sandbox"],
        )
