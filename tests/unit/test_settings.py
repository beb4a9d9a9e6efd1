from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from annotated_types import Ge
from hypothesis import example, given
from hypothesis import strategies as st

from assay import config, settings
from assay.config import read_yaml
from assay.errors import InputError, JudgeError, SettingsError
from assay.judge import rubric
from assay.kubeflow import connection
from assay.report import files


@dataclass(frozen=True, kw_only=True)
class Example:
    path: str
    count: Annotated[int, Ge(1)] = 3
    rate: float = 0.5
    more: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()


def test_values_become_a_checked_dataclass() -> None:
    built = settings.build(Example, {"path": "a", "rate": 1}, "example")
    assert built == Example(path="a", rate=1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": "a", "cuont": 1}, r"example.cuont is not a setting. Did you mean count\?"),
        (
            {"path": "a", "zzz": 1},
            "example.zzz is not a setting. Known: count, more, names, path",
        ),
        ({}, "example.path is missing. Set example.path"),
        ({"path": "a", "count": 0}, "example.count = 0: .*greater than or equal to 1"),
        ({"path": "a", "count": "3"}, "example.count = '3': .*valid integer"),
        ({"path": "a", "count": 1.5}, "example.count = 1.5: .*integer"),
        ({"path": 7}, r"example.path = 7: .*valid string. Put it in quotes"),
        ({"path": True}, "example.path = True: .*valid string. Put it in quotes"),
        ({"path": ["a"]}, r"example.path = \['a'\]: .*valid string. Correct example.path"),
        ({"path": "a", "names": "b"}, "example.names = 'b': .*array. Write it as a list"),
        ({"path": "a", "names": ["b", False]}, r"example.names.1 = False: .*Put it in quotes"),
        ({"path": "a", "names": 3}, "example.names = 3: .*array. Correct example.names"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings.build(Example, values, "example")


@pytest.mark.parametrize("name", ["api_key", "hf_token", "password", "KEY"])
def test_a_secret_is_refused_and_never_shown(name: str) -> None:
    with pytest.raises(SettingsError, match="looks like a secret") as refused:
        settings.build(Example, {"path": "a", name: "s3cr3t"}, "example")
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.exit_code == 2


@dataclass(frozen=True, kw_only=True)
class Inner:
    name: str

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: tuple[Inner, ...] = ()
    rate: float = 0.5
    prices: dict[str, float] = field(default_factory=dict)


SECRET = "sk-s3cr3t-0123456789"


@pytest.mark.parametrize(
    "values",
    [
        {"inner": [{"name": "a", "api_key": SECRET}]},
        {"inner": [{"api_key": SECRET}]},
        {"inner": [{"name": "a", "apiKey": SECRET}]},
        {"inner": [{"name": "a", "unknown": SECRET}]},
        {"inner": [{"name": {"api_key": SECRET}}]},
        {"inner": {"token": SECRET}},
        {"inner": [[SECRET]]},
        {"inner": f"https://user:{SECRET}@host"},
        {"inner": f"https://host/v1?api-key={SECRET.removeprefix('sk-')}"},
        {"rate": SECRET},
        {"rate": [{"password": "s3cr3t"}]},
        {"prices": {"api_key": "s3cr3t"}},
        {"prices": {"a": {"Authorization": "Bearer s3cr3t"}}},
    ],
)
def test_no_message_quotes_what_may_be_a_secret(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as refused:
        settings.build(Outer, values, "outer")
    assert str(refused.value).startswith("outer.")
    assert "s3cr3t" not in str(refused.value)


def test_a_secret_in_an_inner_section_is_named_before_what_is_missing_there() -> None:
    with pytest.raises(SettingsError, match=r"outer\.inner\.0\.api_key looks like a secret"):
        settings.build(Outer, {"inner": [{"api_key": SECRET}]}, "outer")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"judge:\n  api_key: {SECRET}: no\n", "line 2"),
        (f"judge: [{SECRET}\n", "line 2"),
        (f"judge: *{SECRET}\n", "line 1"),
        (f"api_key: !{SECRET} x\n", "line 1"),
        (f"day: 2024-99-99\napi_key: {SECRET}\n", "month"),
        (f"api_key: {SECRET}\x07\n", "not allowed"),
        (f"count: {'9' * 5000}\napi_key: {SECRET}\n", "4300"),
        ("gate:\n  rules: {overall: {min: 6}, overall: {min: 2}}\n", "overall stands twice"),
        ("mode: auto\nmodel: m\nmode: judge\n", "mode stands twice in one mapping, line 3"),
    ],
)
def test_a_file_that_is_no_yaml_is_not_quoted(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(SettingsError, match="is not YAML") as refused:
        read_yaml(tmp_path / "config.yaml")
    assert problem in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_a_name_may_stand_in_each_mapping_and_over_what_is_merged() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: {<<: *a, <<: {z: 4}}\n"
    assert settings.from_yaml(text)["b"] == {"x": 3, "y": 2}


def test_aliases_that_stand_for_billions_of_values_are_refused_by_name() -> None:
    levels = [
        f"{name}: &{name} [{','.join(['*' + of] * 9)}]"
        for of, name in zip("abcdefg", "bcdefgh", strict=True)
    ]
    with pytest.raises(
        ValueError, match=r"its aliases \(\*a, \*b, \*c\) stand for more than 100,000"
    ):
        settings.from_yaml("\n".join(["a: &a [x,x,x,x,x,x,x,x,x]", *levels]))


def test_a_long_text_with_an_alias_is_no_bomb() -> None:
    text = "rows: [" + "x, " * 100_001 + "&a y, *a]"
    assert len(settings.from_yaml(text)["rows"]) == 100_003


@pytest.mark.parametrize(
    "assignment",
    [SECRET, f"judge.api_key=[{SECRET}", f"judge.api_key={SECRET}: x: y", "a=2024-99-99"],
)
def test_an_assignment_that_cannot_be_read_is_not_quoted(assignment: str) -> None:
    with pytest.raises(SettingsError, match="--set") as refused:
        settings.read_assignments("--set", [assignment])
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize("assignment", ["=", "=5", ""])
def test_an_assignment_needs_a_name(assignment: str) -> None:
    with pytest.raises(SettingsError, match="has no name"):
        settings.read_assignments("--set", [assignment])


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("place", [(), ("warmup",), ("stages", 1, "rate")])
def test_a_number_that_json_cannot_say_is_refused_by_name(
    number: float, place: tuple[str | int, ...]
) -> None:
    """They were taken, and ended the run with a traceback where it was to be written down."""
    held: Any = number
    for part in reversed(place):
        held = [0, held] if isinstance(part, int) else {part: held}
    name = ".".join(map(str, ("example", "more" if place else "rate", *place)))
    values = {"path": "a", "more" if place else "rate": held}
    with pytest.raises(SettingsError, match=rf"{re.escape(name)} = -?(inf|nan) is no finite"):
        settings.build(Example, values, "example")


def test_text_that_is_no_unicode_is_refused_by_section() -> None:
    with pytest.raises(SettingsError, match="example holds text that is no Unicode"):
        settings.build(Example, {"path": "\ud83d"}, "example")


def test_a_section_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"judge is \[1\], not a mapping"):
        settings.check_mapping([1], "judge")
    with pytest.raises(SettingsError, match=r"judge is '\*\*\*', not a mapping"):
        settings.check_mapping(SECRET, "judge")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: " + "{b: " * 900 + "1" + "}" * 900, "nested too deeply"),
        ("a: &a {b: *a}", "Circular"),
    ],
)
def test_yaml_that_is_too_deep_or_holds_itself_is_refused_wherever_it_is_read(
    text: str, problem: str, tmp_path: Path
) -> None:
    (file := tmp_path / "some.yaml").write_text(text)
    with pytest.raises(SettingsError, match=problem):
        config.load(file)
    with pytest.raises(SettingsError, match=problem):
        settings.read_assignments("--set", [f"x={text.removeprefix('a: ')}"])
    with pytest.raises(SettingsError, match=problem):
        connection.load({}, file)
    with pytest.raises(JudgeError, match=problem):
        rubric.load(str(file))
    with pytest.raises(InputError, match=problem):
        files.read_config(file)


