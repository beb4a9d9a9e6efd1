from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import store
from assay.dataset import (
    DatasetSettings,
    DatasetSummary,
    describe_summary,
    hash_samples,
    load,
    prepare,
    sum_up,
)
from assay.dataset.selection import draw, hold_out, prompt_key
from assay.errors import DatasetError, SettingsError
from assay.records import Message, Sample


def rows(path: Path, count: int) -> str:
    data = [{"instruction": f"ask {n}", "output": f"answer {n}"} for n in range(count)]
    path.write_text(json.dumps(data), encoding="utf-8")
    return str(path)


def samples(path: Path) -> list[Sample]:
    return [replace(sample, tags={}) for sample in store.read_rows(path, Sample)]


def test_given_sets_are_written_with_a_summary(tmp_path: Path) -> None:
    train, evaluation = rows(tmp_path / "t.json", 5), rows(tmp_path / "e.json", 9)
    settings = DatasetSettings(train=train, eval=evaluation, max_samples=4)
    summary = prepare(settings, tmp_path / "run")
    assert samples(tmp_path / "run/train.jsonl") == load(train)
    used = samples(tmp_path / "run/dataset.jsonl")
    assert [sample for sample in load(evaluation) if sample in used] == used
    assert summary.eval.rows == 9
    assert summary.eval.samples == len(used) == 4
    assert summary.eval.hash == hash_samples(used)
    assert not summary.held_out
    assert store.read_record(tmp_path / "run/dataset.json", DatasetSummary) == summary


def test_without_an_evaluation_set_rows_are_held_out_of_training(tmp_path: Path) -> None:
    train = rows(tmp_path / "t.json", 40)
    summary = prepare(DatasetSettings(train=train, eval_fraction=0.25), tmp_path / "run")
    training = samples(tmp_path / "run/train.jsonl")
    held = samples(tmp_path / "run/dataset.jsonl")
    assert (len(training), len(held), summary.held_out) == (30, 10, True)
    assert not {sample.id for sample in training} & {sample.id for sample in held}


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="both empty"):
        prepare(DatasetSettings(), tmp_path)


def test_one_prompt_cannot_be_split() -> None:
    with pytest.raises(DatasetError, match="only one prompt"):
        hold_out([sample("a"), sample("A ")], 1, 0)


def sample(prompt: str) -> Sample:
    return Sample(id=prompt, messages=(Message(role="user", content=prompt),), target="t")


@given(st.lists(st.text(max_size=3), min_size=2, max_size=40), st.integers(1, 20), st.integers())
def test_a_prompt_is_never_on_both_sides(prompts: list[str], count: int, seed: int) -> None:
    data = [sample(prompt) for prompt in prompts]
    keys = {prompt_key(one) for one in data}
    if len(keys) < 2:
        return
    training, held = hold_out(data, count, seed)
    assert sorted(map(id, [*training, *held])) == sorted(map(id, data))
    assert not {prompt_key(one) for one in training} & {prompt_key(one) for one in held}
    assert training
    assert held


@given(st.lists(st.text(), unique=True), st.integers(1, 9), st.integers(0, 9), st.integers())
def test_a_larger_draw_holds_the_smaller(keys: list[str], count: int, more: int, seed: int) -> None:
    small = draw(keys, count, seed)
    assert set(small) <= set(draw(keys, count + more, seed))
    assert len(small) == min(count, len(keys))
    turned = [len(keys) - 1 - place for place in draw(keys[::-1], count, seed)]
    assert sorted(turned) == small


def test_overlap_and_skipped_rows_are_in_the_summary(tmp_path: Path) -> None:
    train = rows(tmp_path / "t.json", 30)
    data = [{"instruction": "ask 7", "output": "answer 7"}, {"instruction": "new"}]
    (tmp_path / "e.json").write_text(json.dumps(data), encoding="utf-8")
    settings = DatasetSettings(train=train, eval=str(tmp_path / "e.json"), skip_invalid=True)
    summary = prepare(settings, tmp_path / "run")
    assert (summary.eval.rows, summary.eval.skipped, summary.eval.samples) == (2, 1, 1)
    assert summary.eval.invalid == (f"{tmp_path}/e.json:2: output is missing",)
    assert summary.overlap is not None
    assert (summary.overlap.exact, summary.overlap.pairs[0].same_target) == (1, True)


def test_a_stated_format_must_be_that_of_the_entry(tmp_path: Path) -> None:
    rows(tmp_path / "t.json", 3)
    entry = {
        "d": {"file_name": "t.json", "columns": {"prompt": "instruction", "response": "output"}}
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(entry), encoding="utf-8")
    with pytest.raises(DatasetError, match="#d is of format alpaca, not sharegpt"):
        load(str(tmp_path), format="sharegpt")
    assert len(load(str(tmp_path), format="alpaca")) == 3


