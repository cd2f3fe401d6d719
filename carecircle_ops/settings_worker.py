"""What the worker does by itself, and how often. Read by settings.py, after .env is loaded."""

from __future__ import annotations

from carecircle_ops.environment import number
from carecircle_ops.settings_monitor import MONITOR_EVERY_SECONDS

# How often Neon's list of branches is compared with the drills that there were.
DRILL_RECONCILE_SECONDS = number("DRILL_RECONCILE_SECONDS", 10 * 60)

WORKER_WAKE_SECONDS = number("WORKER_WAKE_SECONDS", 1)
WORKER_HEARTBEAT_SECONDS = number("WORKER_HEARTBEAT_SECONDS", 5)
WORKER_WATCHDOG_SECONDS = number("WORKER_WATCHDOG_SECONDS", 30)
WORKER_START_SECONDS = number("WORKER_START_SECONDS", 30)
WORKER_STOP_SECONDS = number("WORKER_STOP_SECONDS", 60)
WORKER_LATE_SECONDS = number("WORKER_LATE_SECONDS", 60)
WORKER_RESTART_SECONDS = number("WORKER_RESTART_SECONDS", 1)
_SLOWER = 5 * WORKER_WAKE_SECONDS
# Functions that run_worker calls, and how often in seconds; each has a thread of its own.
WORKER_DUTIES: dict[str, float] = {
    "backups.services.monitor.cycle.monitor_when_due": min(_SLOWER, MONITOR_EVERY_SECONDS / 2),
    "backups.services.execution.wake.enqueue_due_executions": WORKER_WAKE_SECONDS,
    "backups.services.restore.clock.expire_due_requests": _SLOWER,
    "backups.services.restore.rekeyed.void_votes_on_former_ids": _SLOWER,
    "backups.services.look.close_due_looks": _SLOWER,
    "backups.services.dispose.dispose_due_branches": _SLOWER,
    "backups.services.drill.planner.plan_due_drills": _SLOWER,
    "backups.services.drill.reap.close_lost_drills": _SLOWER,
    "backups.services.drill.reap.ask_for_reconciliation": DRILL_RECONCILE_SECONDS,
    "backups.services.canary_beat.beat_due_canaries": WORKER_WAKE_SECONDS,
    "backups.services.afterwards.observing.put_due_looks": _SLOWER,
    "backups.services.safety_copy.schedule.make_due_copies": _SLOWER,
    "backups.services.safety_copy.prune.prune_due_copies": _SLOWER,
    "backups.services.afterwards.nag.nag_about_what_is_open": 600 * WORKER_WAKE_SECONDS,
    "backups.services.duties.keep_duties": 60 * WORKER_WAKE_SECONDS,
    "backups.services.drill_log.telling.escalate_actions": 60 * WORKER_WAKE_SECONDS,
    "backups.services.runbook.write.write_due_runbooks": 60 * WORKER_WAKE_SECONDS,
    "backups.services.notification.deliver.deliver_mail": WORKER_WAKE_SECONDS,
    "backups.services.notification.deliver.deliver_slack": WORKER_WAKE_SECONDS,
    "backups.services.notification.deliver.deliver_webhook": WORKER_WAKE_SECONDS,
    "backups.services.notification.deliver.deliver_pagerduty": WORKER_WAKE_SECONDS,
    "backups.services.notification.chase.chase_voters": _SLOWER,
    "backups.services.notification.clocks.warn_of_clocks": _SLOWER,
    "backups.services.notification.summaries.send_summaries": _SLOWER,
    "backups.services.notification.heartbeat.send_heartbeats": _SLOWER,
    "backups.services.sealing.watch.watch_the_seal": _SLOWER,
    "backups.services.export.write.write_due_exports": WORKER_WAKE_SECONDS,
    "backups.services.ledger_verification.verify_when_asked": WORKER_WAKE_SECONDS,
    "backups.services.export.keep.remove_due_files": 60 * WORKER_WAKE_SECONDS,
}
