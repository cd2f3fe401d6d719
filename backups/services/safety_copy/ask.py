"""Asking for a safety copy: by a person, a command, a token or a schedule. The worker makes it."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from backups.domain.execution import Purpose, Step
from backups.domain.people import Actor, ActorKind, Capability
from backups.domain.safety_copy import DEFAULT_KEEP_DAYS, CopyKind, Origin, TokenScope, longest_keep_days
from backups.models import ApiToken, ProtectedBranch, SafetyCopy, SafetySchedule
from backups.selectors.clock import database_now
from backups.services.execution.create import create_execution
from backups.services.project import lock_branch, target_of_branch
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import refusals_recorded, with_roles_of_now
from backups.services.safety_copy.records import record_copy

MAX_REASON_CHARACTERS = 500
_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
#: A copy that could not be made by then has failed: whoever waits with risky work has to know.
GIVES_UP_AFTER = dt.timedelta(minutes=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyWish:
    """What is asked for. `kind` None: whatever fits the plan and the branch."""

    branch_id: int
    reason: str
    kind: CopyKind | None = None
    keep_days: int = DEFAULT_KEEP_DAYS


def ask_for_safety_copy(*, actor: Actor, wish: CopyWish, origin: Origin) -> SafetyCopy:
    """A copy for a person at the page, or for who runs a command on the portal's machine. Raises Refused,
    InvalidInput."""
    branch = ProtectedBranch.objects.select_related("project").get(pk=wish.branch_id)
    with refusals_recorded(actor=actor, target=target_of_branch(branch)):
        person = with_roles_of_now(actor)
        if person.kind is not ActorKind.SYSTEM and not (person.is_human and person.may(Capability.MAKE_SAFETY_COPY)):
            raise Refused(
                action=None, code="copy_not_allowed", sentence="Your role does not let you make safety copies."
            )
        branch = lock_branch(wish.branch_id)
        check_wish(wish, branch)
        return make_row(actor=person, branch=branch, wish=wish, origin=origin)


def ask_for_copy_by_token(
    *, actor: Actor, token_id: int, wish: CopyWish, idempotency_key: str
) -> tuple[SafetyCopy, bool]:
    """A copy for a program; the same key again gives the same copy, and True for one that is new.

    The caller has authenticated the token. Raises Refused, InvalidInput.
    """
    branch = ProtectedBranch.objects.select_related("project").get(pk=wish.branch_id)
    with refusals_recorded(actor=actor, target=target_of_branch(branch)):
        token = ApiToken.objects.select_for_update().get(pk=token_id)
        _refuse_token(token, branch)
        if not _KEY.fullmatch(idempotency_key):
            raise InvalidInput(
                {"idempotency_key": "Give 1 to 80 letters, digits and _ . : - that name this wish once."}
            )
        known = SafetyCopy.objects.select_related("branch__project", "reason").filter(
            token=token, idempotency_key=idempotency_key
        )
        for copy in known:
            return _same(copy, wish), False
        branch = lock_branch(wish.branch_id)
        check_wish(wish, branch)
        made = make_row(
            actor=actor, branch=branch, wish=wish, origin=Origin.TOKEN, token=token, idempotency_key=idempotency_key
        )
        return made, True


def make_row(
    *,
    actor: Actor,
    branch: ProtectedBranch,
    wish: CopyWish,
    origin: Origin,
    token: ApiToken | None = None,
    idempotency_key: str = "",
    schedule: SafetySchedule | None = None,
    slot_at: dt.datetime | None = None,
) -> SafetyCopy:
    """The row, its event and its run, in the caller's transaction. The rules have been asked."""
    now = database_now()
    copy = SafetyCopy.objects.create(
        branch=branch,
        wanted_kind=wish.kind.value if wish.kind else "",
        origin=origin.value,
        asked_by_id=actor.user_id,
        asked_by_name=actor.name,
        token=token,
        idempotency_key=idempotency_key,
        schedule=schedule,
        slot_at=slot_at,
        keep_days=wish.keep_days,
        created_at=now,
        expires_at=(now + dt.timedelta(days=wish.keep_days)).replace(microsecond=0),
    )
    details = {"means": origin.value, "slot_time": slot_at}
    event = record_copy(copy, "copy.asked", actor, details, text=wish.reason.strip())
    copy.name = copy.chosen_name
    copy.reason = event.free_text if wish.reason.strip() else None
    copy.save(update_fields=["name", "reason"])
    create_execution(
        purpose=Purpose.SAFETY_COPY,
        project=branch.project,
        branch=branch,
        safety_copy=copy,
        step=Step.FACTS,
        deadline_at=now + GIVES_UP_AFTER,
        actor=actor,
    )
    return copy


def check_wish(wish: CopyWish, branch: ProtectedBranch) -> None:
    """Raises InvalidInput with a sentence for each field that can't be used; changes nothing."""
    errors = {}
    if branch.missing_since is not None:
        errors["branch"] = "Neon no longer has this branch. Run the connection check of its project."
    if wish.kind is CopyKind.SNAPSHOT and branch.is_root is False:
        errors["kind"] = "Neon takes snapshots of root branches only. Choose a branch."
    if not wish.reason.strip():
        errors["reason"] = "Say before what it is made, such as “migration 0042”. No patient details, please."
    elif len(wish.reason) > MAX_REASON_CHARACTERS:
        errors["reason"] = f"Please use at most {MAX_REASON_CHARACTERS} characters."
    longest = longest_keep_days(wish.kind)
    if not 1 <= wish.keep_days <= longest:
        errors["keep_days"] = f"Keep it for 1 to {longest} days."
    if errors:
        raise InvalidInput(errors)


def _refuse_token(token: ApiToken, branch: ProtectedBranch) -> None:
    """Once more under the lock: it may have been switched off since it was read."""
    over = token.revoked_at is not None or token.expires_at <= database_now()
    if over or TokenScope.SAFETY_COPY.value not in token.scopes:
        raise Refused(action=None, code="token_not_allowed", sentence="This token can't make safety copies.")
    if token.project_id is not None and token.project_id != branch.project_id:
        raise Refused(action=None, code="token_other_project", sentence="This token is for another project.")


def _same(copy: SafetyCopy, wish: CopyWish) -> SafetyCopy:
    asked = (copy.branch_id, copy.wanted_kind, copy.keep_days, str(copy.reason or ""))
    if asked != (wish.branch_id, wish.kind.value if wish.kind else "", wish.keep_days, wish.reason.strip()):
        raise InvalidInput({"idempotency_key": "This key was used for another wish. Nothing was made."})
    return copy
