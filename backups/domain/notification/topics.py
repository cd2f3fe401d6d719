"""The occasions on which people are told: one word for each."""

from __future__ import annotations

from enum import StrEnum

from backups.domain.monitor import Severity
from backups.domain.restore import Urgency


class Topic(StrEnum):
    """An occasion on which somebody is told at once."""

    # Restore requests
    VOTES_WANTED = "votes_wanted"
    VOTES_REPEAT = "votes_repeat"
    VOTES_REMINDER = "votes_reminder"
    VOTES_ESCALATED = "votes_escalated"
    VOTE_NOT_NEEDED = "vote_not_needed"
    RETURNED = "returned"
    DRIFTED = "drifted"
    QUESTION = "question"
    COMMENT = "comment"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    START_WANTED = "start_wanted"
    START_REMINDER = "start_reminder"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs_attention"
    SECOND_PERSON_WANTED = "second_person_wanted"
    # Drills
    DRILL_PASSED = "drill.passed"
    DRILL_FAILED = "drill.failed"
    DRILL_INCONCLUSIVE = "drill.inconclusive"
    DRILL_OVERDUE = "drill.overdue"
    DRILL_MISSED = "drill.missed"
    DRILL_SIGN_OFF_WANTED = "drill.sign_off_wanted"
    # What the monitor finds
    FINDING_OPENED = "finding.opened"
    FINDING_WORSE = "finding.worse"
    FINDING_CLOSED = "finding.closed"
    FINDING_UNKNOWN = "finding.unknown"
    FINDING_ACKNOWLEDGED = "finding.acknowledged"
    FINDING_FLAPPING = "finding.flapping"
    # After a restore
    CHECKLIST_OPENED = "checklist.opened"
    CHECKLIST_DUE = "checklist.due"
    CHECKLIST_OVERDUE = "checklist.overdue"
    REVIEW_DUE = "review.due"
    REVIEW_OVERDUE = "review.overdue"
    REVIEW_SIGNATURE_WANTED = "review.signature_wanted"
    RETROSPECTIVE_SIGNATURE_WANTED = "retrospective.signature_wanted"
    ACTION_DUE = "action.due"
    ACTION_OVERDUE = "action.overdue"
    # Backups
    SAFETY_COPY_MADE = "safety_copy.made"
    SAFETY_COPY_FAILED = "safety_copy.failed"
    SAFETY_COPY_SECOND_PERSON_WANTED = "safety_copy.second_person_wanted"
    PRESERVED_SECOND_PERSON_WANTED = "preserved.second_person_wanted"
    SCHEDULE_SECOND_PERSON_WANTED = "schedule.second_person_wanted"
    SCHEDULE_APPLIED = "schedule.applied"
    SCHEDULE_FAILED = "schedule.failed"
    # The portal itself
    SYSTEM_TROUBLE = "system.trouble"
    SYSTEM_WELL = "system.well"

    @property
    def words(self) -> str:
        """For headings: `safety copy failed`."""
        return self.value.replace("_", " ").replace(".", " ")

    @property
    def type(self) -> str:
        """The `type` of a webhook."""
        return self.value if "." in self.value else f"restore.{self.value}"


#: They are about a restore request, and their sentence is made by the portal.
REQUEST_TOPICS = tuple(topic for topic in Topic if "." not in topic.value)

#: They ask for votes, so they are told only to those who can vote, and mean nothing once votes are closed.
ASKS_FOR_VOTES = frozenset({Topic.VOTES_WANTED, Topic.VOTES_REPEAT, Topic.VOTES_REMINDER})

#: Told when votes are missing; outdated once they are closed.
WHILE_VOTES_ARE_OPEN = ASKS_FOR_VOTES | {Topic.VOTES_ESCALATED}

#: They ask for the start, and mean nothing once it was started or can't be.
ASKS_FOR_THE_START = frozenset({Topic.START_REMINDER})

#: Nothing is asked of anybody any more, so an incident at PagerDuty ends.
ENDS_THE_CALL = frozenset(
    {
        Topic.APPROVED,
        Topic.REJECTED,
        Topic.WITHDRAWN,
        Topic.EXPIRED,
        Topic.RETURNED,
        Topic.DRIFTED,
        Topic.COMPLETED,
        Topic.FAILED,
    }
)

#: Somebody has taken it on: PagerDuty stops ringing and keeps the incident.
ACKNOWLEDGES = frozenset({Topic.FINDING_ACKNOWLEDGED})

#: Told once for each subject within the damping time; what comes more often is summed up.
DAMPED = frozenset({Topic.FINDING_OPENED, Topic.FINDING_CLOSED, Topic.FINDING_UNKNOWN})

_WARNINGS = frozenset(
    {
        Topic.RETURNED,
        Topic.DRIFTED,
        Topic.EXPIRED,
        Topic.START_WANTED,
        Topic.START_REMINDER,
        Topic.FAILED,
        Topic.SECOND_PERSON_WANTED,
    }
)


def severity_of_request_topic(topic: Topic, urgency: str) -> Severity:
    """An urgent request that waits for votes, and a restore that waits for a person, ring at night too."""
    if topic is Topic.NEEDS_ATTENTION:
        return Severity.CRITICAL
    if topic in WHILE_VOTES_ARE_OPEN:
        return Severity.CRITICAL if urgency == Urgency.URGENT else Severity.WARNING
    return Severity.WARNING if topic in _WARNINGS else Severity.NOTICE
