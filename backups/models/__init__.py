"""Tables, constraints and indexes; no workflow."""

from __future__ import annotations

from backups.domain.notification import Channel
from backups.models.afterwards import (
    Checklist,
    ChecklistPoint,
    RemovalRequest,
    RetrospectiveRecord,
    Review,
    ReviewText,
)
from backups.models.canary import Canary, CanaryBeat
from backups.models.drill import (
    CorrectiveAction,
    Drill,
    DrillAttachment,
    DrillFinding,
    DrillNote,
    DrillParticipant,
    DrillSignOff,
    DrillSlot,
)
from backups.models.drill_plan import DrillCheck, DrillPlan
from backups.models.duty import DutyTask, RunbookCopy
from backups.models.erasing import TextErasure
from backups.models.execution import CheckResult, Execution, ExecutionStep, Intent
from backups.models.export import LedgerExport
from backups.models.governance import GovernanceVersion
from backups.models.ledger import FreeText, LedgerEvent
from backups.models.ledger_verification import LedgerVerification
from backups.models.log_review import LogReview, LogReviewItem, LogReviewMark
from backups.models.look import Look, LookState
from backups.models.monitor import (
    BackupPlan,
    ControlState,
    Finding,
    MetricSample,
    MonitorRun,
    PlanProposal,
    ProjectWatch,
)
from backups.models.notification import (
    ChannelState,
    DampedAlert,
    Heartbeat,
    NotificationRoute,
    OutboxMessage,
)
from backups.models.people import RoleMembership, UserProfile
from backups.models.project import (
    EnvironmentProposal,
    FormerBranchId,
    OwnedBranch,
    PolicyVersion,
    Project,
    ProtectedBranch,
    TableMeaning,
)
from backups.models.restore import (
    Comment,
    DecisionPacket,
    RequestOpened,
    Resolution,
    RestoreRequest,
    RestoreTransition,
    Vote,
)
from backups.models.safety_copy import ApiToken, SafetyCopy, SafetySchedule
from backups.models.saved_filter import SavedFilter
from backups.models.sealing import (
    AnchorReceipt,
    LedgerCheckpoint,
    LedgerLeaf,
    LedgerNode,
    SealerHeartbeat,
    SealerRefusal,
)
from backups.models.worker import WorkerHeartbeat

__all__ = [
    "AnchorReceipt",
    "ApiToken",
    "BackupPlan",
    "Canary",
    "CanaryBeat",
    "Channel",
    "ChannelState",
    "CheckResult",
    "Checklist",
    "ChecklistPoint",
    "Comment",
    "ControlState",
    "CorrectiveAction",
    "DampedAlert",
    "DecisionPacket",
    "Drill",
    "DrillAttachment",
    "DrillCheck",
    "DrillFinding",
    "DrillNote",
    "DrillParticipant",
    "DrillPlan",
    "DrillSignOff",
    "DrillSlot",
    "DutyTask",
    "EnvironmentProposal",
    "Execution",
    "ExecutionStep",
    "Finding",
    "FormerBranchId",
    "FreeText",
    "GovernanceVersion",
    "Heartbeat",
    "Intent",
    "LedgerCheckpoint",
    "LedgerEvent",
    "LedgerExport",
    "LedgerLeaf",
    "LedgerNode",
    "LedgerVerification",
    "LogReview",
    "LogReviewItem",
    "LogReviewMark",
    "Look",
    "LookState",
    "MetricSample",
    "MonitorRun",
    "NotificationRoute",
    "OutboxMessage",
    "OwnedBranch",
    "PlanProposal",
    "PolicyVersion",
    "Project",
    "ProjectWatch",
    "ProtectedBranch",
    "RemovalRequest",
    "RequestOpened",
    "Resolution",
    "RestoreRequest",
    "RestoreTransition",
    "RetrospectiveRecord",
    "Review",
    "ReviewText",
    "RoleMembership",
    "RunbookCopy",
    "SafetyCopy",
    "SafetySchedule",
    "SavedFilter",
    "SealerHeartbeat",
    "SealerRefusal",
    "TableMeaning",
    "TextErasure",
    "UserProfile",
    "Vote",
    "WorkerHeartbeat",
]
