"""The forms with which people log exercises and add to drills."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.models import User

from backups.admin.drill import words
from backups.admin.form_parts import PlainForm
from backups.admin.restore.forms import branch_label
from backups.admin.words import SCENARIO
from backups.domain.drill import DrillOutcome, DrillType, FindingSeverity
from backups.domain.restore import Scenario
from backups.models import Drill, Project, RestoreRequest
from backups.selectors.project import governed_branches
from backups.services.drill_log.exercise import Ending, Exercise

NO_PATIENTS = "No patient details, please."


def text_field(label: str, *, rows: int = 4, help_text: str = NO_PATIENTS, required: bool = True) -> forms.CharField:
    """Several lines in people's own words."""
    return forms.CharField(
        label=label, required=required, widget=forms.Textarea({"rows": rows, "maxlength": 4000}), help_text=help_text
    )


def minutes_field(label: str) -> forms.IntegerField:
    """An objective; empty means that none was set."""
    return forms.IntegerField(label=label, min_value=1, max_value=100_000, required=False, help_text="In minutes.")


def account_choices() -> list[tuple[str, str]]:
    """Everybody with an account that is switched on."""
    people = User.objects.filter(is_active=True).exclude(profile__is_service_account=True).order_by("username")
    return [(str(person.pk), f"{person.get_full_name() or person.username} ({person.username})") for person in people]


def place_choices() -> list[tuple[str, str]]:
    """Whole projects and their branches: `p3`, `b7`."""
    projects = [
        (f"p{project.pk}", f"{project.name}, the whole project") for project in Project.objects.order_by("name")
    ]
    return projects + [(f"b{branch.pk}", branch_label(branch)) for branch in governed_branches()]


