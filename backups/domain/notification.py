"""What people are told about: one word per occasion, one sentence for each."""

from __future__ import annotations

from enum import StrEnum

from backups.domain.restore import RestoreKind, Urgency


class Topic(StrEnum):
    """An occasion on which somebody is told at once."""

    VOTES_WANTED = "votes_wanted"
    VOTES_REMINDER = "votes_reminder"
    RETURNED = "returned"
    DRIFTED = "drifted"
    QUESTION = "question"
    COMMENT = "comment"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    START_WANTED = "start_wanted"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs_attention"
    SECOND_PERSON_WANTED = "second_person_wanted"


#: They ask for votes, so they are told only to those who can vote, and mean nothing once votes are closed.
ASKS_FOR_VOTES = frozenset({Topic.VOTES_WANTED, Topic.VOTES_REMINDER})

MAX_CHARACTERS = 200
_MAX_PERSON_CHARACTERS = 30
_MAX_BRANCH_CHARACTERS = 55

# Nothing that a person or another program wrote freely enters a message: no reason, comment, ticket or outcome.
_SENTENCES: dict[Topic, str] = {
    Topic.VOTES_WANTED: "{person} asks to {deed}. Your vote is wanted.",
    Topic.VOTES_REMINDER: "votes are still missing and the time for them is nearly over. {person} asks to {deed}.",
    Topic.RETURNED: "{reference} is a draft again: its facts could not be gathered. The page says why.",
    Topic.DRIFTED: "{reference}: a fact changed, so the votes lapsed. New facts are being gathered for {branch}.",
    Topic.QUESTION: "{reference}: somebody asked a question about {branch}.",
    Topic.COMMENT: "{reference}: there is a new comment.",
    Topic.APPROVED: "{reference} is approved: {deed}. No more votes are needed.",
    Topic.REJECTED: "{reference} was rejected. Nothing was changed.",
    Topic.WITHDRAWN: "{reference} was withdrawn. Nothing was changed; no vote is needed any more.",
    Topic.EXPIRED: "{reference} ran out of time. Nothing was changed; no vote is needed any more.",
    Topic.START_WANTED: "{reference} is approved and was not started: another restore of {branch} is not closed.",
    Topic.STARTED: "{reference} was started: {deed}.",
    Topic.COMPLETED: "{reference} is done: {deed}. The page says what was checked.",
    Topic.FAILED: "{reference} did not run, so {branch} is as it was. The page says why.",
    Topic.NEEDS_ATTENTION: "{reference} needs a person: {deed}. The page says what is known and what is not.",
    Topic.SECOND_PERSON_WANTED: "{reference}: a proposal to close it waits for a second person.",
}
_DEEDS: dict[RestoreKind, str] = {
    RestoreKind.IN_PLACE: "take {environment} {branch} back to {point}",
    RestoreKind.NEW_BRANCH: "open a copy of {environment} {branch} as of {point}",
    RestoreKind.UNDO: "undo the restore of {environment} {branch}",
    RestoreKind.SNAPSHOT: "replace {environment} {branch} by {point}",
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
    urgency: str,
) -> str:
    """One plain sentence of at most 200 characters. It holds names of branches and people, never of patients."""
    branch = _short(branch, _MAX_BRANCH_CHARACTERS)
    deed = _DEEDS[kind].format(environment=environment.upper(), branch=branch, point=point)
    person = _short(person, _MAX_PERSON_CHARACTERS)
    text = _SENTENCES[topic].format(reference=reference, branch=branch, person=person, deed=deed)
    if topic in ASKS_FOR_VOTES:
        text = ("URGENT: " if urgency == Urgency.URGENT else "") + f"{reference}: {text}"
    return _short(text, MAX_CHARACTERS)


def _short(text: str, limit: int) -> str:
    """One line: a name with a line break in it must not become a header of a mail."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
