"""What people are told about: one word per occasion."""

from __future__ import annotations

from enum import StrEnum

from backups.domain.restore import RestoreKind, Urgency


class Topic(StrEnum):
    """An occasion on which somebody is told at once."""

    VOTES_WANTED = "votes_wanted"
    RETURNED = "returned"
    DRIFTED = "drifted"
    QUESTION = "question"
    COMMENT = "comment"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs_attention"
    SECOND_PERSON_WANTED = "second_person_wanted"


MAX_CHARACTERS = 200

_SENTENCES: dict[Topic, str] = {
    Topic.VOTES_WANTED: "{person} asks to {deed}. Your vote is wanted.",
    Topic.RETURNED: "{reference} is a draft again: {outcome}",
    Topic.DRIFTED: "{reference}: a fact changed, so the votes lapsed. New facts are being gathered for {branch}.",
    Topic.QUESTION: "{reference}: somebody asked a question about {branch}.",
    Topic.COMMENT: "{reference}: there is a new comment.",
    Topic.APPROVED: "{reference} is approved: {deed}. No more votes are needed.",
    Topic.REJECTED: "{reference} was rejected. Nothing was changed.",
    Topic.WITHDRAWN: "{reference} was withdrawn. Nothing was changed; no vote is needed any more.",
    Topic.EXPIRED: "{reference} expired. {outcome}",
    Topic.STARTED: "{reference} was started: {deed}.",
    Topic.COMPLETED: "{reference} is done: {outcome}",
    Topic.FAILED: "{reference} did not run: {outcome}",
    Topic.NEEDS_ATTENTION: "{reference} needs a person: {outcome}",
    Topic.SECOND_PERSON_WANTED: "{reference}: a proposal to close it waits for a second person.",
}


def message_text(
    topic: Topic,
    *,
    reference: str,
    branch: str,
    environment: str,
    kind: RestoreKind,
    point: str,
    person: str,
    outcome: str,
    urgency: str,
) -> str:
    """One plain sentence of at most 200 characters. It holds names of branches and people, never of patients."""
    deed = _DEEDS[kind].format(environment=environment.upper(), branch=branch, point=point)
    text = _SENTENCES[topic].format(reference=reference, branch=branch, person=person, outcome=outcome, deed=deed)
    if topic is Topic.VOTES_WANTED:
        text = ("URGENT: " if urgency == Urgency.URGENT else "") + f"{reference}: {text}"
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1].rstrip() + "…"


_DEEDS: dict[RestoreKind, str] = {
    RestoreKind.IN_PLACE: "take {environment} {branch} back to {point}",
    RestoreKind.NEW_BRANCH: "open a copy of {environment} {branch} as of {point}",
    RestoreKind.UNDO: "undo the restore of {environment} {branch}",
}
