"""What no run could decide is refused before anything is spent, all of it at once."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from assay import config, preflight, task
from assay.errors import InputError
from assay.folder import SAMPLES
from components.preflight import preflight as component
from tests.faults.endpoint import chat, scores, serving

pytestmark = pytest.mark.usefixtures("any_hub")

OWN = {"metrics": ["rouge-l", "corpus-bleu"]}
JUDGE = {"endpoint": "https://judge.example/v1", "model": "fake", "api_key_env": ""}
PLAIN = {"max_drop": 1}
ADMITTED = {"require_admitted": True}


@pytest.fixture(name="values")
def make_values(tmp_path: Path) -> dict[str, Any]:
    """A configuration that evaluates 60 samples by rouge-l, against a baseline."""
    rows = [{"instruction": f"ask {number}", "output": f"answer {number}"} for number in range(60)]
    (tmp_path / "eval.json").write_text(json.dumps(rows))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"weights")
    return {
        "dataset": {"eval": str(tmp_path / "eval.json")},
        "model": str(tmp_path / "model"),
        "baseline": "org/base",
        "mode": "auto",
        "metrics": {"metrics": ["rouge-l"]},
        "generate": {"template": "qwen3"},
    }


def refused(values: dict[str, Any], folder: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        preflight.prepare(config.parse(values), folder)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("name", "bound", "changed", "told"),
    [
        ("roug-l", PLAIN, {}, "roug-l is no metric of this run that has an interval. Did you mean"),
        ("nothing", PLAIN, {}, "Use one of rouge-l"),
        ("bleu-4", PLAIN, {}, "does not compute bleu-4. Add it to metrics.metrics"),
        ("overall", PLAIN, {}, "does not compute overall. Set mode: both, with a judge"),
        ("win-rate", PLAIN, {}, "does not compute win-rate. Set mode: both, with a judge"),
        ("corpus-bleu", PLAIN, {"metrics": OWN}, "corpus-bleu is a total without an interval"),
        ("rouge-l", {"max": 50}, {}, "rouge-l.max: of rouge-l higher is better. Set min instead"),
        ("rouge-l", {"max_drop": 100}, {}, "max_drop = 100 always holds: rouge-l goes from 0 to"),
        ("rouge-l", {"max_drop": "100%"}, {}, "max_drop = 100% always holds"),
        ("rouge-l", {"max_drop": -100}, {}, "max_drop = -100 never holds"),
        ("rouge-l", {"min": 0}, {}, "min = 0 always holds"),
        ("rouge-l", {"min": 100}, {}, "min = 100 never holds"),
        ("empty", {"min": 5}, {"metrics": {"metrics": ["empty"]}}, "Set max instead"),
        ("empty", {"max": 100}, {"metrics": {"metrics": ["empty"]}}, "max = 100 always holds"),
        ("empty", {"max": 0}, {"metrics": {"metrics": ["empty"]}}, "max = 0 never holds"),
        ("rouge-l", PLAIN, {"baseline": ""}, "compares with a baseline, and this run has none"),
        (
            "rouge-l",
            PLAIN,
            {"dataset": {"max_samples": 49}},
            "gate.min_pairs = 50, and 49 samples are evaluated: no rule can be decided",
        ),
    ],
)
def test_a_rule_that_no_run_could_decide_is_refused(
    name: str,
    bound: dict[str, Any],
    changed: dict[str, Any],
    told: str,
    values: dict[str, Any],
    tmp_path: Path,
) -> None:
    data = values["dataset"] | changed.get("dataset", {})
    gate = {"rules": {name: bound}}
    [line] = refused(values | changed | {"dataset": data, "gate": gate}, tmp_path / "run")
    assert line.startswith(("gate.rules.", "gate.min_pairs"))
    assert told in line


@pytest.mark.parametrize("bound", [{"max_drop": 1}, {"max_drop": "5%"}, {"min": 20}])
def test_a_rule_that_can_be_decided_is_taken(
    bound: dict[str, Any], values: dict[str, Any], tmp_path: Path
) -> None:
    asked = values | {"gate": {"rules": {"rouge-l": bound}, "primary": "rouge-l"}}
    assert preflight.prepare(config.parse(asked), tmp_path / "run").summary.eval.samples == 60


def test_a_floor_alone_needs_no_baseline(values: dict[str, Any], tmp_path: Path) -> None:
    asked = values | {"baseline": "none", "gate": {"rules": {"rouge-l": {"min": 20}}}}
    preflight.prepare(config.parse(asked), tmp_path / "run")
    assert (tmp_path / "run" / SAMPLES).is_file()


@pytest.mark.parametrize(
    ("primary", "told"),
    [
        ("rouge-1", "does not compute rouge-1. Add it to metrics.metrics"),
        ("rogue-l", "Did you mean rouge-l?"),
        ("length-ratio", "of length-ratio neither way is better"),
        ("corpus-bleu", "is a total without an interval"),
    ],
)
def test_a_primary_metric_that_has_no_verdict_is_refused(
    primary: str, told: str, values: dict[str, Any], tmp_path: Path
) -> None:
    own = {"metrics": ["rouge-l", "length-ratio", "corpus-bleu"]}
    gate = {"rules": {"rouge-l": PLAIN}, "primary": primary}
    [line] = refused(values | {"metrics": own, "gate": gate}, tmp_path / "run")
    assert line.startswith("gate.primary: ")
    assert told in line


def test_everything_is_told_at_once(values: dict[str, Any], tmp_path: Path) -> None:
    rules = {"roug-l": PLAIN, "overall": PLAIN, "rouge-l": {"max": 5}}
    gate = {"rules": rules, "primary": "blue", "min_pairs": 100}
    lines = refused(values | {"gate": gate, "baseline": ""}, tmp_path / "run")
    for told in (
        "gate.rules.roug-l: roug-l is no metric",
        "gate.rules.overall: this run does not compute overall",
        "gate.rules.rouge-l.max: of rouge-l",
        "gate.primary: blue is no metric",
        "gate.rules.overall.max_drop compares with a baseline",
        "gate.min_pairs = 100, and 60 samples",
    ):
        assert [line for line in lines if line.startswith(told)], told


@pytest.mark.parametrize(
    ("most", "gate", "told"),
    [
        (40, {}, "gate.min_pairs = 50, and judge.max_samples = 40 has fewer judged: gate.rules."),
        (55, {}, "judge.max_samples = 55 of 60 samples leaves 8.3% unscored: gate.rules.overall"),
        (55, {"max_unscored": 0.1}, ""),
        (57, {}, ""),
        (0, {}, ""),
        (600, {}, ""),
    ],
)
def test_a_judge_of_too_few_samples_is_refused(
    most: int, gate: dict[str, Any], told: str, values: dict[str, Any], tmp_path: Path
) -> None:
    with serving(lambda _: chat(scores(7))) as endpoint:
        judge = JUDGE | {"endpoint": endpoint.url, "max_samples": most, "concurrency": 1}
        rules = {"overall": {"max_drop": 1}, "rouge-l": PLAIN}
        asked = values | {"mode": "both", "judge": judge, "gate": {"rules": rules} | gate}
        if told:
            [line] = refused(asked, tmp_path / "run")
            assert told in line
            assert "rouge-l" not in line
        else:
            preflight.prepare(config.parse(asked), tmp_path / "run")


def test_a_judge_of_too_few_samples_is_no_matter_where_no_rule_asks_it(
    values: dict[str, Any], tmp_path: Path
) -> None:
    with serving(lambda _: chat(scores(7))) as endpoint:
        judge = JUDGE | {"endpoint": endpoint.url, "max_samples": 5, "concurrency": 1}
        asked = values | {"mode": "both", "judge": judge, "gate": {"rules": {"rouge-l": PLAIN}}}
        preflight.prepare(config.parse(asked), tmp_path / "run")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"dataset": {"eval": "s3://b/e", "max_samples": 20}}, "and 20 samples are evaluated"),
        ({"judge": JUDGE | {"max_samples": 20}}, "judge.max_samples = 20 has fewer judged"),
        ({"mode": "auto"}, "this run does not compute overall"),
        ({"gate": {"rules": {"overall": {"min": 11}}}}, "min = 11 never holds: overall goes from"),
        ({"gate": {"rules": {"win-rate": PLAIN}}}, "Set judge.pairwise: true"),
        (
            {
                "judge": JUDGE | {"pairwise": True},
                "gate": {"rules": {"win-rate": {"max_drop": "5%"}}},
            },
            "win-rate is of both sides at once",
        ),
        *(
            (
                {
                    "judge": JUDGE | {"pairwise": True},
                    "gate": {"rules": {"overall": PLAIN, "win-rate": bound}} | ADMITTED,
                },
                "gate.rules.win-rate: gate.require_admitted asks for a judge that people's labels",
            )
            for bound in (PLAIN, {"min": 45}, {"max_drop": 1, "tier": "advisory"})
        ),
        ({"gate": {"rules": {"overall": PLAIN}, "primary": "overal"}}, "Did you mean overall?"),
    ],
)
def test_what_the_settings_alone_show_is_refused_before_it_is_submitted(
    changed: dict[str, Any], told: str
) -> None:
    values = {
        "dataset": {"eval": "s3://b/e"},
        "model": "org/m",
        "judge": JUDGE,
        "gate": {"rules": {"overall": PLAIN}},
    }
    with pytest.raises(InputError) as caught:
        preflight.check_settings(config.parse(values | changed))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "gate",
    [
        {"rules": {"win-rate": PLAIN}},
        {"rules": {"overall": PLAIN}} | ADMITTED,
        {"rules": {"overall": PLAIN}, "primary": "win-rate"} | ADMITTED,
    ],
)
def test_a_win_rate_decides_where_no_admitted_judge_is_asked_for(gate: dict[str, Any]) -> None:
    values = {"dataset": {"eval": "s3://b/e"}, "model": "org/m"}
    judge = JUDGE | {"pairwise": True}
    preflight.check_settings(config.parse(values | {"judge": judge, "gate": gate}))


def test_the_pipelines_first_task_refuses_it_too(values: dict[str, Any], tmp_path: Path) -> None:
    given = inspect.signature(component.python_func).parameters
    defaults = {name: each.default for name, each in given.items() if name != "samples"}
    asked = {
        "model": values["model"],
        "eval_dataset": values["dataset"]["eval"],
        "mode": "auto",
        "gate": {"rules": {"rouge-l": {"max_drop": 1.0}}, "min_pairs": 100.0},
    }
    with pytest.raises(InputError, match=r"gate\.min_pairs = 100, and 60 samples are evaluated"):
        task.preflight(defaults | asked, tmp_path / "samples", {})
