"""What the tests over real sockets share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backups.neon.client import NeonClient
from tests.neon.conftest import MAIN, PROJECT

Connect = Callable[..., NeonClient]
AUTH = {"account_id": "acc", "auth_method": "api_key_org"}
CHANGED = {"branch": {"id": MAIN, "name": "main"}, "operations": []}
# Far above every limit set here and far below what the other side would take.
SOON_SECONDS = 5.0
# For tests in which the deadline is what ends the call.
BRIEF_SECONDS = 0.2


def restore(client: NeonClient) -> object:
    return client.branches.restore(
        PROJECT,
        target_branch_id=MAIN,
        source_branch_id=MAIN,
        source_lsn="0/1E19478",
        preserve_under_name="before-restore",
    )


@contextmanager
def ends_soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON_SECONDS
