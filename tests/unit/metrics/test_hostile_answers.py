"""What a model may write: no answer ends the stage, and no size of a number makes it right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import SettingsError
from assay.metrics import CATALOGUE, TASK_METRICS, MetricsSettings, TaskSettings, check
from assay.metrics.suggest import suggest
from assay.records import Sample
from assay.store import write_rows
from tests.unit.metrics.test_task_metrics import SCHEMA, call, value

TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "anyOf": [
                {"type": "object", "additionalProperties": {"$ref": "#/$defs/node"}},
                {"type": "array", "items": {"$ref": "#/$defs/node"}},
                {"multipleOf": 0.1},
            ]
        }
    },
}
NEEDS = {"pattern": ".+", "labels": ("yes", "no")}
NUMBERS = ("1e99999999999999999999", "-1e-99999999999999999999", "1e999999999", "1e400", "9" * 5000)
numbers = st.sampled_from(NUMBERS) | st.from_regex(r"-?[1-9][0-9]{0,30}(\.[0-9]+)?", fullmatch=True)
nested = st.recursive(
    numbers,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | inner.map(lambda part: f'{{"name": "f", "arguments": {{"a": {part}}}}}')
    ),
    max_leaves=4,
)
deep = st.integers(100, 2000).map(lambda depth: "[" * depth + "]" * depth)


@settings(max_examples=80, deadline=None)
@given(output=nested | deep, target=nested | deep)
@pytest.mark.parametrize("schema", [SCHEMA, TREE, {"multipleOf": 3}])
def test_any_json_has_a_score_or_a_cause(schema: dict[str, Any], output: str, target: str) -> None:
    for name in (name for name in TASK_METRICS if CATALOGUE[name].group == "task"):
        scored = value(name, output, target, schema=schema, **NEEDS)
        assert isinstance(scored, str) or 0 <= scored <= 100


@pytest.mark.parametrize(
    ("metric", "output", "target", "wanted"),
    [
        ("json-valid", '{"a": 1e99999999999999999999}', "", 100.0),
        ("json-fields", '{"a": 1e99999999999999999999}', '{"a": 1}', "no_json"),
        ("json-fields", "{}", '{"a": 1e99999999999999999999}', "target_no_json"),
        ("json-fields", '{"a": 1e999999999}', '{"a": 10e999999998}', 100.0),
        ("call-match", '{"name": "f", "arguments": {"a": 1e99999999999999999999}}', "", "no_call"),
    ],
)
def test_a_number_out_of_any_range_is_no_fault(
    metric: str, output: str, target: str, wanted: float | str
) -> None:
    assert value(metric, output, target or json.dumps(call(a=1))) == wanted


@pytest.mark.parametrize(
    ("output", "schema", "wanted"),
    [
        ("12345678901234567891", {"const": 12345678901234567891}, 100.0),
        ("12345678901234567890", {"const": 12345678901234567891}, 0.0),
        ("1e3", {"type": "integer"}, 100.0),
        ("9" * 300, {"type": "integer", "minimum": 1}, 100.0),
        ("1e400", {"multipleOf": 0.1}, "no_json"),
        ("[" * 200 + "]" * 200, TREE, "no_json"),
        ("[[]]", TREE, 100.0),
    ],
)
def test_a_schema_gets_the_number_that_was_written(
    output: str, schema: dict[str, Any], wanted: float | str
) -> None:
    assert value("json-schema", output, "", schema=schema) == wanted


@pytest.mark.parametrize(
    ("output", "target", "task", "wanted"),
    [
        ("5", "1e400", {"relative_tolerance": 0.1}, 0.0),
        ("5", "7" * 400, {"relative_tolerance": 0.1}, 0.0),
        ("7" * 399 + "8", "7" * 400, {"relative_tolerance": 0.1}, 100.0),
        ("1e999999999", "5", {"tolerance": 1}, 0.0),
        ("12345678901234567890", "12345678901234567891", {"tolerance": 0.5}, 0.0),
        ("0.1", "0.2", {"tolerance": 0.1}, 100.0),
        ("0.0999", "0.2", {"tolerance": 0.1}, 0.0),
        ("90", "100", {"relative_tolerance": 0.1}, 100.0),
        ("-90", "-100", {"relative_tolerance": 0.1}, 100.0),
    ],
)
def test_a_tolerance_holds_at_any_size(
    output: str, target: str, task: dict[str, float], wanted: float
) -> None:
    assert value("number-match", output, target, **task) == wanted


def test_targets_out_of_any_range_are_looked_at(tmp_path: Path) -> None:
    target = '{"name": "f", "arguments": {"a": 1e99999999999999999999}}'
    rows = (Sample(id=f"{n}", messages=(), target=target) for n in range(20))
    write_rows(tmp_path / "samples.jsonl", rows)
    assert suggest(("exact-match",), tmp_path / "samples.jsonl", TaskSettings()) == ""


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "http://127.0.0.1:9/x.json"}, "leads to nothing in the schema"),
        ({"properties": {"a": {"$ref": "file:///etc/hosts"}}}, "leads to nothing in the schema"),
        ({"items": {"$ref": "other.json#/a"}}, "leads to nothing in the schema"),
        ({"$ref": "#/$defs/none"}, "leads to nothing in the schema"),
        ({"$ref": "#"}, "refers to itself"),
        ({"$schema": "http://json-schema.org/draft-99/schema"}, "no draft of JSON Schema"),
        ({"$schema": 7}, "no draft of JSON Schema"),
    ],
)
def test_a_schema_that_is_not_whole_is_refused_and_nothing_is_fetched(
    schema: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr("urllib.request.urlopen", opened)
    wanted = MetricsSettings(metrics=("json-schema",), task=TaskSettings(schema=schema))
    with pytest.raises(SettingsError, match=message):
        check(wanted)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"$ref": {"type": "string"}}},  # a field of that name
        {"$id": "https://e.example/a", "items": {"$ref": "/a"}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "items": {"$ref": "#"}},
        {"$schema": "http://json-schema.org/draft-04/schema", "definitions": {"a": {}}},
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},  # which comes with the package
        {"$defs": {"a": {"$anchor": "here"}}, "$ref": "#here"},
    ],
)
def test_a_schema_that_is_whole_is_taken(schema: dict[str, Any]) -> None:
    check(MetricsSettings(metrics=("json-schema",), task=TaskSettings(schema=schema)))
