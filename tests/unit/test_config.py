from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from assay import config
from assay.errors import InputError, SettingsError
from assay.settings import first_difference

FULL = {
    "mode": "auto",
    "dataset": {"train": "train.json", "eval": "eval.json", "max_samples": 10},
    "finetune": {"base_model": "org/model", "template": "qwen3", "llamafactory": {"bf16": True}},
}


def write(folder: Path, values: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_file_is_read_and_its_paths_are_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "eval.json").write_text("[]")
    loaded = config.load(write(tmp_path, FULL))
    assert loaded.dataset.eval == str(tmp_path / "eval.json")
    assert loaded.finetune is not None
    assert loaded.finetune.base_model == "org/model"
    assert [scorer.name for scorer in loaded.wanted] == ["metrics"]


@pytest.mark.parametrize("name", ["hist", "./hist", "runs/hist"])
@pytest.mark.parametrize("there", [False, True])
def test_a_history_is_in_the_files_folder_whether_it_exists_yet_or_not(
    name: str, there: bool, tmp_path: Path
) -> None:
    wanted = tmp_path / name
    if there:
        wanted.mkdir(parents=True)
    loaded = config.load(write(tmp_path, FULL | {"history": name}))
    assert loaded.history == str(wanted.resolve())
    uri = "s3://bucket/hist"
    assert config.load(write(tmp_path, FULL | {"history": uri})).history == uri


def test_what_is_saved_is_read_back_the_same(tmp_path: Path) -> None:
    loaded = config.load(write(tmp_path, FULL))
    config.save(loaded, tmp_path / "saved.yaml")
    again = config.load(tmp_path / "saved.yaml")
    assert again == loaded
    assert config.first_difference(loaded, again) is None


def test_an_override_reaches_its_section_and_the_difference_has_a_name(tmp_path: Path) -> None:
    path = write(tmp_path, FULL)
    changed = config.load(path, {"finetune.learning_rate": 0.5, "generate.batch_size": 2})
    assert changed.finetune is not None
    assert changed.finetune.learning_rate == 0.5
    differing = config.first_difference(config.load(path), changed)
    assert str(differing) == "finetune.learning_rate: 0.0001, not 0.5"


def test_a_difference_shows_no_secret_and_names_what_is_not_there() -> None:
    left = {"judge": {"api_key": "sk-1234567890abcdef"}}
    assert str(first_difference(left, {"judge": {}})) == "judge.api_key: '***', not none"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"nosuch": 1},
            "is not a setting. Known: base_model, baseline, cluster, dataset, finetune,",
        ),
        ({"datset": {}}, r"config\.datset is not a setting. Did you mean dataset\?"),
        ({"mode": "fast"}, r"config\.mode = 'fast'"),
        ({"mode": "both"}, "mode is both and judge is missing"),
        ({"model": "x"}, "exactly one of finetune"),
        ({"finetune": None}, "exactly one of finetune"),
        ({"dataset": None}, "dataset is missing"),
        ({"datset": None}, r"config\.datset is not a setting"),
        ({"generate": {"seed": -1}}, r"generate\.seed = -1"),
        ({"generate": {"seed": 2**32}}, r"generate\.seed = 4294967296"),
        ({"generate": {"top_p": math.nan}}, r"generate\.top_p = nan is no finite number"),
        ({"dataset": {"eval": "e.json"}}, r"dataset\.train is missing"),
        ({"dataset": "e.json"}, "dataset is 'e.json', not a mapping"),
        ({"generate": {"max_new_token": 3}}, "Did you mean max_new_tokens"),
        ({"judge": {"api_key": "s3cr3t"}}, "looks like a secret"),
        ({"judge": {"endpoint": "http://x/v1"}}, r"judge\.model is missing"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        config.load(write(tmp_path, {**FULL, **change}))
    assert "s3cr3t" not in str(refused.value)


def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        config.load(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1,\nb: 2")
    with pytest.raises(SettingsError, match=r"is not YAML.*line 2"):
        config.load(broken)
    broken.write_text("- 1")
    with pytest.raises(SettingsError, match="not a mapping"):
        config.load(broken)


PARAMETERS = {
    "mode": "both",
    "model": "",
    "baseline_model": "",
    "history": "",
    "base_model": "org/model",
    "train_dataset": "t.json",
    "eval_dataset": "e.json",
    "max_samples": 5,
    "template": "qwen3",
    "learning_rate": 0.1,
    "num_epochs": 2,
    "batch_size": 3,
    "judge_endpoint": "http://127.0.0.1:1/v1",
    "judge_model": "m",
    "judge_temperature": 0.5,
    "judge_max_tokens": 99,
    "finetune_settings": {"cutoff_len": 128, "finetuning_type": "full"},
    "generate_settings": {"do_sample": True},
    "gate": {"rules": {"bleu-4": {"max_drop": 1}}},
    "judge_settings": {"concurrency": 2},
    "more_settings": {
        "cluster": {"queue": "research", "nodes": 2},
        "dataset": {"every_turn": True},
        "metrics": {"processes": 1},
        "baseline": "org/other",
        "history": "s3://team/nightly",
    },
    "seed": 7,
}


def test_a_pipelines_parameters_become_the_same_configuration() -> None:
    built = config.from_parameters(PARAMETERS)
    assert built.finetune is not None
    assert built.judge is not None
    tuning, judging = built.finetune, built.judge
    assert (tuning.base_model, tuning.finetuning_type, tuning.epochs) == ("org/model", "full", 2)
    assert (tuning.batch_size, tuning.cutoff_len, tuning.seed) == (3, 128, 42)
    assert (built.generate.batch_size, built.generate.do_sample) == (3, True)
    assert (judging.temperature, judging.max_tokens, judging.concurrency) == (0.5, 99, 2)
    assert (built.cluster.queue, built.cluster.nodes) == ("research", 2)
    assert (built.dataset.max_samples, built.dataset.seed, built.base_model) == (5, 42, "")
    assert (built.dataset.every_turn, built.metrics.processes) == (True, 1)
    assert built.baseline == "org/other"
    assert built.history == "s3://team/nightly"


def test_without_training_data_the_parameters_name_a_model() -> None:
    given = {**PARAMETERS, "train_dataset": "", "model": "org/tuned", "mode": "auto"}
    built = config.from_parameters(given)
    assert (built.finetune, built.judge) == (None, None)
    assert (built.model, built.base_model) == ("org/tuned", "org/model")
    assert (built.dataset.seed, built.generate.seed) == (7, 7)
