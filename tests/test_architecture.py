"""The directions of imports, and other promises about the code that a reviewer would otherwise have to count."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("backups", "carecircle_ops", "neon_sandbox", "demo")
LONGEST_FILE_LINES = 350
LONG_FUNCTION_LINES = 35

# Who may import what. The longest prefix that fits a module decides; what is not of this project is judged by
# FOREIGN. Every layer may import itself.
ARROWS: dict[str, set[str]] = {
    "backups.domain": set(),
    "backups.neon": {"backups.domain"},
    "backups.verification": {"backups.domain"},
    "backups.ledger": {"backups.domain"},
    "backups.models": {"backups.domain"},
    "backups.selectors": {"backups.models", "backups.domain"},
    "backups.services": {
        "backups.selectors",
        "backups.models",
        "backups.neon",
        "backups.verification",
        "backups.ledger",
        "backups.domain",
    },
    "backups.admin": {"backups.services", "backups.selectors", "backups.models", "backups.domain"},
    "backups.tasks": {"backups.services", "backups.selectors", "backups.models", "backups.domain"},
    # The process around django-q's cluster: on the level of a command, whose body it is.
    "backups.worker": {"backups.services", "backups.selectors", "backups.models", "backups.domain"},
    "backups.management": {
        "backups.worker",
        "backups.services",
        "backups.selectors",
        "backups.models",
        "backups.neon",
        "backups.verification",
        "backups.ledger",
        "backups.domain",
    },
    "backups.migrations": {"backups.models", "backups.domain"},
    "backups": {"backups.services", "backups.selectors", "backups.models", "backups.domain"},
    "carecircle_ops": {"backups"},
    "neon_sandbox": set(),
    "demo": {"backups", "carecircle_ops", "neon_sandbox"},
}
# Packages from elsewhere that only some layers may use. A package that is not named here is free for the layers
# that are not named in STANDARD_LIBRARY_AND.
FOREIGN: dict[str, set[str]] = {
    "httpx": {"backups.neon.transport"},
    "httpcore": {"backups.neon"},
    "django_q": {"backups.services", "backups.selectors", "backups.worker", "carecircle_ops.apps"},
}
STANDARD_LIBRARY_AND: dict[str, set[str]] = {
    "backups.domain": set(),
    "backups.neon": {"httpx", "httpcore", "certifi"},
    "backups.verification": {"psycopg"},
    "backups.ledger": {"cryptography", "rfc8785"},
    "neon_sandbox": {"psycopg", "cryptography"},
}


@dataclass(frozen=True)
class Module:
    name: str
    path: Path

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.path)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _modules() -> list[Module]:
    paths = sorted(path for package in PRODUCT for path in (ROOT / package).rglob("*.py"))
    return [Module(".".join(path.relative_to(ROOT).with_suffix("").parts), path) for path in paths]


MODULES = _modules()


def _imports(module: Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _layer(name: str) -> str:
    fitting = [layer for layer in ARROWS if _lies_in(name, layer)]
    return max(fitting, key=len)


def _lies_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _lies_in_one_of(name: str, packages: set[str]) -> bool:
    return any(_lies_in(name, package) for package in packages)


def _objection(importer: str, imported: str) -> str | None:
    top = imported.partition(".")[0]
    layer = _layer(importer)
    if top == "tests":
        return "tests are not part of the product"
    if top in PRODUCT:
        allowed = _lies_in(_layer(imported), layer) or _lies_in_one_of(_layer(imported), ARROWS[layer])
        return None if allowed else f"{layer} may not import {_layer(imported)}"
    if top in FOREIGN and not _lies_in_one_of(importer, FOREIGN[top]):
        return f"{top} may be imported only by {', '.join(sorted(FOREIGN[top]))}"
    limited = STANDARD_LIBRARY_AND.get(layer)
    if limited is not None and top not in sys.stdlib_module_names | limited:
        return f"{layer} lives on the standard library{' and ' if limited else ''}{', '.join(sorted(limited))}"
    return None


def test_imports_follow_the_arrows():
    wrong = [
        f"{module.path.relative_to(ROOT)}:{line}: imports {imported}: {objection}"
        for module in MODULES
        for line, imported in _imports(module)
        if (objection := _objection(module.name, imported))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("backups.domain.restore", "django.db"),
        ("backups.domain.restore", "backups.models.restore"),
        ("backups.neon.client", "django.conf"),
        ("backups.neon.client", "httpx"),
        ("backups.verification.checks", "backups.models.restore"),
        ("backups.ledger.record", "django.utils"),
        ("backups.models.restore", "backups.services.restore"),
        ("backups.selectors.restore", "backups.services.restore"),
        ("backups.services.restore", "backups.admin.restore"),
        ("backups.services.restore", "backups.tasks.advance"),
        ("backups.services.restore", "httpx"),
        ("backups.services.restore", "carecircle_ops.settings"),
        ("backups.admin.restore", "backups.neon.client"),
        ("backups.admin.restore", "django_q.tasks"),
        ("neon_sandbox.server", "backups.neon.types"),
        ("neon_sandbox.server", "django.http"),
        ("carecircle_ops.health", "tests.factories"),
    ],
)
def test_the_rules_refuse_what_they_are_for(importer, imported):
    assert _objection(importer, imported)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("backups.neon.transport", "httpx"),
        ("backups.services.execution", "backups.neon.client"),
        ("backups.services.execution", "django_q.tasks.async_task"),
        ("backups.admin.restore", "backups.services.restore"),
        ("backups.apps", "backups.services.people"),
        ("backups.management.commands.run_worker", "backups.worker.supervisor"),
        ("carecircle_ops.health", "backups.selectors.worker"),
    ],
)
def test_the_rules_allow_what_is_needed(importer, imported):
    assert _objection(importer, imported) is None


def test_no_file_has_grown_too_long():
    lengths = {module.path: module.path.read_text(encoding="utf-8").count("\n") for module in MODULES}
    too_long = {
        str(path.relative_to(ROOT)): lines
        for path, lines in lengths.items()
        if lines > LONGEST_FILE_LINES and "migrations" not in path.parts
    }
    assert not too_long


def test_functions_stay_short():
    lengths = sorted(
        node.end_lineno - node.lineno + 1
        for module in MODULES
        if "migrations" not in module.path.parts
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    )
    assert statistics.quantiles(lengths, n=10)[-1] < LONG_FUNCTION_LINES


INLINE = {
    "an inline style": re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    "an inline script": re.compile(
        r"<script\b(?![^>]*\bsrc=)(?![^>]*type=[\"']application/json)|\son[a-z]+\s*=\s*[\"']|javascript:", re.IGNORECASE
    ),
}


def test_templates_hold_no_inline_script_or_style():
    """The content security policy would silently drop them."""
    pages = [path for folder in ("templates", "backups/templates") for path in (ROOT / folder).rglob("*.*")]
    wrong = [
        f"{page.relative_to(ROOT)}:{number}: {what}"
        for page in pages
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
        for what, pattern in INLINE.items()
        if pattern.search(line)
    ]
    assert not wrong, "\n".join(wrong)
