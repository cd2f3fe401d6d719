"""The filing form: what was typed, made into a wish, and refusals put back beside their fields."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.utils import timezone

from backups.admin import words
from backups.admin.moments import MomentError, MomentsForm, moment_initial, read_lsn
from backups.domain.policy import Environment
from backups.domain.restore import (
    PointKind,
    RestoreKind,
    RestorePoint,
    Scenario,
    SnapshotMode,
    StartMode,
    Urgency,
    WritersStopped,
)
from backups.models import Look, ProtectedBranch, RestoreRequest
from backups.selectors.project import governed_branches
from backups.services.restore.draft import Wish
from backups.services.restore.errors import InvalidInput
from backups.services.snapshot import choose_snapshot

_FIELD_OF_SERVICE = {"noticed_at": "noticed", "began_at": "began", "copy_expires_at": "copy_days"}


def _choices(said: dict[Any, str]) -> list[tuple[str, str]]:
    return [(word.value, text) for word, text in said.items()]


def branch_choices() -> list[tuple[str, str]]:
    """Every branch in care: where it is, what it is used for, and whether Neon can restore it."""
    return [(str(branch.pk), branch_label(branch)) for branch in governed_branches()]


def branch_label(branch: ProtectedBranch) -> str:
    """`carecircle-prod / main · PRODUCTION`; what is not real says so first, where a narrow list does not cut it."""
    kind = {True: "", False: " · child branch", None: " · not known to be a root branch"}[branch.is_root]
    sandbox = "SANDBOX · " if branch.project.is_sandbox else ""
    used_for = words.ENVIRONMENT[Environment(branch.environment)].upper()
    return f"{sandbox}{branch.project.name} / {branch.name} · {used_for}{kind}"


class FilingForm(MomentsForm):
    """One page, in the order in which people think: what happened, where, back to when, how, when, why."""

    MOMENTS: ClassVar[dict[str, str]] = {
        "point": "Back to",
        "noticed": "When did you notice?",
        "began": "When did it begin?",
    }

    scenario = forms.ChoiceField(
        label="What happened?", choices=_choices(words.SCENARIO), widget=forms.RadioSelect,
        error_messages={"required": "Say what happened."},
    )  # fmt: skip
    ticket = forms.CharField(label="Ticket or incident", required=False, max_length=80)
    thread_url = forms.URLField(
        label="Link to the call or thread", required=False, max_length=200, assume_scheme="https",
        error_messages={"invalid": "This is not a link. It looks like https://…"},
    )  # fmt: skip
    urgency = forms.ChoiceField(
        label="How urgent?", choices=_choices(words.URGENCY), initial=Urgency.URGENT.value, widget=forms.RadioSelect
    )
    branch = forms.ChoiceField(label="Branch", error_messages={"required": "Choose the branch."})
    point_kind = forms.ChoiceField(
        label="Named by", choices=[("timestamp", "a time"), ("lsn", "a log position"), ("snapshot", "a snapshot")],
        initial="timestamp", widget=forms.RadioSelect,
    )  # fmt: skip
    point_lsn = forms.CharField(
        label="Log position", required=False, max_length=20,
        help_text="Only for a log position: it looks like 0/1E19478.",
    )  # fmt: skip
    snapshot = forms.CharField(
        label="Snapshot", required=False, max_length=60, widget=forms.Select,
        help_text="Only for a snapshot. It must be one of the branch's project.",
    )  # fmt: skip
    kind = forms.ChoiceField(
        label="How",
        choices=[
            ("new_branch", "Copy beside it: nothing is overwritten, rows are copied back"),
            ("in_place", "Replace it (in place): everybody's writes since the point are lost"),
            ("snapshot", "Replace it from a snapshot: everybody's writes since are lost, and recovery options shrink"),
        ],
        # Never in place by default: whoever overwrites has chosen it.
        initial=RestoreKind.NEW_BRANCH.value,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose how."},
    )
    snapshot_mode = forms.ChoiceField(
        label="From a snapshot", choices=_choices(words.SNAPSHOT_MODE), required=False,
        initial=SnapshotMode.PREVIEW_FIRST.value, widget=forms.RadioSelect,
    )  # fmt: skip
    copy_days = forms.ChoiceField(
        label="The copy deletes itself after", required=False, initial="7",
        choices=[("1", "1 day"), ("3", "3 days"), ("7", "7 days"), ("30", "30 days")],
    )  # fmt: skip
    writers_stopped = forms.ChoiceField(
        label="Are the applications that write stopped?", choices=_choices(words.WRITERS),
        initial=WritersStopped.BEFORE_START.value, widget=forms.RadioSelect,
    )  # fmt: skip
    start_mode = forms.ChoiceField(
        label="Start", choices=_choices(words.START), initial=StartMode.BY_HAND.value, widget=forms.RadioSelect
    )
    reason = forms.CharField(
        label="Why", widget=forms.Textarea({"rows": 4, "maxlength": 2000}), strip=True,
        help_text="The people who decide read this, and it goes into the audit log. No patient details, please.",
        error_messages={"required": "Say why, without any patient's details. The people who decide read this."},
    )  # fmt: skip

    def __init__(self, *args: Any, snapshots: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Why snapshots can't be offered, if Neon could not be asked.
        self.troubles: list[str] = []
        self.fields["snapshot"].widget.choices = [("", "Choose…"), *snapshots]
        self.fields["branch"].choices = [("", "Choose…"), *branch_choices()]  # type: ignore[attr-defined]

    def wish(self) -> Wish | None:
        """The wish, or None when something typed can't be used; the sentences stand beside the fields then."""
        if not self.is_valid():
            return None
        point = self._point()
        if point is None:
            return None
        data = self.cleaned_data
        kind = RestoreKind(data["kind"])
        return Wish(
            branch_id=int(data["branch"]),
            kind=kind,
            point=point,
            point_entered_as=self.entered_as("point") if point.kind is PointKind.TIMESTAMP else point.lsn,
            snapshot_mode=_mode(data["snapshot_mode"]) if kind is RestoreKind.SNAPSHOT else None,
            scenario=Scenario(data["scenario"]),
            reason=data["reason"],
            ticket=data["ticket"],
            thread_url=data["thread_url"],
            urgency=Urgency(data["urgency"]),
            noticed_at=data["noticed"],
            began_at=data["began"],
            writers_stopped=WritersStopped(data["writers_stopped"]),
            start_mode=StartMode(data["start_mode"]),
            copy_expires_at=self._copy_expires() if kind is RestoreKind.NEW_BRANCH else None,
        )

    def take(self, errors: dict[str, str]) -> None:
        """Puts what the service said beside the fields that it is about."""
        for name, sentence in errors.items():
            self.refuse(self._place_of(name), sentence)

    def _place_of(self, name: str) -> str:
        if name == "point" and self.data.get("point_kind") == PointKind.LSN:
            return "point_lsn"
        return _FIELD_OF_SERVICE.get(name, name)

    def _point(self) -> RestorePoint | None:
        data = self.cleaned_data
        if not self._agrees(data["kind"], data["point_kind"]):
            return None
        if data["point_kind"] == PointKind.SNAPSHOT:
            return self._snapshot(data)
        if data["point_kind"] == PointKind.LSN:
            try:
                return RestorePoint(PointKind.LSN, lsn=read_lsn(data["point_lsn"]))
            except MomentError as wrong:
                self.refuse("point_lsn", str(wrong))
                return None
        if data["point"] is None:
            self.refuse("point", "Say when the data were last good.")
            return None
        return RestorePoint(PointKind.TIMESTAMP, at=data["point"])

    def _agrees(self, kind: str, point_kind: str) -> bool:
        """Whoever overwrites has said so twice: nothing is taken from the one choice for the other."""
        if (kind == RestoreKind.SNAPSHOT) == (point_kind == PointKind.SNAPSHOT):
            return True
        if kind == RestoreKind.SNAPSHOT:
            self.refuse("point_kind", "To replace the branch from a snapshot, choose “a snapshot” here.")
        else:
            self.refuse("kind", "A snapshot replaces the whole branch: choose that here, or another point above.")
        return False

    def _snapshot(self, data: dict[str, Any]) -> RestorePoint | None:
        if not data["snapshot"]:
            self.refuse("snapshot", "Choose the snapshot to restore from.")
            return None
        try:
            return choose_snapshot(branch_id=int(data["branch"]), snapshot_id=data["snapshot"])
        except InvalidInput as invalid:
            self.take(invalid.errors)
            return None

    def _copy_expires(self) -> dt.datetime:
        return timezone.now() + dt.timedelta(days=int(self.cleaned_data.get("copy_days") or 7))