class ExerciseForm(PlainForm):
    """An exercise with people: what, where, and when it is to be."""

    MOMENTS: ClassVar[dict[str, str]] = {"planned": "Planned for"}
    OPTIONAL_MOMENTS = frozenset({"planned"})
    ORDER = ("title", "type", "scenario", "place", "planned", "story", "rto_minutes", "rpo_minutes", "restore_request")

    title = forms.CharField(label="Name", max_length=160, help_text="Short, for lists.")
    type = forms.ChoiceField(
        label="How much is rehearsed",
        widget=forms.RadioSelect,
        choices=[(kind.value, text) for kind, text in words.TYPE.items()],
        initial=DrillType.TABLETOP.value,
    )
    scenario = forms.ChoiceField(label="Scenario", choices=[(each.value, text) for each, text in SCENARIO.items()])
    place = forms.ChoiceField(label="Which data", error_messages={"required": "Choose what it is about."})
    story = text_field("What is supposed to have happened", rows=5)
    rto_minutes = minutes_field("Recovery time wanted")
    rpo_minutes = minutes_field("Lost data allowed")
    restore_request = forms.CharField(
        label="Restore that is part of it",
        required=False,
        max_length=12,
        help_text="For a full exercise that restores for real: R-0142. Its times are taken over.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["place"].choices = [("", "Choose…"), *place_choices()]  # type: ignore[attr-defined]

    def clean_restore_request(self) -> int | None:
        typed = self.cleaned_data["restore_request"].strip().upper().removeprefix("R-")
        if not typed:
            return None
        if not typed.isdigit() or not RestoreRequest.objects.filter(pk=int(typed)).exists():
            raise forms.ValidationError("There is no such restore request. Write it as R-0142.")
        return int(typed)

    def exercise(self) -> Exercise:
        """What was typed; call it only when the form is valid."""
        typed = self.cleaned_data
        project_id, branch_id = _place(typed["place"])
        return Exercise(
            type=DrillType(typed["type"]),
            title=typed["title"],
            project_id=project_id,
            branch_id=branch_id,
            scenario=Scenario(typed["scenario"]),
            story=typed["story"],
            planned_for=typed["planned"],
            restore_request_id=typed["restore_request"],
            rto_objective_seconds=seconds_of(typed["rto_minutes"]),
            rpo_objective_seconds=seconds_of(typed["rpo_minutes"]),
        )


def exercise_initial(drill: Drill) -> dict[str, Any]:
    """The form's fields for an exercise that is changed."""
    return {
        "title": drill.title,
        "type": drill.type,
        "scenario": drill.scenario,
        "place": f"b{drill.branch_id}" if drill.branch_id else f"p{drill.project_id}",
        "story": drill.story.text if drill.story else "",
        "rto_minutes": drill.rto_objective_seconds and drill.rto_objective_seconds // 60,
        "rpo_minutes": drill.rpo_objective_seconds and drill.rpo_objective_seconds // 60,
        "restore_request": drill.restore_request.reference if drill.restore_request else "",
    }


def _place(value: str) -> tuple[int, int | None]:
    if value.startswith("p"):
        return int(value[1:]), None
    branch = governed_branches().get(pk=int(value[1:]))
    return branch.project_id, branch.pk


def seconds_of(minutes: int | None) -> int | None:
    """What was typed in minutes; None stays None."""
    return None if minutes is None else minutes * 60


class EndForm(PlainForm):
    """How the exercise went."""

    MOMENTS: ClassVar[dict[str, str]] = {
        "noticed": "When was the damage noticed, in the exercise?",
        "verified": "When was the recovery verified?",
        "ended": "When did the exercise end?",
    }
    OPTIONAL_MOMENTS = frozenset({"noticed", "verified"})
    ORDER = ("outcome", "noticed", "verified", "ended", "conclusion")

    outcome = forms.ChoiceField(
        label="What did it show?",
        widget=forms.RadioSelect,
        choices=[
            (DrillOutcome.PASSED.value, "Passed: the people and the means would have recovered the data in time"),
            (DrillOutcome.FAILED.value, "Failed: they would not"),
            (DrillOutcome.INCONCLUSIVE.value, "Could not tell: it was broken off, or it did not get that far"),
        ],
        error_messages={"required": "Say what it showed."},
    )
    conclusion = text_field("What came of it", rows=6)

    def ending(self) -> Ending | None:
        """What was typed; None with a sentence beside a field."""
        ended_at = self.needed("ended")
        if not self.is_valid() or not isinstance(ended_at, dt.datetime):
            return None
        typed = self.cleaned_data
        return Ending(
            outcome=DrillOutcome(typed["outcome"]),
            conclusion=typed["conclusion"],
            ended_at=ended_at,
            noticed_at=typed["noticed"],
            verified_at=typed["verified"],
        )


class CancelForm(PlainForm):
    """Why it will not be held."""

    reason = text_field("Why", rows=3)


class ParticipantForm(PlainForm):
    """Somebody who took part."""

    login = forms.ChoiceField(label="Somebody with an account", required=False)
    name = forms.CharField(label="Or a name", required=False, max_length=150, help_text="For somebody without one.")
    part = forms.CharField(label="What they did", required=False, max_length=120)
    ran_it = forms.BooleanField(label="Led the exercise", required=False, help_text="Such a person can't sign it off.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(is_active=True).order_by("username").values_list("username", flat=True)
        self.fields["login"].choices = [("", "Nobody"), *((login, login) for login in people)]  # type: ignore[attr-defined]


class NoteForm(PlainForm):
    """One line of the timeline."""

    MOMENTS: ClassVar[dict[str, str]] = {"at": "When did it happen?"}
    ORDER = ("at", "text")

    text = text_field("What happened", rows=3)


class FindingForm(PlainForm):
    """Something the drill has shown."""

    severity = forms.ChoiceField(
        label="How much it matters",
        widget=forms.RadioSelect,
        choices=[
            (FindingSeverity.MAJOR.value, "Major: a recovery would fail or come too late"),
            (FindingSeverity.MINOR.value, "Minor: it would be slower or harder than need be"),
            (FindingSeverity.OBSERVATION.value, "Observation: good to know"),
        ],
        error_messages={"required": "Say how much it matters."},
    )
    text = text_field("What was found")


class ActionForm(PlainForm):
    """What must be done because of it."""

    ORDER = ("title", "owner", "due_on")

    title = forms.CharField(label="What is to be done", max_length=200, help_text=NO_PATIENTS)
    owner = forms.ChoiceField(label="Who does it", error_messages={"required": "Choose who does it."})
    due_on = forms.DateField(
        label="Until",
        widget=forms.DateInput({"type": "date"}),
        help_text="The last day, in UTC. After it, managers are told.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = [("", "Choose…"), *account_choices()]  # type: ignore[attr-defined]


class MoveForm(ActionForm):
    """Another owner or day for an open action."""

    ORDER = ("owner", "due_on", "reason")

    reason = text_field("Why it moves", rows=3)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["title"]


class ProofForm(PlainForm):
    """What shows that an action is done."""

    proof = text_field("What shows it", rows=3, help_text=f"A ticket, a commit, a document. {NO_PATIENTS}")


class FileForm(PlainForm):
    """A file, judged by its content."""

    file = forms.FileField(
        label="File",
        allow_empty_file=True,
        help_text=f"PDF, PNG, JPEG, txt, csv or md, at most 10 MB. It can only be downloaded. {NO_PATIENTS}",
        error_messages={"required": "Choose a file."},
    )


class SignForm(PlainForm):
    """A manager's word."""

    text = text_field("What you looked at, and what you make of it")


class ConfirmForm(PlainForm):
    """Nothing to fill in."""