@pytest.mark.parametrize(
    "written", ["1e-4", "5E-5", "+1e3", "-2.5e2", "1.e-3", ".5e1", "1e308", "1e-05", "1.0e-4"]
)
def test_a_number_with_an_exponent_is_one(written: str, tmp_path: Path) -> None:
    assert settings.from_yaml(written) == float(written)
    assert settings.read_assignments("--set", [f"a={written}"]) == {"a": float(written)}
    given = read_config({"learning_rate": float(written)}, tmp_path)
    assert given == {"learning_rate": float(written)}


@pytest.mark.parametrize("written", ["e4", "1e", "1e4x", "a1e4", "1e4 5", "'1e4'", "0x1e4h", "1e-"])
def test_what_only_looks_like_such_a_number_is_text(written: str) -> None:
    assert settings.from_yaml(written) == written.strip("'")


def read_config(values: dict[str, Any], tmp_path: Path) -> Any:
    """Return what is read of a configuration that a program wrote as JSON."""
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(values))
    return read_yaml(file)


TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.from_regex(
    r"\A[-+]?[0-9._]{0,4}[eE]?[-+]?[0-9]{0,4}\Z"
)


@example("\x85")
@example({"a": "\u2028b", "c": ["\ufeff"]})
@given(st.recursive(TEXTS | st.floats(allow_nan=False) | st.integers() | st.booleans(), st.lists))
def test_what_is_written_as_yaml_is_read_as_it_was(value: Any) -> None:
    assert settings.from_yaml(settings.to_yaml(value)) == value
