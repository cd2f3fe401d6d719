"""The forms of safety copies."""

from __future__ import annotations

from typing import Any

from django import forms

from backups.admin.drill.forms import NO_PATIENTS
from backups.admin.form_parts import PlainForm
from backups.admin.restore.forms import branch_label
from backups.domain.safety_copy import DEFAULT_KEEP_DAYS, LONGEST_BRANCH_DAYS, LONGEST_SNAPSHOT_DAYS, CopyKind
from backups.selectors.project import governed_branches

_KINDS = [
    ("", "What fits: a snapshot where the plan has room, else a branch"),
    (CopyKind.SNAPSHOT.value, "A snapshot: kept apart from the branch's history"),
    (CopyKind.BRANCH.value, "A branch: can be read at once"),
]
_DAYS = f"A branch lives {LONGEST_BRANCH_DAYS} days at most, a snapshot {LONGEST_SNAPSHOT_DAYS}."


def kind_field() -> forms.ChoiceField:
    """Snapshot, branch, or what fits."""
    return forms.ChoiceField(label="What is made", required=False, widget=forms.RadioSelect, choices=_KINDS, initial="")


def days_field(label: str) -> forms.IntegerField:
    """How many days a copy is kept."""
    return forms.IntegerField(
        label=label, min_value=1, max_value=LONGEST_SNAPSHOT_DAYS, initial=DEFAULT_KEEP_DAYS, help_text=_DAYS
    )


class CopyForm(PlainForm):
    """Of which branch, before what, and for how long."""

    branch = forms.ChoiceField(label="Branch", error_messages={"required": "Choose the branch."})
    reason = forms.CharField(
        label="Before what", max_length=500, help_text=f"Such as: migration 0042. {NO_PATIENTS}",
        error_messages={"required": "Say before what it is made."},
    )  # fmt: skip
    kind = kind_field()
    keep_days = days_field("Keep it for so many days")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = [(str(branch.pk), branch_label(branch)) for branch in governed_branches()]
        self.fields["branch"].choices = [("", "Choose…"), *found]  # type: ignore[attr-defined]


class ScheduleForm(PlainForm):
    """One copy a day."""

    is_on = forms.BooleanField(label="Make one every day", required=False)
    time = forms.TimeField(
        label="At (UTC)", input_formats=["%H:%M", "%H:%M:%S"], widget=forms.TimeInput({"type": "time"}, format="%H:%M")
    )
    kind = kind_field()
    keep_days = days_field("Keep each for so many days")
