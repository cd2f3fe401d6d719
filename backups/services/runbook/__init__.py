"""The runbook of each project: one page that works when the portal is down."""