def test_the_data_of_a_run_as_its_user_reads_it(tmp_path: Path) -> None:
    train = rows(tmp_path / "t.json", 30)
    data = [{"instruction": "ask 7", "output": "answer 7"}, {"instruction": "new"}]
    data += [{"instruction": "twice", "output": "yes"}] * 2
    (tmp_path / "e.json").write_text(json.dumps(data), encoding="utf-8")
    settings = DatasetSettings(train=train, eval=str(tmp_path / "e.json"), skip_invalid=True)
    summary = prepare(settings, tmp_path / "run")
    assert describe_summary(summary).splitlines() == [
        f"Evaluation: {tmp_path}/e.json: alpaca, 4 rows, 1 skipped as invalid, 3 samples used",
        f"  {tmp_path}/e.json:2: output is missing",
        "  3 samples in 2 clusters; joined: 1 by same prompt",
        "  Rows that repeat another row: 1",
        f"    {tmp_path}/e.json:4 (as {tmp_path}/e.json:3)",
        f"Training: {train}: alpaca, 30 rows, 0 skipped as invalid, 30 samples used",
        "Prompts in both: 1 the same, 0 much alike",
    ]
    assert sum_up(summary) == (
        "3 samples to evaluate in 2 clusters, 30 to train on, 1 rows skipped, "
        "prompts in both: 1 the same, 0 much alike"
    )


@pytest.mark.parametrize("given_evaluation", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_what_a_checkpoint_is_chosen_by_is_neither_trained_on_nor_evaluated(
    tmp_path: Path, given_evaluation: bool, seed: int
) -> None:
    """Prompts that come twice, and those that the evaluation has, too, stay where they belong."""
    draw_of = random.Random(seed)

    def written(name: str, count: int) -> str:
        data = [
            {"instruction": f"ask {draw_of.randrange(90)}{' ' * (n % 3)}", "output": f"{n}"}
            for n in range(count)
        ]
        (tmp_path / name).write_text(json.dumps(data))
        return str(tmp_path / name)

    settings = DatasetSettings(
        train=written("t.json", 150),
        eval=written("e.json", 20) if given_evaluation else "",
        selection_fraction=0.3,
        seed=seed,
    )
    summary = prepare(settings, tmp_path / "run", select=True)
    parts = [samples(tmp_path / f"run/{name}.jsonl") for name in ("train", "dataset", "selection")]
    keys = [{prompt_key(sample) for sample in part} for part in parts]
    assert not keys[2] & (keys[0] | keys[1])
    assert len(parts[2]) >= 10
    assert summary.selection is not None
    assert summary.selection.hash == hash_samples(parts[2])
    assert store.read_record(tmp_path / "run/dataset.json", DatasetSummary) == summary
    assert f"{len(parts[2])} to choose a checkpoint by" in sum_up(summary)
    alone = prepare(settings, tmp_path / "alone")
    assert alone.eval == summary.eval, "the evaluation is what it is without a choice"


def test_what_is_much_like_an_evaluation_sample_does_not_choose(tmp_path: Path) -> None:
    long = "please tell me all about the weather in the town of number"
    train = [{"instruction": f"{long} {n}", "output": "x"} for n in range(8)]
    train += [{"instruction": f"{n * n + 17} is what?", "output": "x"} for n in range(92)]
    (tmp_path / "t.json").write_text(json.dumps(train))
    (tmp_path / "e.json").write_text(json.dumps([{"instruction": f"{long} 99", "output": "x"}]))
    settings = DatasetSettings(
        train=str(tmp_path / "t.json"), eval=str(tmp_path / "e.json"), selection_fraction=0.5
    )
    prepare(settings, tmp_path / "run", select=True)
    chosen_by = samples(tmp_path / "run" / "selection.jsonl")
    assert len(chosen_by) == 50
    assert not [sample.id for sample in chosen_by if long in sample.messages[0].content]


def test_every_turn_of_a_held_out_split_is_evaluated(tmp_path: Path) -> None:
    def chat(number: int, turns: int) -> dict[str, object]:
        said = [
            {"from": side, "value": f"{side} {number} {turn}"}
            for turn in range(turns)
            for side in ("human", "gpt")
        ]
        system = [{"from": "system", "value": "Be brief."}] if number % 2 else []
        return {"id": f"c{number}", "conversations": system + said}

    data = tmp_path / "train.json"
    data.write_text(json.dumps([chat(number, 1 + number % 3) for number in range(20)]))
    once = DatasetSettings(train=str(data), eval_fraction=0.3)
    prepare(once, tmp_path / "once")
    summary = prepare(replace(once, every_turn=True), tmp_path / "each")
    assert samples(tmp_path / "each/train.jsonl") == samples(tmp_path / "once/train.jsonl")
    held = {sample.id for sample in samples(tmp_path / "once/dataset.jsonl")}
    wanted = [
        sample for sample in load(str(data), every_turn=True) if sample.id.partition(":")[0] in held
    ]
    got = samples(tmp_path / "each/dataset.jsonl")
    assert [replace(sample, cluster="") for sample in got] == wanted
    assert len(got) > len(held)
    assert summary.eval.clusters
    assert summary.eval.clusters.clusters == len(held)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_the_last_line_of_a_file_counts_however_it_ends(end: str, tmp_path: Path) -> None:
    lines = [json.dumps({"instruction": f"ask {n}", "output": "x"}) for n in range(3)]
    (tmp_path / "d.jsonl").write_text("\n".join(lines) + end)
    assert len(load(str(tmp_path / "d.jsonl"))) == 3
    kept = tmp_path / "samples.jsonl"
    store.write_rows(kept, load(str(tmp_path / "d.jsonl")))
    kept.write_text(kept.read_text().rstrip() + end.strip(" ")[:1])
    assert len(samples(kept)) == 3
