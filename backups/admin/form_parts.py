"""A form as a list of parts, so that one template can print any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms

from backups.admin.moments import MomentsForm
from backups.services.restore.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to fill in. `kind`: moment, choices, tick or field."""

    kind: str
    name: str
    field: Any = None
    is_optional: bool = False


class PlainForm(MomentsForm):
    """A form whose refusals by a service stand beside their fields."""

    OPTIONAL_MOMENTS: ClassVar[frozenset[str]] = frozenset()
    #: Names of fields and of moments, in the order in which people think; empty: as declared, moments last.
    ORDER: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([name for wanted in self.ORDER for name in self._fields_of(wanted)])

    def _fields_of(self, name: str) -> list[str]:
        return [f"{name}_{part}" for part in ("date", "time", "zone")] if name in self.MOMENTS else [name]

    def take(self, invalid: InvalidInput) -> None:
        """Puts the service's sentences beside the fields that they are about."""
        for name, sentence in invalid.errors.items():
            self.refuse(name, sentence)

    def needed(self, name: str) -> Any:
        """The moment, or None with a sentence beside it when nothing was typed."""
        at = self.cleaned_data.get(name)
        if at is None and name not in self.errors:
            self.refuse(name, "Give the date and the time.")
        return at

    def parts(self) -> Iterator[Part]:
        """In the order of the fields; the three fields of a moment are one part, where the first of them stands."""
        of_moments = {f"{name}_{part}": name for name in self.MOMENTS for part in ("date", "time", "zone")}
        shown: set[str] = set()
        for name in self.fields:
            moment = of_moments.get(name)
            if moment is None:
                yield Part(_kind(self.fields[name].widget), name, self[name])
            elif moment not in shown:
                shown.add(moment)
                yield Part("moment", moment, is_optional=moment in self.OPTIONAL_MOMENTS)


def _kind(widget: forms.Widget) -> str:
    if isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple):
        return "choices"
    return "tick" if isinstance(widget, forms.CheckboxInput) else "field"
