"""The part of the settings that is about the monitor. Read by settings.py, after .env is loaded."""

from __future__ import annotations

from carecircle_ops.environment import number, optional

MONITOR_EVERY_SECONDS = number("MONITOR_EVERY_SECONDS", 60)
# A worker that has just been started has given no sign of life yet, which is no finding.
MONITOR_FIRST_SECONDS = number("MONITOR_FIRST_SECONDS", 10)
# One question to Neon, all questions of one project, and the whole cycle. The first that ends, ends.
MONITOR_CALL_SECONDS = number("MONITOR_CALL_SECONDS", 5)
MONITOR_PROJECT_SECONDS = number("MONITOR_PROJECT_SECONDS", 15)
MONITOR_CYCLE_SECONDS = number("MONITOR_CYCLE_SECONDS", 50)
# Neon allows 700 a minute to a key: the rest is for restores.
MONITOR_CALLS_PER_MINUTE = number("MONITOR_CALLS_PER_MINUTE", 450)
MONITOR_READERS = int(number("MONITOR_READERS", 4))
# A control without an answer for so long is a finding of its own.
MONITOR_UNKNOWN_GRACE_SECONDS = number("MONITOR_UNKNOWN_GRACE_SECONDS", 10 * 60)
# How late a scheduled snapshot may be, beyond its interval.
MONITOR_SNAPSHOT_GRACE_SECONDS = number("MONITOR_SNAPSHOT_GRACE_SECONDS", 2 * 3600)
# How often a figure is kept for trends.
MONITOR_SAMPLE_SECONDS = number("MONITOR_SAMPLE_SECONDS", 3600)
# Opens the details of /health/backups and /metrics to machines; empty: closed.
HEALTH_TOKEN = optional("HEALTH_TOKEN")
