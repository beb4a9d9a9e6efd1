"""What a run will do is settled once, before anything is spent."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from assay import config, model, plan, preflight, run, store
from assay.errors import InputError, JudgeError, ModelError, SettingsError
from assay.folder import CONFIG, SAMPLES
from assay.progress import Progress
from tests.faults.endpoint import FakeEndpoint, chat, scores, serving

pytestmark = pytest.mark.usefixtures("any_hub")


def write_model(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


@pytest.fixture(name="values")
def make_values(tmp_path: Path) -> dict[str, Any]:
    """A configuration that evaluates the newest model under a prefix."""
    rows = [{"instruction": f"ask {number}", "output": f"answer {number}"} for number in range(6)]
    (tmp_path / "eval.json").write_text(json.dumps(rows))
    write_model(tmp_path / "models" / "first")
    return {
        "dataset": {"eval": str(tmp_path / "eval.json")},
        "model": f"{tmp_path}/models/latest",
        "baseline": "org/base",
        "mode": "auto",
        "generate": {"template": "qwen3"},
    }


def judged(endpoint: FakeEndpoint, **judge: Any) -> dict[str, Any]:
    asked = {"endpoint": endpoint.url, "model": "fake", "api_key_env": "", "concurrency": 1}
    return {"mode": "both", "judge": asked | judge}


def test_a_run_evaluates_the_newest_model_and_stays_with_it(
    values: dict[str, Any], tmp_path: Path
) -> None:
    asked, folder = config.parse(values), tmp_path / "run"
    first = f"{tmp_path}/models/first"
    assert run.begin(asked, folder).candidate == first
    newer = write_model(tmp_path / "models" / "second")
    os.utime(newer / "config.json", (2e9, 2e9))
    assert run.begin(asked, folder).candidate == first
    assert config.load(folder / CONFIG).model == first
    assert run.begin(asked, tmp_path / "other").candidate == str(newer)


def test_another_prefix_is_another_run(values: dict[str, Any], tmp_path: Path) -> None:
    run.begin(config.parse(values), tmp_path / "run")
    write_model(tmp_path / "others" / "first")
    other = config.parse(values | {"model": f"{tmp_path}/others/latest"})
    with pytest.raises(SettingsError, match=r"another model: '.*first', not '.*others/latest'"):
        run.begin(other, tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        (
            "judge.endpoint",
            "http://127.0.0.1:2/v1",
            "Once it has its answers, assay judge RUN --set judge.endpoint=VALUE goes on with it, "
            "and then assay report RUN. Or choose another --out, or remove it",
        ),
        ("generate.seed", 7, "Choose another --out, or remove it"),
    ],
)
def test_what_scores_the_answers_of_a_run_may_be_set_by_its_own_command(
    name: str, value: object, remedy: str, values: dict[str, Any], tmp_path: Path
) -> None:
    judge = {"endpoint": "http://127.0.0.1:1/v1", "model": "j", "api_key_env": ""}
    values = {**values, "mode": "both", "judge": judge}
    run.begin(config.parse(values), tmp_path / "run")
    section, key = name.split(".")
    values = {**values, section: {**values[section], key: value}}
    with pytest.raises(SettingsError, match=f"holds a run with another {name}: ") as refused:
        run.begin(config.parse(values), tmp_path / "run")
    assert refused.value.remedy == remedy


def test_how_long_the_store_is_waited_for_may_change(
    values: dict[str, Any], tmp_path: Path
) -> None:
    run.begin(config.parse(values), tmp_path / "run")
    patient = config.parse(values | {"store": {"wait_s": 3600}})
    assert run.begin(patient, tmp_path / "run").config.store.wait_s == 3600


def test_weights_are_hashed_once_in_a_run(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    digest = hashlib.file_digest

    def counted(file: Any, name: str) -> Any:
        hashed.append(file.name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    base = write_model(tmp_path / "base", b"base")
    prepared = preflight.prepare(config.parse(values | {"baseline": str(base)}), tmp_path / "run")
    for name in prepared.plan.weights:
        assert model.resolve(name).digest
        assert model.base_digest(name)
    assert sorted(Path(name).parent.name for name in hashed) == ["base", "first"]


def test_weights_that_change_are_hashed_again(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    before = store.digest_weights(folder)
    (folder / "model.safetensors").write_bytes(b"WEIGHTS")  # as long as before
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert store.digest_weights(folder) != before


def test_all_problems_are_told_at_once(values: dict[str, Any], tmp_path: Path) -> None:
    wrong = values | {
        "model": f"{tmp_path}/none",
        "dataset": {"eval": f"{tmp_path}/missing.json"},
        "gate": {"rules": {"blue": {"max_drop": 1}}},
    }
    with pytest.raises(InputError) as caught:
        preflight.prepare(config.parse(wrong), tmp_path / "run")
    assert len(str(caught.value).splitlines()) == 3
    for problem in ("/none", "missing.json", "gate.rules.blue"):
        assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "problems"),
    [
        ({"metrics": {"metrics": ["bogus"]}}, ["'bogus' is not a metric"]),
        ({"generate": {"template": "qwne"}}, [r"generate\.template.*qwne"]),
        (
            {"model": "", "finetune": {"base_model": "./none", "template": "qwne"}},
            [r"finetune\.template.*qwne", r"\./none"],
        ),
    ],
)
def test_a_problem_is_told_once_and_hides_no_other(
    wrong: dict[str, Any], problems: list[str], values: dict[str, Any], tmp_path: Path
) -> None:
    dataset = {"train": values["dataset"]["eval"], "eval": values["dataset"]["eval"]}
    rules = {"gate": {"rules": {"rouge-l": {"max_drop": 1}}}, "dataset": dataset}
    with pytest.raises(InputError) as caught:
        preflight.prepare(config.parse(values | rules | wrong), tmp_path / "run")
    lines = str(caught.value).splitlines()
    told = [[line for line in lines if re.search(problem, line)] for problem in problems]
    assert [len(telling) for telling in told] == [1] * len(problems), lines


def test_what_preflight_refused_leaves_no_samples_behind(
    values: dict[str, Any], tmp_path: Path
) -> None:
    """The samples of a try that did not begin are not those of the next one."""
    wrong = values | {"gate": {"rules": {"blue": {"max_drop": 1}}}}
    with pytest.raises(InputError, match="blue"):
        run.run(config.parse(wrong), store.Mirror(folder=tmp_path / "run"))
    (tmp_path / "eval.json").write_text('[{"instruction": "new", "output": "data"}]')
    run.begin(config.parse(values), tmp_path / "run")
    assert "new" in (tmp_path / "run" / SAMPLES).read_text()


def test_what_the_judge_will_take_is_said_before_anything_runs(
    values: dict[str, Any], tmp_path: Path
) -> None:
    told: list[Progress] = []
    with serving(lambda _: chat(scores(7))) as endpoint:
        prices = {"prices": {"fake": {"input": 1_000, "output": 1_000}}}
        asked = values | judged(endpoint, self_test=False, flip_sample=0, **prices)
        prepared = preflight.prepare(config.parse(asked), tmp_path / "run", told.append)
    assert prepared.estimate
    assert prepared.estimate.requests == 6 * 2
    (note,) = [event.note for event in told if event.stage == "preflight"]
    assert note.startswith("the judge will take about 12 requests, 1,")
    assert "cost 1." in note


@pytest.mark.parametrize(("most", "pays"), [(0.5, False), (10.0, True)])
def test_a_cap_that_cannot_pay_is_refused(
    values: dict[str, Any], tmp_path: Path, most: float, pays: bool
) -> None:
    with serving(lambda _: chat(scores(7))) as endpoint:
        prices = {"prices": {"fake": {"input": 1_000, "output": 1_000}}, "max_cost": most}
        asked = config.parse(values | judged(endpoint, self_test=False, flip_sample=0, **prices))
        if pays:
            preflight.prepare(asked, tmp_path / "run")
            return
        with pytest.raises(JudgeError, match=r"max_cost = 0\.5 does not pay for this run: .*cost"):
            preflight.prepare(asked, tmp_path / "run")


@pytest.mark.parametrize("missing", ["none/latest", "none"])
def test_a_model_that_is_not_there(values: dict[str, Any], tmp_path: Path, missing: str) -> None:
    with pytest.raises(ModelError, match="none"):
        plan.make(config.parse(values | {"model": f"{tmp_path}/{missing}"}))


@pytest.mark.parametrize(
    ("change", "baseline", "sides"),
    [
        ({}, "org/base", ("baseline", "candidate")),
        ({"baseline": "none"}, "", ("candidate",)),
        ({"baseline": ""}, "", ("candidate",)),
        (
            {
                "baseline": "",
                "model": "",
                "finetune": {"base_model": "org/tuned-from", "template": "qwen3"},
                "dataset": {"train": "t.json", "eval": "e.json"},
            },
            "org/tuned-from",
            ("baseline", "candidate"),
        ),
    ],
)
def test_what_is_compared(
    values: dict[str, Any], change: dict[str, Any], baseline: str, sides: tuple[str, ...]
) -> None:
    made = plan.make(config.parse(values | change))
    if baseline:
        baseline += "@" + "1" * 40
    assert (made.baseline, made.sides) == (baseline, sides)
