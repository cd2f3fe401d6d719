"""The shapes of a control, and how its answer is taken."""

from __future__ import annotations

import datetime as dt
import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeAlias

from backups.domain.monitor import CouldNotTell, Observation, Verdict
from backups.models import ProtectedBranch
from backups.services.monitor.facts import NotTold
from backups.services.monitor.scene import Scene

logger = logging.getLogger("backups.monitor")

BranchLook: TypeAlias = Callable[[Scene, ProtectedBranch], Sequence[Observation]]
ProjectLook: TypeAlias = Callable[[Scene], Sequence[Observation]]
PortalLook: TypeAlias = Callable[[dt.datetime], Sequence[Observation]]


@dataclass(frozen=True, slots=True)
class BranchControl:
    """Asked for each branch in care. May raise NotTold; so may the others."""

    name: str
    title: str
    look: BranchLook


@dataclass(frozen=True, slots=True)
class ProjectControl:
    """Asked once for each project."""

    name: str
    title: str
    look: ProjectLook


@dataclass(frozen=True, slots=True)
class PortalControl:
    """Asked once in a cycle, about the portal itself; gets the database's clock."""

    name: str
    title: str
    look: PortalLook


P = ParamSpec("P")


def verdict_of(name: str, look: Callable[P, Sequence[Observation]], *args: P.args, **named: P.kwargs) -> Verdict:
    """What the control says. An error that nobody foresaw is unknown, never healthy, and is logged without text."""
    try:
        return list(look(*args, **named))
    except NotTold as missing:
        return CouldNotTell(missing.reason[:300], postponed=missing.postponed)
    except Exception as error:
        where = "".join(traceback.format_tb(error.__traceback__)[-3:])
        logger.error("the control %s failed: %s\n%s", name, type(error).__name__, where)
        return CouldNotTell(f"The control itself failed ({type(error).__name__}); the worker's log says where.")
