"""What the template of the request page is given."""

from __future__ import annotations

import datetime as dt
from typing import Any

from backups.admin import words
from backups.admin.afterwards.words import left_of
from backups.admin.progress import Progress, elapsed
from backups.admin.restore import blocks, details
from backups.domain.actions import Action
from backups.domain.consequence import SHRINKS, schema_lines, span
from backups.domain.execution import CLAIMABLE, ExecutionState
from backups.domain.restore import OPEN, RequestState, RestoreKind, Scenario, SnapshotMode, StartMode, WritersStopped
from backups.selectors.restore_page import RequestPage, Watched, watched

_S = RequestState
#: While one of these lasts, the worker is at work and the page refreshes itself.
MOVING = frozenset({_S.PREPARING, _S.RUNNING})
#: A vote or a comment of somebody else may arrive.
WATCHED = frozenset({_S.PENDING, _S.APPROVED, _S.NEEDS_ATTENTION})


def page_context(page: RequestPage, zone: dt.tzinfo, progress: Progress | None) -> dict[str, Any]:
    """Everything on the page except the frame."""
    return (
        _head(page, zone) | _facts(page) | _rail(page) | _running(page, progress) | _result(page) | _below(page, zone)
    )


def is_moving(seen: Watched) -> bool:
    """True while something runs for the request."""
    if seen.state in MOVING:
        return True
    at_work = seen.run is not None and ExecutionState(seen.run.state) in CLAIMABLE
    return seen.state in {_S.APPROVED, _S.NEEDS_ATTENTION} and at_work


def moving_context(seen: Watched, progress: Progress | None, now: dt.datetime) -> dict[str, Any]:
    """What the steps of a run need, on the page and when they are fetched alone."""
    since = progress.waiting_since if progress else None
    return {
        "r": seen.request,
        "progress": progress,
        "show_progress": is_moving(seen) and progress is not None,
        "now_words": details.now_words(seen.request),
        "elapsed": elapsed(progress.began_at, now) if progress else "",
        "waiting_seconds": (now - since).total_seconds() if since else 0,
    }


def is_undecided(page: RequestPage) -> bool:
    """True while people still weigh it: nothing is running and nothing is over."""
    return page.state in OPEN - {_S.RUNNING, _S.NEEDS_ATTENTION} and page.request.start_asked_at is None


def _head(page: RequestPage, zone: dt.tzinfo) -> dict[str, Any]:
    request, due = page.request, blocks.deadline(page)
    left = (due.at - page.now).total_seconds() if due and due.at else 0
    return {
        "page": page,
        "r": request,
        "band": blocks.band_of(request.branch),
        "state_words": blocks.state_words(page),
        "tone": words.TONE[page.state],
        "your_part": blocks.your_part(page),
        "question": blocks.question(page),
        "stages": blocks.stages(page),
        "deadline": due,
        "deadline_left": span(max(0.0, left)),
        "is_open": is_undecided(page),
        "requester": request.requester.get_full_name() or request.requester_name,
        "zone_word": words.zone_word(zone),
        "shrinks": SHRINKS if request.kind == RestoreKind.SNAPSHOT else "",
        "snapshot_mode_words": words.SNAPSHOT_MODE[SnapshotMode(request.snapshot_mode)]
        if request.snapshot_mode
        else "",
        "point_local": words.in_zone(request.point_at, zone, page.now) if request.point_at else "",
        "point_utc_words": _utc_words(page),
        "smaller_fix": blocks.smaller_fix(request),
        "kind_words": words.KIND[RestoreKind(request.kind)],
        "scenario_words": words.SCENARIO[Scenario(request.scenario)],
        "start_words": words.START[StartMode(request.start_mode)],
        "writers_words": _writers(page),
    }


def _utc_words(page: RequestPage) -> str:
    at = page.request.point_at
    return f"{words.in_zone(at, dt.UTC, page.now)} UTC, {at.astimezone(dt.UTC):%a} {at.day} {at:%b}" if at else ""


def _writers(page: RequestPage) -> str:
    said = {
        WritersStopped.YES: f"{page.request.requester_name} says yes",
        WritersStopped.BEFORE_START: "not yet, before the start",
        WritersStopped.NO: "no, they go on",
    }
    return said[WritersStopped(page.request.writers_stopped)]


