"""The task metrics: tables of what is read in an answer, and what two answers make."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import MissingExtraError, SettingsError
from assay.metrics import (
    CATALOGUE,
    METRICS,
    TASK_METRICS,
    MetricsSettings,
    TaskSettings,
    Unscored,
    check,
    json_schema,
)
from assay.metrics import task as task_settings
from assay.settings import build
from tests.unit.metrics.pairs import pair, texts

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
}


def value(name: str, output: str, target: str, **task: Any) -> float | str:
    """Return the score, or the cause why there is none."""
    function = METRICS.get(name) or TASK_METRICS[name].bind(TaskSettings(**task))
    try:
        return function(*pair(output, target))
    except Unscored as outcome:
        return outcome.cause


@pytest.mark.parametrize(
    ("output", "target", "wanted"),
    [
        ("15", "1.5", 0.0),  # equal to SQuAD's exact-match
        ("1.50", "1.5", 100.0),
        ("-3", "3", 0.0),
        ("x = \u22123", "-3", 100.0),
        ("5-3", "3", 100.0),
        ("The answer is 1,234.50.", "#### 1234.5", 100.0),
        ("1,23", "23", 0.0),  # a decimal comma
        ("2,14", "3,14", 0.0),
        ("1,23", "1.23", 100.0),
        ("0,125", "0.125", 100.0),
        ("1,2,3", "3", 100.0),
        ("(1, 2)", "2", 100.0),
        ("1.234,50 €", "1234.5", 100.0),
        ("9.999,50", "1.234,50", 0.0),
        ("1.234.567", "1234567", 100.0),
        ("1\u202f234,5", "1234.5", 100.0),
        ("1 234,50", "1234.5", 100.0),
        ("100 200 300", "300", 100.0),
        ("1'234.50", "1234.5", 100.0),
        ("12,34,567", "1234567", 100.0),
        ("1_000_000", "1000000", 100.0),
        ("$1{,}234$", "1234", 100.0),
        ("2.5 × 10^3", "1.5 × 10^3", 0.0),
        ("2.5 \\times 10^{-3}", "0.0025", 100.0),
        ("1,5·10³", "1500", 100.0),
        ("2^10", "1024", 100.0),
        ("0^-1", "0", 100.0),
        ("30 cm^2", "25 cm^2", 0.0),
        ("5 m s^{-1}", "5", 100.0),
        ("x^2", "2", "no_number"),
        ("3/2", "1/2", 0.0),
        ("\\frac{1}{2}", "0.5", 100.0),
        ("-\\frac{1}{2}", "0.5", 0.0),
        ("2 1/2", "2.5", 100.0),
        ("2½", "2.5", 100.0),
        ("2/6", "1/3", 100.0),
        ("on 2024/05/01", "1", 100.0),
        ("10/0", "0", 100.0),
        ("٤٢", "42", 100.0),
        ("４２", "42", 100.0),
        ("٣٫١٤", "3.14", 100.0),
        ("–5", "-5", 100.0),
        ("-$5", "5", 0.0),
        ("2–3", "3", 100.0),
        ("3 apples and 4 pears: 7.", "7", 100.0),
        ("$5", "5", 100.0),
        ("答案是42。", "42", 100.0),
        ("1e3", "1000", 100.0),
        (".5", "0.5", 100.0),
        ("1e999999999", "5", 0.0),
        ("9" * 5000, "9" * 5000, 100.0),
        ("v2", "2", "no_number"),
        ("", "2", "no_number"),
        ("two", "2", "no_number"),
        ("2", "two", "target_no_number"),
        ("2", " ", "no_target"),
    ],
)
def test_the_last_number_counts(output: str, target: str, wanted: float | str) -> None:
    assert value("number-match", output, target) == wanted


@pytest.mark.parametrize(
    ("output", "target", "tolerance", "relative", "wanted"),
    [
        ("0.2", "0.1", 0.1, 0.0, 100.0),
        ("0.21", "0.1", 0.1, 0.0, 0.0),
        ("102", "100", 0.0, 0.02, 100.0),
        ("-102", "-100", 0.0, 0.02, 100.0),
        ("103", "100", 0.0, 0.02, 0.0),
        ("1e999999999", "5", 1.0, 1.0, 0.0),
        ("100", "100", 0.0, 0.0, 100.0),
    ],
)
def test_numbers_are_near_within_the_tolerance(
    output: str, target: str, tolerance: float, relative: float, wanted: float
) -> None:
    near = {"tolerance": tolerance, "relative_tolerance": relative}
    assert value("number-match", output, target, **near) == wanted


@pytest.mark.parametrize(
    ("output", "target", "wanted"),
    [
        ("A", "A", 100.0),
        ("", "A", "no_choice"),  # equal to SQuAD's exact-match
        ("B", "A", 0.0),
        ("(b)", "B", 100.0),
        ("**C**", "C", 100.0),
        ("B) Paris", "(B) Paris", 100.0),
        ("B. Paris", "B", 100.0),
        ("The answer is B.", "B", 100.0),
        ("Answer: **B**", "B", 100.0),
        ("A is wrong. The correct answer is (D).", "D", 100.0),
        ("First I said the answer is A, but the answer is C", "C", 100.0),
        ("答案是C。", "C", 100.0),
        ("$\\boxed{C}$", "C", 100.0),
        ("It is Paris (B), the capital", "B", 100.0),
        ("I think it's C", "C", 100.0),
        ("A cat is an animal", "A", "no_choice"),
        ("The answer: a dog", "A", "no_choice"),
        ("A or B", "A", "several_choices"),
        ("The correct answer is B. Option A is wrong.", "A", 0.0),
        ("Option B is correct because option A is wrong.", "B", 100.0),
        ("B is correct.", "B", 100.0),
        ("A is incorrect; B is correct", "B", 100.0),
        ("The answer is not A", "A", "no_choice"),
        ("The answer is not A but B.", "B", 100.0),
        ("It isn't A. The answer is B.", "B", 100.0),
        ("不是A，答案是C", "C", 100.0),
        ("Answer: A and C", "A", "several_choices"),
        ("Answer: A, C", "A", "several_choices"),
        ("The answer is A/B", "A", "several_choices"),
        ("The answer is B, A is wrong", "B", 100.0),
        ("<answer>B</answer>", "B", 100.0),
        ('{"answer": "B"}', "B", 100.0),
        ("\\boxed{\\text{B}} as option A fails", "B", 100.0),
        ("**Answer**: B\n\nBecause A is small", "B", 100.0),
        ("A. London - no\nB. Paris - yes\n\nSo B", "A", "several_choices"),
        ("A. London\nB. Paris\nAnswer: B", "B", 100.0),
        ("(A) is wrong, so (B)", "A", "several_choices"),
        ("Answer: b", "B", 100.0),
        ("The answer to question 3 is C, since A is not", "C", 100.0),
        ("I'd go with option C over option A", "C", 100.0),
        ("Option A: x\nOption B: y", "B", "several_choices"),
        ("答案：Ｂ", "B", 100.0),
        ("The answer is Vitamin C", "C", 100.0),
        ("Either (A) or (B)", "A", "several_choices"),
        ("I", "A", "no_choice"),
        ("A", "Paris", "target_no_choice"),
    ],
)
def test_the_chosen_letter_counts(output: str, target: str, wanted: float | str) -> None:
    assert value("choice-match", output, target) == wanted


LABELS = ("positive", "negative", "toxic", "non-toxic", "1", "-1", "正面")


@pytest.mark.parametrize(
    ("output", "target", "wanted"),
    [
        ("Positive.", "positive", 100.0),
        (' "positive"\n', "positive", 100.0),
        ("The sentiment is **negative**", "positive", 0.0),
        ("non-toxic", "toxic", 0.0),
        ("it is non-toxic", "non-toxic", 100.0),
        ("-1", "1", 0.0),
        ("这是正面的", "正面", 100.0),
        ("positively", "positive", "no_label"),
        ("1.5", "1", "no_label"),
        ("", "positive", "no_label"),
        ("positive or negative", "positive", "several_labels"),
        ("positive, I say positive", "positive", 100.0),
        ("positive", "neutral", "target_no_label"),
    ],
)
def test_the_one_label_in_an_answer_counts(output: str, target: str, wanted: float | str) -> None:
    assert value("label-accuracy", output, target, labels=LABELS) == wanted


@pytest.mark.parametrize(
    ("output", "target", "wanted"),
    [
        ("so #### 42", "x #### 42 ", 100.0),
        ("#### 1 #### 42", "42", 100.0),
        ("42", "#### 42", "no_match"),
    ],
)
def test_the_last_match_of_the_pattern_counts(
    output: str, target: str, wanted: float | str
) -> None:
    assert value("pattern-match", output, target, pattern=r"#### (\S+)") == wanted


@pytest.mark.parametrize(
    ("output", "target", "place"),
    [("a" * 60 + "!", "b", "the output of id=a"), ("b", "a" * 60 + "!", "the target of id=a")],
)
def test_a_pattern_that_would_never_end_is_refused_with_the_sample(
    output: str, target: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_settings, "PATTERN_SECONDS", 0.2)
    told = rf"pattern = \^\(a\|aa\)\+\$ looks at {place} for longer than 0\.2 s"
    with pytest.raises(SettingsError, match=told):
        value("pattern-match", output, target, pattern="^(a|aa)+$")


def test_where_no_metric_is_computed_a_pattern_is_checked_without_their_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "regex", None)
    check(MetricsSettings(metrics=("pattern-match",), task=TaskSettings(pattern="only (here)")))
    with pytest.raises(MissingExtraError, match="regex"):
        value("pattern-match", "only here", "here", pattern="only (here)")


def test_a_pattern_is_where_every_task_metric_looks() -> None:
    given = {"pattern": r"Result: (.*)"}
    assert value("number-match", "Result: 3\nin 5 steps", "3", **given) == 100.0
    assert value("choice-match", "A or B?\nResult: B", "B", **given) == 100.0
    assert value("number-match", "3", "3", **given) == "no_match"


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ('{"a": 1}', 100.0),
        (" [1, 2]\n", 100.0),
        ("1", 100.0),
        ('{"a": NaN}', 0.0),
        ("{'a': 1}", 0.0),
        ("```json\n{}\n```", 0.0),
        ("", 0.0),
        ("[" * 100_000, 0.0),
    ],
)
def test_json_is_valid_as_a_whole(output: str, wanted: float) -> None:
    assert value("json-valid", output, "") == wanted


@pytest.mark.parametrize(
    ("output", "target", "wanted"),
    [
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1.0}', 100.0),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 50.0),
        ('{"a": 1}', '{"a": 1, "b": {"c": [1, 2]}}', 50.0),
        ('{"a": true}', '{"a": 1}', 0.0),
        ('{"a": "1"}', '{"a": 1}', 0.0),
        ('{"a": null}', "{}", 0.0),
        ("[1, 2]", "[2, 1]", 0.0),
        ("{}", "{}", 100.0),
        ('Sure:\n```json\n{"a": 1}\n```', '{"a": 1}', 100.0),
        ('It is {"a": 1}, I think', '{"a": 1}', 100.0),
        ('{"a": 1}\n{"a": 3}', '{"a": 1}\n{"a": 2}', 50.0),
        ('```jsonl\n{"a": 1}\n{"a": 2}\n```', '{"a": 1}\n{"a": 2}\n', 100.0),
        ('{"a": 1}', '{"a": 1}\n{"a": 2}', 0.0),
        ('{"a": 1}\nI hope it helps', '{"a": 1}', 100.0),
        ("1 2", "[1, 2]", "no_json"),
        ("no", '{"a": 1}', "no_json"),
        ("{}", "no", "target_no_json"),
    ],
)
def test_the_fields_that_are_right_count(output: str, target: str, wanted: float | str) -> None:
    assert value("json-fields", output, target) == wanted


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ('{"name": "x", "age": 3}', 100.0),
        ('```\n{"name": "x"}\n```', 100.0),
        ('{"age": 3}', 0.0),
        ('{"name": "x", "age": -1}', 0.0),
        ('{"name": "x", "age": 1.5}', 0.0),
        ("no", "no_json"),
    ],
)
def test_json_conforms_to_the_schema(output: str, wanted: float | str) -> None:
    assert value("json-schema", output, "", schema=SCHEMA) == wanted


@pytest.mark.parametrize("pattern", ["^(a|aa)+$", r"^(\w|\w\w)*$"])
def test_a_pattern_in_the_schema_that_would_never_end_is_refused_with_the_sample(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_schema, "PATTERN_SECONDS", 0.2)
    schema = {"properties": {"name": {"type": "string", "pattern": pattern}}}
    with pytest.raises(SettingsError, match=r"schema: a pattern in it looks at the output of id="):
        value("json-schema", json.dumps({"name": "a" * 80 + "!"}), "", schema=schema)
    assert value("json-schema", '{"name": "aaa"}', "", schema=schema) == 100


@pytest.mark.parametrize("draft", ["draft-04/schema#", "draft-07/schema#", "2020-12/schema"])
def test_a_pattern_in_the_schema_is_searched_for_in_texts_alone(draft: str) -> None:
    host = "http" if "draft-0" in draft else "https"
    folder = "" if "draft-0" in draft else "draft/"
    schema = {"$schema": f"{host}://json-schema.org/{folder}{draft}", "pattern": "[0-9]"}
    for output, wanted in (('"a1"', 100), ('"a"', 0), ("7", 100), ("[]", 100)):
        assert value("json-schema", output, "", schema=schema) == wanted


def call(name: str = "f", **arguments: object) -> dict[str, object]:
    return {"name": name, "arguments": arguments}


@pytest.mark.parametrize(
    ("output", "target", "names", "arguments", "match"),
    [
        (call(x=1, y=[2]), call(y=[2], x=1.0), 100.0, 100.0, 100.0),
        (call(x=1, y=3), call(x=1, y=2), 100.0, 50.0, 0.0),
        (call("g", x=1), call(x=1), 0.0, 0.0, 0.0),
        (call(), call("g"), 0.0, 0.0, 0.0),
        ([call(x=1)], call(x=1), 100.0, 100.0, 100.0),
        ([call(x=1), call("g")], [call("g"), call(x=1)], 0.0, 0.0, 0.0),
        ([call(x=1), call(x=1)], call(x=1), 0.0, 200 / 3, 0.0),
        ({"name": "f", "arguments": '{"x": 1}'}, call(x=1), 100.0, 100.0, 100.0),
        ({"name": "f"}, call(), 100.0, 100.0, 100.0),
        ("It is sunny", call(), "no_call", "no_call", "no_call"),
        ({"name": 3}, call(), "no_call", "no_call", "no_call"),
        ([], call(), "no_call", "no_call", "no_call"),
        (call(), "sunny", *["target_no_call"] * 3),
    ],
)
def test_calls_are_compared_by_name_arguments_and_order(
    output: object,
    target: object,
    names: float | str,
    arguments: float | str,
    match: float | str,
) -> None:
    given, wanted = (
        text if isinstance(text, str) else json.dumps(text) for text in (output, target)
    )
    assert value("call-name", given, wanted) == names
    assert value("call-arguments", given, wanted) == pytest.approx(arguments)
    assert value("call-match", given, wanted) == match


@pytest.mark.parametrize(
    "written",
    [
        '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>',
        'I look.\n<tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}</tool_call>',
        '<tool_calls>\n{"name": "f", "arguments": {"x": 1}}\n</tool_calls>',
        "<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call>",
        'Thought: I look.\nAction: f\nAction Input: {"x": 1}',
        'f\n{"x": 1}',
        '<|python_tag|>{"name": "f", "parameters": {"x": 1}}',
        '[TOOL_CALLS] [{"name": "f", "arguments": {"x": 1}}]',
        '[{"type": "function", "function": {"name": "f", "arguments": "{\\"x\\": 1}"}}]',
        '{"tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]}',
        '```json\n{"name": "f", "arguments": {"x": 1}}\n```',
    ],
)
def test_a_call_is_read_as_templates_and_interfaces_write_it(written: str) -> None:
    assert value("call-match", written, json.dumps(call(x=1))) == 100.0
    assert value("call-match", json.dumps(call(x=1)), written) == 100.0
    assert value("call-match", written, json.dumps(call(x=2))) == 0.0
    assert value("call-match", written, json.dumps(call("g", x=1))) == 0.0


@pytest.mark.parametrize(
    "written",
    [
        '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>\n'
        '<tool_call>\n{"name": "g"}\n</tool_call>',
        '{"name": "f", "arguments": {"x": 1}}\n{"name": "g"}',
        'Action: f\nAction Input: {"x": 1}\nAction: g\nAction Input: {}',
    ],
)
def test_several_calls_are_read_in_their_order(written: str) -> None:
    assert value("call-match", written, json.dumps([call(x=1), call("g")])) == 100.0
    assert value("call-match", written, json.dumps([call("g"), call(x=1)])) == 0.0


def test_the_order_of_calls_may_not_count() -> None:
    given = json.dumps([call(x=1), call("g"), call(x=2)])
    wanted = json.dumps([call("g"), call(x=1), call(x=2)])
    for name in ("call-name", "call-arguments", "call-match"):
        assert value(name, given, wanted, call_order=False) == 100.0
        assert value(name, given, wanted) != 100.0


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ("x = 1", 100.0),
        ("x =", 0.0),
        ("    x = 1\n    y = 2", 100.0),
        ("Here:\n```python\nimport os\n```\nand\n```\nprint(os)\n```", 100.0),
        ("Here:\n```python\nimport os\n", 100.0),  # cut
        ("```python\nx =\n```", 0.0),
        ("```js\nlet x\n```", "no_code"),
        (" ", "no_code"),
        ("print('\\d')", 100.0),  # a warning, to Python
        ("x\0", 0.0),
        ("(" * 10_000, 0.0),
        ("-" * 100_000 + "1", 0.0),
        ("import nowhere_to_be_found", 100.0),
    ],
)
def test_code_compiles_and_is_not_run(output: str, wanted: float | str) -> None:
    assert value("code-compiles", output, "") == wanted


def test_no_code_of_an_answer_is_run() -> None:
    code = "import sys\nsys.modules['ran_here'] = sys"
    assert value("code-compiles", code, "") == 100.0
    assert "ran_here" not in sys.modules


NEEDS = {"pattern": ".+", "schema": SCHEMA, "labels": LABELS}


@settings(max_examples=150, deadline=None)
@given(output=texts, target=texts)
def test_any_text_has_a_score_or_a_cause(output: str, target: str) -> None:
    for name in (name for name in TASK_METRICS if CATALOGUE[name].group == "task"):
        found = value(name, output, target, **NEEDS)
        assert isinstance(found, str) or 0 <= found <= 100
        wrong = value(name, output, target, **NEEDS, unread="wrong")
        unread = isinstance(found, str) and not found.startswith(("target_", "no_target"))
        assert wrong == (0.0 if unread else found)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_it_is_written(number: float) -> None:
    assert value("number-match", f"It is {number!r}.", repr(number)) == 100.0
    other = math.nextafter(number, 0.0)
    assert value("number-match", repr(other), repr(number)) == 100.0 * (other == number)


@pytest.mark.parametrize(
    ("metric", "task", "message"),
    [
        ("number-match", {"tolerence": 1}, r"metrics\.task\.tolerence is not a setting"),
        ("number-match", {"tolerance": -1}, r"metrics\.task\.tolerance = -1"),
        ("number-match", {"unread": "skip"}, r"metrics\.task\.unread = 'skip'"),
        ("pattern-match", {}, r"metrics\.task\.pattern is missing"),
        ("number-match", {"pattern": "("}, r"metrics\.task\.pattern = \( is no regular"),
        ("number-match", {"pattern": "(a)(b)"}, "has 2 groups"),
        ("choice-match", {"choices": "AA"}, r"metrics\.task\.choices = AA"),
        ("choice-match", {"choices": "A-C"}, r"metrics\.task\.choices = A-C"),
        ("label-accuracy", {"labels": ["yes", "Yes!"]}, r"metrics\.task\.labels = yes, Yes!"),
        ("label-accuracy", {"labels": ["yes", "."]}, r"metrics\.task\.labels"),
        ("json-schema", {}, r"metrics\.task\.schema is missing"),
        ("json-schema", {"schema": {"type": "objct"}}, r"metrics\.task\.schema is no JSON Schema"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(
    metric: str, task: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        check(build(MetricsSettings, {"metrics": [metric], "task": task}, "metrics"))
