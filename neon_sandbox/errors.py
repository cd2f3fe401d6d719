from __future__ import annotations


class SandboxError(Exception):
    """Something the person who started the sandbox can act on; the message says what."""


class PostgresNotFound(SandboxError):
    pass


class ClusterFailed(SandboxError):
    """A PostgreSQL program ended with an error. The message carries the end of its log."""
