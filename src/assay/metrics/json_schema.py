"""json-schema: answers whose JSON conforms to a schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from assay.errors import MissingExtraError, SettingsError
from assay.metrics.contract import MetricFunction, TaskFunction, Unscored
from assay.metrics.json_text import read_json
from assay.metrics.reading import scored, task_metric
from assay.metrics.task import PATTERN_SECONDS, TaskSettings, compiled, endless
from assay.records import Prediction, Sample
from assay.settings import shown

_WHERE = "metrics.task.schema"
_MOST_DIGITS = 400
"""Of a whole number that a schema is given as it is; a larger one is infinite to it."""
_REFERENCES = {"$ref", "$dynamicRef", "$recursiveRef"}


def _bind(task: TaskSettings) -> MetricFunction:
    """Return what is 100 where the JSON in an output conforms to the schema, else 0. Raises
    Unscored("no_json"), also for what is nested too deeply or has numbers too large to compare."""
    conforms = _validator(task)

    def read(output: str) -> bool:
        value = read_json(output)
        try:
            return conforms(_plain(value))
        except (RecursionError, OverflowError):
            raise Unscored("no_json") from None

    def function(sample: Sample, prediction: Prediction) -> float:
        try:
            return scored(task, lambda: read(prediction.output), float)
        except TimeoutError:
            raise endless(f"{_WHERE}: a pattern in it", f"the output of id={sample.id}") from None

    return function


def _plain(value: Any) -> Any:
    """Return a JSON value with the numbers that a schema knows."""
    return json.loads(json.dumps(value, default=_number))


def _number(value: Decimal) -> int | float:
    whole = value.adjusted() < _MOST_DIGITS and value == value.to_integral_value()
    return int(value) if whole else float(value)


def _validator(task: TaskSettings) -> Callable[[Any], bool]:
    """Return whether a value conforms to the schema, which is whole: nothing that it refers to is
    fetched. Raises SettingsError."""
    try:
        import jsonschema_specifications
        from jsonschema import exceptions, validators
    except ImportError:
        raise MissingExtraError("jsonschema", "metrics") from None
    if not task.schema:
        raise SettingsError(f"{_WHERE} is missing, and json-schema needs it", "Set the JSON Schema")
    kind = _draft(task, validators)
    try:
        kind.check_schema(dict(task.schema))
    except exceptions.SchemaError as error:
        raise SettingsError(f"{_WHERE} is no JSON Schema: {error.message}", "Correct it") from None
    registry = jsonschema_specifications.REGISTRY
    _check_references(task, kind.META_SCHEMA.get("$schema", ""), registry)
    extend: Any = validators.extend
    validator = extend(kind, {"pattern": _matching})(task.schema, registry=registry)
    try:
        validator.is_valid(None)
    except RecursionError:
        raise SettingsError(f"{_WHERE} refers to itself without an end", "Correct it") from None
    return lambda value: bool(validator.is_valid(value))


def _matching(validator: Any, pattern: str, text: object, _schema: object) -> Iterator[Exception]:
    """Yield an error where a text does not match; jsonschema's own search cannot be stopped. Raises
    TimeoutError."""
    from jsonschema.exceptions import ValidationError

    if validator.is_type(text, "string"):
        found = compiled(pattern, _WHERE).search(text, timeout=PATTERN_SECONDS)
        if not found:
            yield ValidationError(f"it does not match {pattern}")


def _draft(task: TaskSettings, validators: Any) -> Any:
    usual = validators.Draft202012Validator
    named = task.schema.get("$schema", usual.META_SCHEMA["$schema"])
    kind = validators.validator_for({"$schema": named}, None) if isinstance(named, str) else None
    if kind is None:
        raise SettingsError(
            f"{_WHERE}.$schema = {shown(named)} is no draft of JSON Schema that is known",
            f"Write {usual.META_SCHEMA['$schema']}, or leave it out",
        )
    return kind


def _check_references(task: TaskSettings, draft: str, registry: Any) -> None:
    """Raise SettingsError for a reference that leads to nothing, or out of the schema."""
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    whole = specification_with(draft).create_resource(dict(task.schema))
    waiting = [(registry.with_resource("", whole).resolver_with_root(whole), whole)]
    while waiting:
        resolver, part = waiting.pop()
        for name in _REFERENCES & set(part.contents if isinstance(part.contents, dict) else ()):
            try:
                resolver.lookup(part.contents[name])
            except (Unresolvable, ValueError):
                raise SettingsError(
                    f"{_WHERE}: {name} = {shown(part.contents[name])} leads to nothing in the "
                    "schema, and nothing else is read",
                    "Write what it refers to below $defs",
                ) from None
        waiting += [(resolver.in_subresource(inner), inner) for inner in part.subresources()]


JSON_SCHEMA = task_metric(
    "json-schema",
    "rate",
    "Share of answers whose JSON conforms to the schema, 0 to 100.",
    TaskFunction(bind=_bind),
    package="jsonschema",
)