def _facts(page: RequestPage) -> dict[str, Any]:
    observed, bound = page.observed, page.packet.bound if page.packet else {}
    loud, quiet = blocks.tables_shown(observed)
    roots = observed["root_branches"]
    again = page.observed_now
    return {
        "loss_now": blocks.loss(again) if again else None,
        "counted_again_at": dt.datetime.fromisoformat(again["as_of"]) if again else None,
        "loss": blocks.loss(observed),
        "gain": blocks.gain(observed),
        "tables": loud,
        "quiet_tables": quiet,
        "schema_lines": schema_lines(observed),
        "unknowns": observed["unknown"],
        "observed_at": dt.datetime.fromisoformat(observed["as_of"]),
        "rehearsal": details.rehearsal(observed),
        "root_branches": roots,
        "room_is_short": bool(roots["cap"]) and (roots["cap"] or 0) - (roots["used"] or 0) < 2,
        "sessions": observed["sessions"]["count"],
        "session_applications": sorted(observed["sessions"]["by_application"].items()),
        "migration": observed["migration_head"],
        "branch_bytes": observed["sizes"]["branch_bytes"],
        "databases": bound.get("databases", []),
        "children": bound.get("children", []),
        "restorable_until": details.restorable_until(page),
        "undo_words": details.undo_words(page),
    }


def _rail(page: RequestPage) -> dict[str, Any]:
    can = {action.value: available.allowed for action, available in page.actions.items()}
    chosen = blocks.buttons(page)
    main = chosen.main[0].value if chosen.main else ""
    more = {name for name, allowed in can.items() if allowed} - {main, *_SHOWN_ELSEWHERE}
    current = set(page.current_votes)
    return {
        "can": can,
        "can_comment": page.may(Action.COMMENT) and page.state is not _S.DRAFT,
        "can_ask": page.may(Action.ASK),
        "can_file": page.may(Action.FILE_AGAIN) or page.actor.may(details.FILE),
        "buttons": chosen,
        "other_actions": bool(more),
        "has_bar": bool(main or more or chosen.can_reject),
        "nothing_to_do": "" if main or more or chosen.can_reject else details.why_nothing(page),
        "lapsed_votes": [vote for vote in page.votes if vote not in current],
        "too_few": len(page.voters) < page.votes_needed,
        "submit_words": details.submit_words(page),
        "who_is_told": details.who_is_told(page),
    }


_SHOWN_ELSEWHERE = {"approve", "reject", "pass", "ask", "comment", "file_again"}


def _running(page: RequestPage, progress: Progress | None) -> dict[str, Any]:
    seen = watched(page)
    moving = is_moving(seen)
    return moving_context(seen, progress, page.now) | {
        "refresh_seconds": 3 if moving else 0,
        "live_mark": seen.mark if moving or page.state in WATCHED else "",
        "cannot_stop": page.actions[Action.STOP].refusal if page.state is _S.RUNNING else "",
    }


def _result(page: RequestPage) -> dict[str, Any]:
    checks = details.latest_checks(page)
    return {
        "checks": checks,
        "kept_as": details.kept_as(page),
        "no_undo": details.no_undo(page),
        "checks_to_read": [check for check in checks if not check.has_passed],
        "checks_passed": [check for check in checks if check.has_passed],
        "checks_words": details.checks_words(checks),
        "times": details.times(page),
        "effect_is_known": details.effect_is_known(page),
        "outcome_heading": details.outcome_heading(page),
        "closed_heading": details.closed_heading(page),
        "start_sentence": details.start_sentence(page),
        "switch_lines": details.switch_lines(page),
    }


def _below(page: RequestPage, zone: dt.tzinfo) -> dict[str, Any]:
    return {
        "alternatives": blocks.alternatives(page),
        "afterwards": details.afterwards(page),
        "technical": details.technical(page),
        "intents": [intent for run in page.runs for intent in run.intents.all()],
        "history": details.history(page),
    } | (left_of(page.request) if page.state is _S.COMPLETED else {})
