"""json-valid and json-fields: answers that are JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from assay.metrics.contract import Unscored
from assay.metrics.reading import compared, rate, task_metric
from assay.metrics.task import TaskSettings
from assay.records import Prediction, Sample

Leaf = tuple[object, ...]
"""Where a value stands, and the value with its kind: true is not 1, and 1.0 is."""

FENCED = re.compile(r"```[\w-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_SPACE = re.compile(r"\s*")
_MOST_STARTS = 100
_NOT_JSON = (ValueError, RecursionError)


def json_valid(sample: Sample, prediction: Prediction) -> float:  # noqa: ARG001
    """Return 100 where the output as a whole is JSON (RFC 8259, so without NaN), else 0."""
    try:
        json.loads(prediction.output, parse_float=str, parse_int=str, parse_constant=_refuse)
    except _NOT_JSON:
        return 0.0
    return 100.0


def parse(text: str) -> Any:
    """Return the JSON value that a text is, numbers exact. Raises ValueError, also for a number
    whose exponent has more than 18 digits, and RecursionError."""
    return json.loads(text, **_EXACT)


def parse_several(text: str) -> list[Any]:
    """Return the objects or lists that a text is made of, with white space alone between them;
    none where it has anything else."""
    decoder, found, at = json.JSONDecoder(**_EXACT), [], _behind_space(text, 0)
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except _NOT_JSON:
            return []
        if not isinstance(value, dict | list):
            return []
        found.append(value)
        at = _behind_space(text, at)
    return found


def read_json(text: str) -> Any:
    """Return the JSON in a text: the whole, else the only fenced block, else the first object or
    list that stands in it. Of objects or lists one after the other, as in JSON lines, it is the
    list. Raises Unscored("no_json")."""
    blocks = FENCED.findall(text)
    for part in (text, *(blocks if len(blocks) == 1 else ())):
        try:
            return parse(part)
        except _NOT_JSON:
            if several := parse_several(part):
                return several
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


def _behind_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _first_within(text: str) -> Any:
    decoder = json.JSONDecoder(**_EXACT)
    starts = [match.start() for match in re.finditer(r"[{\[]", text)]
    for start in starts[:_MOST_STARTS]:
        try:
            return decoder.raw_decode(text, start)[0]
        except _NOT_JSON:
            continue
    raise Unscored("no_json")


def _exact(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise ValueError("a number is out of any range") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_EXACT: Mapping[str, Any] = {
    "parse_float": _exact,
    "parse_int": Decimal,
    "parse_constant": _refuse,
}


def _shared(_: TaskSettings, given: Any, wanted: Any) -> float:
    return overlap(Counter(leaves(given)), Counter(leaves(wanted)))


JSON_VALID = rate("json-valid", "that are JSON as a whole", json_valid)
JSON_FIELDS = task_metric(
    "json-fields",
    "mean",
    "F1 of the fields that the answer's JSON and the target's share, each with its value, "
    "0 to 100.",
    compared(lambda _: read_json, _shared),
)
