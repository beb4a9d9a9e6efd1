"""json-valid, json-schema and json-fields: answers that are JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from assay.errors import MissingExtraError, SettingsError
from assay.metrics.contract import MetricFunction, TaskFunction, Unscored
from assay.metrics.reading import compared, rate, scored, task_metric
from assay.metrics.task import TaskSettings
from assay.records import Prediction, Sample

Leaf = tuple[object, ...]
"""Where a value stands, and the value with its kind: true is not 1, and 1.0 is."""

_FENCED = re.compile(r"```[\w-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_MOST_STARTS = 100
_NOT_JSON = (ValueError, RecursionError)


def json_valid(sample: Sample, prediction: Prediction) -> float:  # noqa: ARG001
    """Return 100 where the output as a whole is JSON (RFC 8259, so without NaN), else 0."""
    try:
        parse(prediction.output)
    except _NOT_JSON:
        return 0.0
    return 100.0


def parse(text: str) -> Any:
    """Return the JSON value that a text is, numbers exact. Raises ValueError and RecursionError."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)


def read_json(text: str) -> Any:
    """Return the JSON in a text: the whole, else the only fenced block, else the first object or
    list that stands in it. Raises Unscored("no_json")."""
    blocks = _FENCED.findall(text)
    for part in (text, *(blocks if len(blocks) == 1 else ())):
        try:
            return parse(part)
        except _NOT_JSON:
            continue
    return _first_within(text)


def leaves(value: Any, place: Leaf = ()) -> Iterator[Leaf]:
    """Yield each value within a JSON value that holds no other, after its place."""
    waiting = [(place, value)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict | list) and value:
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [((*place, key), held) for key, held in inner]
        elif isinstance(value, dict | list):
            yield (*place, type(value).__name__)
        else:
            yield (*place, type(value).__name__, value)


def overlap(given: Counter[Leaf], wanted: Counter[Leaf]) -> float:
    """Return the F1 of what two collections share, 1 where both are empty."""
    total = given.total() + wanted.total()
    return float(2 * (given & wanted).total() / total) if total else 1.0


def _first_within(text: str) -> Any:
    decoder = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)
    starts = [match.start() for match in re.finditer(r"[{\[]", text)]
    for start in starts[:_MOST_STARTS]:
        try:
            return decoder.raw_decode(text, start)[0]
        except _NOT_JSON:
            continue
    raise Unscored("no_json")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _shared(_: TaskSettings, given: Any, wanted: Any) -> float:
    return overlap(Counter(leaves(given)), Counter(leaves(wanted)))


def _bind_schema(task: TaskSettings) -> MetricFunction:
    """Return what is 100 where the JSON in an output conforms to the schema, else 0. Raises
    Unscored("no_json")."""
    validator = _validator(task)

    def function(sample: Sample, prediction: Prediction) -> float:  # noqa: ARG001
        return scored(
            task,
            lambda: read_json(prediction.output),
            lambda value: bool(validator.is_valid(_plain(value))),
        )

    return function


def _plain(value: Any) -> Any:
    """Return a JSON value with the numbers that a schema knows."""
    return json.loads(json.dumps(value, default=_number))


def _number(value: Decimal) -> int | float:
    whole = value == value.to_integral_value() if abs(value) < 10**15 else False
    return int(value) if whole else float(value)


def _validator(task: TaskSettings) -> Any:
    try:
        from jsonschema import exceptions, validators
    except ImportError:
        raise MissingExtraError("jsonschema", "metrics") from None
    if not task.schema:
        raise SettingsError(
            "metrics.task.schema is missing, and json-schema needs it", "Set the JSON Schema"
        )
    kind = validators.validator_for(task.schema, default=validators.Draft202012Validator)
    try:
        kind.check_schema(dict(task.schema))
    except exceptions.SchemaError as error:
        raise SettingsError(
            f"metrics.task.schema is no JSON Schema: {error.message}", "Correct it"
        ) from None
    return kind(task.schema)


JSON_VALID = rate("json-valid", "that are JSON as a whole", json_valid)
JSON_SCHEMA = task_metric(
    "json-schema",
    "rate",
    "Share of answers whose JSON conforms to the schema, 0 to 100.",
    TaskFunction(bind=_bind_schema),
    package="jsonschema",
)
JSON_FIELDS = task_metric(
    "json-fields",
    "mean",
    "F1 of the fields that the answer's JSON and the target's share, each with its value, "
    "0 to 100.",
    compared(lambda _: read_json, _shared),
)
