"""Neon's description of its API, made into validators: one for each part of each operation, compiled when first used.

The description is OpenAPI 3.0; the validators speak JSON Schema 2020-12. Two differences are bridged here: `nullable`,
and fields that the description does not know. OpenAPI allows those everywhere; here they are errors, because a
misspelt field is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

METHODS = ("get", "post", "put", "patch", "delete")
BASE = "urn:neon"
SHOWN_ERRORS = 5

Schema = dict[str, Any]


def read_description(path: Path) -> Schema:
    with path.open(encoding="utf-8") as file:
        loaded: Schema = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both safe)
    return loaded


class Validator:
    """Compiles its schema when it is first asked."""

    def __init__(self, schema: Schema, registry: jsonschema_rs.Registry) -> None:
        self._schema = schema
        self._registry = registry
        self._compiled: Any = None

    def errors(self, value: Any) -> list[str]:
        if self._compiled is None:
            self._compiled = jsonschema_rs.validator_for(self._schema, registry=self._registry, validate_formats=True)
        if self._compiled.is_valid(value):
            return []
        found = list(self._compiled.iter_errors(value))[:SHOWN_ERRORS]
        return [f"{'.'.join(map(str, error.instance_path)) or 'the whole'}: {error.message[:300]}" for error in found]


@dataclass(frozen=True)
class Parameter:
    required: bool
    type: str
    validator: Validator

    def errors(self, text: str) -> list[str]:
        return self.validator.errors(_typed(text, self.type))


@dataclass(frozen=True)
class Operation:
    """`answers` by status; "default" is the error body. None: no body."""

    method: str
    template: str
    pattern: re.Pattern[str]
    path_parameters: Mapping[str, Parameter]
    query_parameters: Mapping[str, Parameter]
    body: Validator | None
    body_required: bool
    answers: Mapping[str, Validator | None] = field(repr=False)


class Description:
    """The operations of a description. The first that fits a path is meant; those without parameters come first."""

    def __init__(self, published: Schema) -> None:
        self._document = published
        components = {
            name: {key: converted(schema) for key, schema in published["components"][name].items()}
            for name in ("schemas",)
        }
        self._registry = jsonschema_rs.Registry([(BASE, {"components": components})])
        self.operations: Sequence[Operation] = sorted(self._read(), key=lambda operation: operation.template.count("{"))

    def find(self, method: str, path: str) -> Operation | None:
        for operation in self.operations:
            if operation.method == method.upper() and operation.pattern.fullmatch(path):
                return operation
        return None

    def schema(self, name: str) -> Validator:
        """One of the named schemas, as it is used: closed to unknown fields."""
        return self._validator({"$ref": f"#/components/schemas/{name}"})

    def _read(self) -> Iterator[Operation]:
        for template, item in self._document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield self._operation(method, template, item[method], item.get("parameters", []))

    def _operation(self, method: str, template: str, raw: Schema, shared: list[Schema]) -> Operation:
        parameters = [self._resolved(parameter) for parameter in [*shared, *raw.get("parameters", [])]]
        body = self._resolved(raw.get("requestBody", {}))
        return Operation(
            method=method.upper(),
            template=template,
            pattern=re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)),
            path_parameters=self._parameters(parameters, "path"),
            query_parameters=self._parameters(parameters, "query"),
            body=self._of_content(body),
            body_required=bool(body.get("required")),
            answers={
                str(status): self._of_content(self._resolved(answer)) for status, answer in raw["responses"].items()
            },
        )

    def _parameters(self, parameters: list[Schema], place: str) -> dict[str, Parameter]:
        return {
            raw["name"]: Parameter(
                required=bool(raw.get("required")),
                type=self._resolved(raw["schema"]).get("type", "string"),
                validator=self._validator(raw["schema"]),
            )
            for raw in parameters
            if raw["in"] == place
        }

    def _of_content(self, raw: Schema) -> Validator | None:
        schema = raw.get("content", {}).get("application/json", {}).get("schema")
        return None if schema is None else self._validator(schema)

    def _validator(self, schema: Schema) -> Validator:
        return Validator(closed(schema), self._registry)

    def _resolved(self, raw: Schema) -> Schema:
        if "$ref" not in raw:
            return raw
        found: Any = self._document
        for part in raw["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return self._resolved(found)


def closed(schema: Schema) -> Schema:
    """A schema at a place where a value stands: fields that no part of it knows are errors."""
    inner = converted(schema)
    if inner.get("type", "object") != "object" or not {"properties", "allOf", "$ref"} & inner.keys():
        return inner
    return inner | {"unevaluatedProperties": False}


def converted(schema: Schema) -> Schema:
    """OpenAPI 3.0 to JSON Schema, open to unknown fields, so that it can be a part of an `allOf`."""
    if "$ref" in schema:
        return {"$ref": BASE + schema["$ref"]}
    made = {name: value for name, value in schema.items() if name not in ("nullable", "example", "discriminator")}
    if "properties" in made:
        made["properties"] = {name: closed(value) for name, value in made["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(made.get(name), dict):
            made[name] = closed(made[name])
    for name in ("allOf", "anyOf", "oneOf"):
        if name in made:
            made[name] = [converted(part) for part in made[name]]
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") else made


def _typed(text: str, wanted: str) -> Any:
    if wanted == "integer":
        return int(text) if re.fullmatch(r"-?\d+", text) else text
    if wanted == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if wanted == "array":
        return text.split(",")
    return text
