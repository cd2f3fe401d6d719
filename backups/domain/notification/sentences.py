"""One plain sentence for each occasion of a restore request."""

from __future__ import annotations

from backups.domain.notification.topics import WHILE_VOTES_ARE_OPEN, Topic
from backups.domain.restore import RestoreKind, Urgency

MAX_CHARACTERS = 200
_MAX_PERSON_CHARACTERS = 30
_MAX_BRANCH_CHARACTERS = 55

# Nothing that a person or another program wrote freely enters a message: no reason, comment, ticket or outcome.
_SENTENCES: dict[Topic, str] = {
    Topic.VOTES_WANTED: "{person} asks to {deed}. Your vote is wanted.",
    Topic.VOTES_REPEAT: "still waits for votes, and too few have opened it. {person} asks to {deed}.",
    Topic.VOTES_REMINDER: "votes are still missing, {minutes} min are left. {person} asks to {deed}.",
    Topic.VOTES_ESCALATED: "too few of those who can vote opened it. Phone them. {person} asks to {deed}.",
    Topic.VOTE_NOT_NEEDED: "{reference} is decided: your vote is not needed any more. The page says how.",
    Topic.RETURNED: "{reference} is a draft again: its facts could not be gathered. The page says why.",
    Topic.DRIFTED: "{reference}: a fact changed, so the votes lapsed. New facts are being gathered for {branch}.",
    Topic.QUESTION: "{reference}: somebody asked a question about {branch}.",
    Topic.COMMENT: "{reference}: there is a new comment.",
    Topic.APPROVED: "{reference} is approved: {deed}. No more votes are needed.",
    Topic.REJECTED: "{reference} was rejected. Nothing was changed.",
    Topic.WITHDRAWN: "{reference} was withdrawn. Nothing was changed; no vote is needed any more.",
    Topic.EXPIRED: "{reference} ran out of time. Nothing was changed; no vote is needed any more.",
    Topic.START_WANTED: "{reference} is approved and was not started: another restore of {branch} is not closed.",
    Topic.START_REMINDER: "{reference} is approved and was not started. {minutes} min are left to {deed}.",
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
    minutes_left: int | None = None,
) -> str:
    """One plain sentence of at most 200 characters. It holds names of branches and people, never of patients.

    `minutes_left`: of the clock that a reminder is about. Raises KeyError for a topic that is not about a request.
    """
    branch = one_line(branch, _MAX_BRANCH_CHARACTERS)
    deed = _DEEDS[kind].format(environment=environment.upper(), branch=branch, point=point)
    person = one_line(person, _MAX_PERSON_CHARACTERS)
    text = _SENTENCES[topic].format(reference=reference, branch=branch, person=person, deed=deed, minutes=minutes_left)
    if topic in WHILE_VOTES_ARE_OPEN:
        text = ("URGENT: " if urgency == Urgency.URGENT else "") + f"{reference}: {text}"
    return one_line(text, MAX_CHARACTERS)


def one_line(text: str, limit: int = MAX_CHARACTERS) -> str:
    """One line of at most `limit` characters: a name with a line break in it must not become a header of a mail."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
