"""The sealer as docs/ledger.md sets it up: a service of another user, who reads the key and none of the web's secrets.

Run as root, the processes get users of their own; otherwise what they must not read is closed to everybody.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from backups.models import AnchorReceipt, LedgerCheckpoint, LedgerEvent
from tests.ledger.sample_log import ORIGIN
from tests.services.notification.receivers import Receiver, smtp_receiver
from tests.support.database import OwnDatabase
from tests.support.sealing import comment
from tests.support.worker import wait_until

pytestmark = pytest.mark.acceptance
WEB, SEALER = 20_001, 20_002
WEBS_OWN = ("SECRET_KEY", "SECRETS_KEY", "DATABASE_URL", "EMAIL_URL", "SLACK_WEBHOOK_URL", "HEARTBEAT_URL_WORKER")
is_root = os.geteuid() == 0


@dataclass
class Host:
    """Two directories, as /etc/carecircle-ops and /var/lib of an installation."""

    etc: Path
    var: Path
    database: OwnDatabase
    mail_port: int

    @property
    def key(self) -> Path:
        return self.var / "carecircle-sealer" / "key"

    @property
    def anchors(self) -> Path:
        return self.var / "ledger-anchors"

    def ops_env(self) -> dict[str, str]:
        """What all units are given."""
        return {
            "PATH": os.environ["PATH"],
            "SITE_URL": "https://ops.example.org",
            "LEDGER_ORIGIN": ORIGIN,
            "LEDGER_ANCHOR_DIRS": str(self.anchors),
            "LEDGER_DIGEST_MAIL": "custodian@example.org",
            "LEDGER_SEAL_SECONDS": "0.1",
            "LOG_LEVEL": "WARNING",
        } | {f"{name}_FILE": str(self.etc / "secrets" / name.lower()) for name in WEBS_OWN}

    def sealer_env(self) -> dict[str, str]:
        return {
            "LEDGER_DATABASE_URL": self.database.sealer_url,
            "LEDGER_KEY_FILE": str(self.key),
            "LEDGER_STATE_DIR": str(self.key.parent / "memory"),
            "LEDGER_DIGEST_EMAIL_URL": f"smtp://127.0.0.1:{self.mail_port}",
        }

    def sealer(self, command: str) -> subprocess.Popen[str]:
        return start([sys.executable, "-B", "manage.py", command], SEALER, self.ops_env() | self.sealer_env())

    def web(self, *command: str) -> tuple[int, str]:
        return ended(start([*command], WEB, self.ops_env() | {"LOGNAME": "erin"}))  # as ops-manage says who it is


def start(command: list[str], user: int, env: dict[str, str]) -> subprocess.Popen[str]:
    drop = [
        "setpriv",
        f"--reuid={user}",
        f"--regid={user}",
        "--clear-groups",
        "--inh-caps=-all",
        "--no-new-privs",
        "--",
    ]
    return subprocess.Popen(
        [*(drop if is_root else []), *command],
        cwd=settings.BASE_DIR,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


@pytest.fixture
def mail_server() -> Iterator[Receiver]:
    with smtp_receiver() as receiver:
        yield receiver


@pytest.fixture
def host(own_database: OwnDatabase, mail_server: Receiver) -> Iterator[Host]:
    with tempfile.TemporaryDirectory() as base:  # pytest's own directories are closed to other users
        Path(base).chmod(0o755)
        made = Host(Path(base) / "etc", Path(base) / "var", own_database, mail_server.port)
        directory(made.etc)
        directory(made.var)
        directory(made.etc / "secrets", mode=0o750, group=WEB)
        values = {"SECRET_KEY": "k" * 60, "SECRETS_KEY": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="}
        values |= {"DATABASE_URL": own_database.url, "EMAIL_URL": "smtp://localhost:25"}
        for name in WEBS_OWN:
            file(made.etc / "secrets" / name.lower(), values.get(name, "https://example.org/x"), mode=0o640, group=WEB)
        file(made.etc / "sealer.env", "\n".join(made.sealer_env().values()), mode=0o600)
        directory(made.key.parent, owner=SEALER, group=SEALER, mode=0o700)
        directory(made.anchors, owner=SEALER, group=WEB, mode=0o750)
        yield made


def directory(path: Path, *, mode: int = 0o755, owner: int = 0, group: int = 0) -> None:
    path.mkdir()
    belongs(path, mode, owner, group)


def file(path: Path, content: str, *, mode: int, group: int = 0) -> None:
    path.write_text(content)
    belongs(path, mode, 0, group)


def belongs(path: Path, mode: int, owner: int, group: int) -> None:
    path.chmod(mode)
    if is_root:
        os.chown(path, owner, group)


def close_webs_secrets(host: Host) -> None:
    """Where there is only one user: the sealer must do without them all the same."""
    if not is_root:
        for name in WEBS_OWN:
            (host.etc / "secrets" / name.lower()).chmod(0)


def open_webs_secrets(host: Host) -> None:
    if not is_root:
        for name in WEBS_OWN:
            (host.etc / "secrets" / name.lower()).chmod(0o640)


def test_the_sealer_is_a_service_of_another_user(host: Host, mail_server: Receiver):
    close_webs_secrets(host)
    comment()
    status, said = ended(host.sealer("set_up_ledger"))
    assert status == 0, said
    key_line = next(line for line in said.splitlines() if line.startswith("public key"))
    assert "fingerprint  " in said
    assert f"\n{ORIGIN}\n1\n" in said, "the first checkpoint, for the sheet"
    sealing = host.sealer("run_sealer")
    try:
        comment()
        wait_until(
            lambda: LedgerCheckpoint.objects.filter(size=LedgerEvent.objects.count()).exists() or gone(sealing),
            "the sealer has sealed what came",
        )
    finally:
        sealing.terminate()
        status, said = ended(sealing)
    assert status == 0, said
    assert AnchorReceipt.objects.filter(gates=True).exists()
    assert [f"\r\n{ORIGIN}\r\n1\r\n" in mail for mail in mail_server.mails] == [True], (
        "the first checkpoint, once a day"
    )
    open_webs_secrets(host)
    the_web_reads_no_secret_of_the_sealer(host)
    keys = host.etc / "ledger-vkeys.txt"
    file(keys, key_line.removeprefix("public key").strip(), mode=0o644)
    status, said = host.web(sys.executable, "-B", "manage.py", "verify_ledger", "--strict", "--vkeys", str(keys))
    assert (status, said.startswith("VERIFIED: 2 events, 2 of them under a checkpoint")) == (0, True), said


def gone(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None


def the_web_reads_no_secret_of_the_sealer(host: Host) -> None:
    assert host.key.stat().st_mode & 0o777 == 0o400
    assert host.key.parent.stat().st_mode & 0o777 == 0o700
    assert (host.etc / "sealer.env").stat().st_mode & 0o777 == 0o600
    if not is_root:
        return
    for path in (host.key, host.key.parent / "memory" / "sealed.json", host.etc / "sealer.env"):
        status, said = host.web("cat", str(path))
        assert (status, "Permission denied" in said) == (1, True)
    status, said = host.web("sh", "-c", f"echo forged > {host.anchors}/20260101T000000Z-000000000001.checkpoint")
    assert (status, "Permission denied" in said) == (2, True)
    for name in WEBS_OWN:
        command = ["cat", str(host.etc / "secrets" / name.lower())]
        assert ended(start(command, SEALER, {"PATH": os.environ["PATH"]}))[0] == 1