def _mode(value: str) -> SnapshotMode:
    """Where nothing was chosen, the one that overwrites nothing before it was looked at."""
    return SnapshotMode(value) if value else SnapshotMode.PREVIEW_FIRST


_WHY_UNDO = "Say why it is taken back. The people who decide read this. No patient details, please."


class UndoForm(forms.Form):
    """An undo takes everything from the restore; only why and how it starts is asked."""

    reason = forms.CharField(
        label="Why", widget=forms.Textarea({"rows": 4, "maxlength": 2000}), help_text=_WHY_UNDO,
        error_messages={"required": _WHY_UNDO},
    )  # fmt: skip
    start_mode = forms.ChoiceField(
        label="Start", choices=_choices(words.START), initial=StartMode.BY_HAND.value, widget=forms.RadioSelect
    )


def initial_from(request: RestoreRequest, zone: str) -> dict[str, Any]:
    """A request's facts as the form's first values."""
    return {
        "scenario": request.scenario,
        "ticket": request.ticket,
        "thread_url": request.thread_url,
        "urgency": request.urgency,
        "branch": str(request.branch_id),
        "point_kind": request.point_kind if request.point_kind != PointKind.HEAD else "timestamp",
        "point_lsn": request.point_lsn,
        "snapshot": request.snapshot_id,
        "snapshot_mode": request.snapshot_mode or SnapshotMode.PREVIEW_FIRST.value,
        "kind": request.kind,
        "writers_stopped": request.writers_stopped,
        "start_mode": request.start_mode,
        "reason": str(request.reason) if request.reason else "",
        **({} if request.snapshot_id else moment_initial("point", request.point_at, zone)),
        **moment_initial("noticed", request.noticed_at, zone),
        **moment_initial("began", request.began_at, zone),
    }


def initial_from_look(look: Look, zone: str) -> dict[str, Any]:
    """Filing goes on from a look with the same point."""
    return {
        "branch": str(look.branch_id),
        "point_kind": "lsn" if look.point_kind == PointKind.LSN else "timestamp",
        "point_lsn": look.point_lsn,
        **moment_initial("point", look.point_at, zone),
    }
