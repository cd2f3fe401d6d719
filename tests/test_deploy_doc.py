"""docs/deploy.md and the files beside it say what the settings and programs really take."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from gunicorn.config import Config

ROOT = Path(settings.BASE_DIR)
DEPLOY = ROOT / "docs" / "deploy"
_READERS = {"optional", "required", "number", "switch", "words", "moment", "_needed"}
_REQUIRED = {"required", "_needed"}
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \| (yes|no) \|$", re.MULTILINE)
UNITS = {
    "carecircle-ops-web.service": "carecircle-ops",
    "carecircle-ops-worker.service": "carecircle-ops",
    "carecircle-ops-sealer.service": "carecircle-sealer",
}


@dataclass(frozen=True)
class Variable:
    required: bool
    #: The default as the page has to show it; None where it is computed.
    default: str | None


#: The key is read by the sealer's own process, and the settings only forget it.
READ_BY_THE_SEALER = {"LEDGER_KEY": Variable(required=False, default="")}


def read_by_the_settings() -> dict[str, Variable]:
    files = sorted((ROOT / "carecircle_ops").glob("settings*.py"))
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    found: dict[str, Variable] = {}
    for call in [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]:
        reader = call.func.id if isinstance(call.func, ast.Name) else ""
        if reader in _READERS and call.args and isinstance(call.args[0], ast.Constant):
            variable = Variable(reader in _REQUIRED, shown_default(call))
            # Where a name is read twice the first reading has the default.
            found.setdefault(str(call.args[0].value), variable)
    return found | READ_BY_THE_SEALER


def shown_default(call: ast.Call) -> str | None:
    given = [*call.args[1:], *(keyword.value for keyword in call.keywords if keyword.arg == "default")]
    if not given:
        return ""
    try:
        value = eval(compile(ast.Expression(given[0]), "settings.py", "eval"), {"__builtins__": {}})  # noqa: S307
    except NameError:
        return None
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def documented() -> dict[str, tuple[str, bool]]:
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    return {name: (default, required == "yes") for name, _, default, required in _ROW.findall(text)}


def test_every_variable_is_on_the_page_and_no_other():
    assert sorted(documented()) == sorted(read_by_the_settings())


@pytest.mark.parametrize("name", sorted(read_by_the_settings()))
def test_its_default_and_whether_it_is_required_are_true(name):
    shown, required = documented()[name]
    variable = read_by_the_settings()[name]

    assert required == variable.required
    if variable.default not in {None, "", "[]"}:
        assert shown.startswith(f"`{variable.default}`")
    elif variable.default is not None:
        assert shown == "none" or not shown.startswith("`")


def test_the_example_sets_only_what_is_read():
    text = (DEPLOY / "ops.env.example").read_text(encoding="utf-8")
    names = {name.removesuffix("_FILE") for name in re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE)}

    assert names - set(read_by_the_settings()) == {"NAME"} & names
    assert {name for name, variable in read_by_the_settings().items() if variable.required} <= names
    assert "MIGRATE_DATABASE_URL" not in names, "web and worker must not have the owner's address"


def number_in(text: str, pattern: str) -> int:
    found = re.search(pattern, text)
    assert found, pattern
    return int(found[1])


def unit(name: str) -> dict[str, str]:
    text = (DEPLOY / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def test_gunicorn_takes_the_options_of_the_unit():
    program, *arguments = shlex.split(unit("carecircle-ops-web.service")["ExecStart"])

    options = Config().parser().parse_args(arguments)

    assert program.endswith("/.venv/bin/gunicorn")
    assert options.args == ["carecircle_ops.wsgi:application"]
    assert options.worker_class == "gthread"
    assert "--no-control-socket" in arguments


def test_pages_are_let_finish_before_systemd_kills_them():
    web = unit("carecircle-ops-web.service")

    assert number_in(web["ExecStart"], r"--graceful-timeout (\d+)") < int(web["TimeoutStopSec"])


def test_the_worker_is_let_finish_its_tasks_before_systemd_kills_it():
    worker = unit("carecircle-ops-worker.service")

    assert int(worker["TimeoutStopSec"]) > 2 * settings.WORKER_STOP_SECONDS
    assert settings.WORKER_STOP_SECONDS > settings.TASK_TIMEOUT_SECONDS
    assert (worker["KillMode"], worker["Restart"]) == ("mixed", "always")


@pytest.mark.parametrize("name", sorted(UNITS))
def test_units_can_write_nowhere_and_gain_nothing(name):
    directives = unit(name)

    assert directives["ProtectSystem"] == "strict"
    assert directives["CapabilityBoundingSet"] == ""
    assert directives["NoNewPrivileges"] == "yes"
    assert directives["User"] == UNITS[name]


def test_the_sealers_secrets_are_in_no_file_that_others_are_given():
    example = (DEPLOY / "ops.env.example").read_text(encoding="utf-8")
    assert "LEDGER_KEY" not in example
    assert "LEDGER_DATABASE_URL" not in example
    for name in ("carecircle-ops-web.service", "carecircle-ops-worker.service"):
        assert "sealer.env" not in (DEPLOY / name).read_text(encoding="utf-8")
    assert "sealer.env" in (DEPLOY / "carecircle-ops-sealer.service").read_text(encoding="utf-8")


def test_nginx_waits_longer_than_gunicorn_and_keeps_no_header_of_the_caller():
    conf = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    timeout_seconds = number_in(unit("carecircle-ops-web.service")["ExecStart"], r"--timeout (\d+)")

    assert number_in(conf, r"proxy_read_timeout (\d+)s") > timeout_seconds
    assert "X-Forwarded-For $remote_addr;" in conf
    assert "X-Forwarded-Proto $scheme;" in conf


def test_the_socket_of_the_pages_is_the_one_that_nginx_uses():
    socket = unit("carecircle-ops-web.socket")["ListenStream"]

    assert f"server unix:{socket}" in (DEPLOY / "nginx.conf").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_every_line_of_the_units(tmp_path):
    """In a root of their own, where the programs that they name are."""
    units = sorted(path.name for path in [*DEPLOY.glob("*.service"), *DEPLOY.glob("*.socket")])
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "lib/systemd").mkdir(parents=True)
    shutil.copytree("/lib/systemd/system", tmp_path / "lib/systemd/system", symlinks=True)
    for name in units:
        shutil.copy(DEPLOY / name, tmp_path / "etc/systemd/system")
    for program in ("opt/carecircle-ops/.venv/bin/python", "opt/carecircle-ops/.venv/bin/gunicorn", "bin/kill"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", tmp_path / program)

    command = ["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert set(units) > set(UNITS)
    # Of what it does not understand it only warns.
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_the_sealers_unit_is_given_what_it_writes_and_the_page_makes_it_so():
    sealer = unit("carecircle-ops-sealer.service")
    page = (ROOT / "docs/ledger.md").read_text(encoding="utf-8")
    example = (DEPLOY / "ops.env.example").read_text(encoding="utf-8")

    assert sealer["ExecStart"].endswith("manage.py run_sealer")
    assert f"/var/lib/{sealer['StateDirectory']}/memory" in page
    assert f"LEDGER_KEY_FILE=/var/lib/{sealer['StateDirectory']}/key" in page
    assert f"LEDGER_ANCHOR_DIRS={sealer['ReadWritePaths']}" in page
    assert f"-m {sealer['StateDirectoryMode']} /var/lib/{sealer['StateDirectory']}" in page
    assert "(umask 077; cat > /etc/carecircle-ops/sealer.env)" in page
    for secret in ("LEDGER_DATABASE_URL=", "LEDGER_DIGEST_EMAIL_URL=", "LEDGER_DIGEST_SLACK_URL="):
        assert secret in page.partition("<<END\n")[2].partition("\nEND\n")[0], "in sealer.env"
        assert secret not in example
