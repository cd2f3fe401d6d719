"""Columns that the database computes from the exact bytes of an event. Migrations name these classes: keep them."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Lookup
from django.db.models.expressions import Expression


class EventText(Func):
    """A member of the event's JSON as text; empty where it is absent."""

    template = "COALESCE((%(expressions)s)::jsonb #>> '{%(path)s}', '')"

    def __init__(self, path: str) -> None:
        super().__init__(models.F("body"), path=path, output_field=models.TextField())


class EventFamily(Func):
    """What stands before the dot of the event's type."""

    template = "split_part(COALESCE((%(expressions)s)::jsonb ->> 'type', ''), '.', 1)"

    def __init__(self) -> None:
        super().__init__(models.F("body"), output_field=models.TextField())


class EventRoles(Func):
    """The roles that the actor held, out of the event's list of code words."""

    template = (
        "string_to_array(translate(COALESCE((%(expressions)s)::jsonb #>> '{actor,roles}', ''), '[]\" ', ''), ',')"
    )

    def __init__(self) -> None:
        super().__init__(models.F("body"), output_field=ArrayField(models.TextField()))


class EventTime(Func):
    """A time of the event. Built from its digits, because a cast from text depends on the session's settings."""

    template = (
        "(make_timestamp("
        "substr((%(expressions)s)::jsonb ->> '%(path)s', 1, 4)::int, "
        "substr((%(expressions)s)::jsonb ->> '%(path)s', 6, 2)::int, "
        "substr((%(expressions)s)::jsonb ->> '%(path)s', 9, 2)::int, "
        "substr((%(expressions)s)::jsonb ->> '%(path)s', 12, 2)::int, "
        "substr((%(expressions)s)::jsonb ->> '%(path)s', 15, 2)::int, "
        "substr((%(expressions)s)::jsonb ->> '%(path)s', 18, 9)::double precision"
        ") AT TIME ZONE 'UTC')"
    )

    def __init__(self, path: str) -> None:
        super().__init__(models.F("body"), path=path, output_field=models.DateTimeField())


class EventJson(Func):
    template = "((%(expressions)s)::jsonb)"

    def __init__(self) -> None:
        super().__init__(models.F("body"), output_field=models.JSONField())


def computed(expression: Expression, field: models.Field[object, object]) -> models.GeneratedField:
    return models.GeneratedField(expression=expression, output_field=field, db_persist=True)


def text_member(path: str) -> models.GeneratedField:
    return computed(EventText(path), models.TextField())


@models.JSONField.register_lookup
class HasValue(Lookup):  # type: ignore[type-arg]
    """`members__has_value="x"`: some value, at any depth, is exactly this text; or one of these, for a list.

    Served by the GIN index, which finds in one go the events that fit several of these.
    """

    lookup_name = "has_value"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, parameters = self.process_lhs(compiler, connection)
        texts = [self.rhs] if isinstance(self.rhs, str) else self.rhs
        path = " || ".join(f"$.** == {json.dumps(text)}" for text in texts)
        return f"{column} @@ %s::jsonpath", (*parameters, path)
