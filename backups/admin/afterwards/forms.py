"""The forms of what is left after a restore."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from backups.admin.afterwards.words import SECTION
from backups.admin.drill.forms import NO_PATIENTS, text_field
from backups.admin.form_parts import PlainForm
from backups.admin.restore.forms import branch_choices
from backups.domain.afterwards import PointState, ReviewSection
from backups.domain.monitor import KINDS
from backups.domain.people import Capability
from backups.domain.restore import RestoreKind
from backups.models import Finding
from backups.selectors.people import people_with

#: Kinds of finding that stay until somebody explains them.
OUTSIDE = tuple(code for code, kind in KINDS.items() if not kind.closes_by_itself)


def people_choices(capability: Capability, first: str = "Choose…") -> list[tuple[str, str]]:
    """Active people who hold the capability."""
    people = [(str(user.pk), user.get_full_name() or user.username) for user in people_with(capability)]
    return [("", first), *people]


class PointForm(PlainForm):
    """How a point stands, and why where it is not needed."""

    state = forms.ChoiceField(
        label="How does it stand?",
        widget=forms.RadioSelect,
        choices=[
            (PointState.DONE.value, "Done"),
            (PointState.NOT_NEEDED.value, "Not needed"),
            (PointState.OPEN.value, "Open"),
        ],
        error_messages={"required": "Choose one."},
    )
    reason = text_field("Why it is not needed, or a remark", rows=3, required=False)


class KeepForm(PlainForm):
    """How long the state before a restore is kept, and who answers for it."""

    MOMENTS: ClassVar[dict[str, str]] = {"until": "Keep it until"}
    ORDER = ("until", "owner")

    owner = forms.ChoiceField(label="Who answers for it", error_messages={"required": "Choose who answers for it."})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = people_choices(Capability.WORK_AFTERWARDS)  # type: ignore[attr-defined]


class RemoveStateForm(PlainForm):
    """The wish to delete the state before a restore."""

    MOMENTS: ClassVar[dict[str, str]] = {"not_before": "Not before"}
    OPTIONAL_MOMENTS = frozenset({"not_before"})
    ORDER = ("reason", "not_before")

    reason = text_field("Why it is not needed any more", rows=3)


class RemoveCopyForm(PlainForm):
    """The wish to delete a safety copy before its time."""

    reason = text_field("Why it is not needed any more", rows=3)


class ReviewForm(PlainForm):
    """The five sections; what is empty can be written later."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for section in ReviewSection:
            self.fields[section.value] = text_field(SECTION[section], rows=5, required=False)

    def sections(self) -> dict[ReviewSection, str]:
        """What was typed."""
        return {section: self.cleaned_data.get(section.value) or "" for section in ReviewSection}


class ReviewActionForm(PlainForm):
    """Something that somebody does because of the review."""

    title = forms.CharField(label="What is to be done", max_length=200, help_text=NO_PATIENTS)
    owner = forms.ChoiceField(label="Who does it", error_messages={"required": "Choose who does it."})
    due_on = forms.DateField(
        label="Until (UTC)", widget=forms.DateInput({"type": "date"}), error_messages={"required": "Say by which day."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = people_choices(Capability.READ_REQUESTS)  # type: ignore[attr-defined]


class SetupForm(PlainForm):
    """What is asked about after a restore."""

    systems = forms.CharField(
        label="Systems beside the database",
        required=False,
        widget=forms.Textarea({"rows": 6}),
        help_text="One a line. A restore takes none of them back, so each is asked about. For the whole project.",
    )
    health_url = forms.CharField(
        label="Health address of the application",
        required=False,
        max_length=200,
        help_text="Asked after a restore; only its status counts. No password in it, please.",
    )


class RetrospectiveForm(PlainForm):
    """A restore that was done by hand."""

    MOMENTS: ClassVar[dict[str, str]] = {"done_at": "When was it done?", "point_at": "Which moment was brought back?"}
    OPTIONAL_MOMENTS = frozenset({"point_at"})
    ORDER = ("branch", "kind", "done_at", "point_at", "done_by", "done_by_name", "why", "lost", "finding")

    branch = forms.ChoiceField(label="Branch", error_messages={"required": "Choose the branch."})
    kind = forms.ChoiceField(
        label="What was done at Neon",
        widget=forms.RadioSelect,
        choices=[
            (RestoreKind.IN_PLACE.value, "The branch was taken back in place"),
            (RestoreKind.SNAPSHOT.value, "The branch was replaced from a snapshot"),
            (RestoreKind.NEW_BRANCH.value, "A branch was made beside it, and used"),
        ],
        error_messages={"required": "Choose one."},
    )
    done_by = forms.ChoiceField(label="Who did it", required=False)
    done_by_name = forms.CharField(
        label="Or a name", required=False, max_length=150, help_text="For somebody without an account."
    )
    why = text_field("Why it was done outside the portal")
    lost = text_field("What was lost", help_text="As far as is known. No patient details, please.")
    finding = forms.ChoiceField(label="Finding of the monitor that it explains", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["branch"].choices = [("", "Choose…"), *branch_choices()]  # type: ignore[attr-defined]
        self.fields["done_by"].choices = people_choices(Capability.READ_REQUESTS, "Somebody without an account")  # type: ignore[attr-defined]
        self.fields["finding"].choices = [("", "None"), *_findings()]  # type: ignore[attr-defined]


def _findings() -> list[tuple[str, str]]:
    """What the monitor found outside the portal and nobody has explained yet."""
    found = Finding.objects.filter(closed_at__isnull=True, code__in=[code.value for code in OUTSIDE])
    return [(str(each.pk), f"{each.reference}: {each.sentence}"[:120]) for each in found]
