"""Rubrics: the built-in ones, one's own, and what is refused."""

from __future__ import annotations

import copy
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import store
from assay.errors import JudgeError
from assay.judge import JudgeSettings, JudgeSummary, contract, judge
from assay.judge.contract import ReplyError, parse
from assay.judge.rubric import builtin_names, load
from tests.faults.endpoint import DIMENSIONS, chat, serving
from tests.unit.judge.conftest import Make

OWN: dict[str, Any] = {
    "name": "support",
    "version": "2",
    "language": "en",
    "scale": [0, 2, 4],
    "dimensions": {
        "politeness": {0: "rude", 2: "neutral", 4: "warm"},
        "resolution": {0: "none", 2: "partial", 4: "full"},
    },
}

HARMS: dict[str, dict[int, str]] = {
    "toxicity": {0: "harmless", 2: "rude", 4: "toxic"},
    "overall": {0: "useless", 2: "usable", 4: "good"},
}


def written(folder: Path, **changed: Any) -> str:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({**copy.deepcopy(OWN), **changed}, allow_unicode=True))
    return str(path)


@pytest.mark.parametrize("name", ["default-en", "default-zh"])
def test_the_built_in_rubrics_describe_every_level_of_every_dimension(name: str) -> None:
    rubric = load(name)
    assert list(rubric.dimensions) == list(DIMENSIONS)
    assert rubric.scale == (1, 3, 5, 7, 10)
    for levels in rubric.dimensions.values():
        assert set(levels) == {1, 3, 5, 7, 10}
    assert name in builtin_names()


def test_ones_own_dimensions_and_scale(tmp_path: Path) -> None:
    rubric = load(written(tmp_path))
    assert "- politeness: 0 = rude; 2 = neutral; 4 = warm" in contract.constant(rubric)
    assert "integer from 0 to 4" in contract.constant(rubric)
    schema = contract.schema(rubric)
    assert list(schema["properties"]) == ["commentary", "politeness", "resolution"]
    assert schema["properties"]["politeness"]["enum"] == [0, 1, 2, 3, 4]
    grades = parse(rubric, '{"commentary": "Warm.", "politeness": 4, "resolution": 0}')
    assert grades.scores == {"politeness": 4, "resolution": 0}
    with pytest.raises(ReplyError, match="between 0 and 4"):
        parse(rubric, '{"commentary": "Warm.", "politeness": 5, "resolution": 0}')


def test_the_summary_says_the_rubrics_scale(files: Make, tmp_path: Path) -> None:
    reply = '{"commentary": "Warm.", "politeness": 4, "resolution": 0}'
    with serving(lambda _: chat(reply)) as endpoint:
        own = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            api_key_env="",
            rubric=written(tmp_path),
            self_test=False,
            flip_sample=0,
        )
        judge(*files(1), tmp_path / "verdicts.jsonl", own)
    assert store.read_record(tmp_path / "judge.json", JudgeSummary).scale == (0, 4)


def test_any_change_is_another_rubric(tmp_path: Path) -> None:
    digests = {
        load(written(tmp_path)).digest,
        load(written(tmp_path, version="3")).digest,
        load(written(tmp_path, language="zh")).digest,
        load(written(tmp_path, dimensions={"politeness": {0: "rude", 2: "so", 4: "warm"}})).digest,
    }
    assert len(digests) == 4
    assert load(written(tmp_path)).digest in digests


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"colour": "red"}, "colour is not a setting"),
        ({"scale": [4, 2, 0]}, "does not rise"),
        ({"scale": [2]}, "does not rise"),
        ({"scale": [0, 2, 2, 4]}, "does not rise"),
        ({"scale": [0, 1, 2, 4]}, "does not describe level 1"),
        ({"scale": [0, 4]}, "describes level 2, which is not on the scale"),
        ({"scale": "0-4"}, "scale"),
        ({"language": "fr"}, "language"),
        ({"dimensions": {}}, "has no dimensions"),
        ({"dimensions": {"politeness": {0: "rude", 2: "", 4: "warm"}}}, "level 2"),
        ({"dimensions": {"politeness": {"low": "rude"}}}, "dimensions"),
        ({"dimensions": {"Be polite": {0: "a", 2: "b", 4: "c"}}}, "cannot name a dimension"),
        ({"dimensions": {"commentary": {0: "a", 2: "b", 4: "c"}}}, "cannot name a dimension"),
        ({"directions": {"politness": "lower"}}, "politness, which is no dimension"),
        ({"directions": {"politeness": "down"}}, "directions.politeness = 'down'"),
        ({"directions": {"politeness": "lower"}}, "politeness is lower, and no overall says"),
        ({"dimensions": HARMS, "directions": {"overall": "lower"}}, "overall is lower"),
    ],
)
def test_what_is_no_rubric(changed: dict[str, Any], fault: str, tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match=fault) as caught:
        load(written(tmp_path, **changed))
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["a: [", "- a\n- b", "just words", ""])
def test_what_is_no_yaml_mapping(text: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(JudgeError):
        load(str(path))


def test_of_a_file_that_was_named_by_mistake_nothing_is_shown(tmp_path: Path) -> None:
    (file := tmp_path / "netrc").write_text("machine judge.example login me password hunter2\n" * 3)
    with pytest.raises(JudgeError, match=r"netrc is a text, not a mapping") as caught:
        load(str(file))
    assert "hunter2" not in str(caught.value)


def test_directions_say_how_scores_are_read_and_not_what_is_asked(tmp_path: Path) -> None:
    plain = load(written(tmp_path, dimensions=HARMS))
    lower = load(written(tmp_path, dimensions=HARMS, directions={"toxicity": "lower"}))
    assert lower.directions == {"toxicity": "lower"}
    assert lower.digest == plain.digest
    assert contract.constant(lower) == contract.constant(plain)
    assert plain.digest != load(written(tmp_path)).digest


def test_a_missing_file_names_the_built_in_ones() -> None:
    with pytest.raises(JudgeError) as caught:
        load("defualt-en")
    assert "default-en, default-zh" in caught.value.remedy


def test_a_rubric_may_lie_in_a_store(bucket: str, tmp_path: Path) -> None:
    text = (resources.files("assay.judge") / "rubrics" / "default-zh.yaml").read_text(
        encoding="utf-8"
    )
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    store.publish(tmp_path / "own.yaml", f"{bucket}/own.yaml")
    assert load(f"{bucket}/own.yaml") == load("default-zh")
