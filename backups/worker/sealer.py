"""The sealer as a child of the supervisor: alone with its key, started again when it ends."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import suppress

from django.conf import settings

logger = logging.getLogger(__name__)

_SETTINGS = ("LEDGER_KEY", "LEDGER_DATABASE_URL", "LEDGER_DIGEST_EMAIL_URL", "LEDGER_DIGEST_SLACK_URL")
_SECRETS = tuple(f"{name}{ending}" for name in _SETTINGS for ending in ("", "_FILE"))


def take_sealers_environment() -> dict[str, str]:
    """Takes the sealer's variables out of this process's environment, and so out of the cluster's."""
    return {name: os.environ.pop(name) for name in _SECRETS if name in os.environ}


class SealerProcess:
    """`keep` is called again and again; `stop` once."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self._secrets = secrets
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    @property
    def is_wanted(self) -> bool:
        """Whether this installation seals here; the sealer may also run as a service of its own."""
        return bool(settings.LEDGER_ORIGIN) and any(name.startswith("LEDGER_DATABASE_URL") for name in self._secrets)

    def keep(self) -> None:
        """Starts the process when it does not run."""
        if self._stopped or (self._process is not None and self._process.poll() is None):
            return
        if self._process is not None:
            logger.error("The sealer ended with status %s; it is started again", self._process.returncode)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "django", "run_sealer", "--skip-checks", "--die-with-parent"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=settings.BASE_DIR,
            env=os.environ | self._secrets | {"ROLE": "sealer"},
        )

    def stop(self, *, within_seconds: float) -> None:
        self._stopped = True
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(within_seconds)
            return
        process.kill()
        process.wait()
