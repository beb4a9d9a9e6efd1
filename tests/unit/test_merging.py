"""What the shares of a job come to is, put together, what the whole job would have come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import generate as generating
from assay import llamafactory, merging, store
from assay.engine import parent
from assay.errors import StageError
from assay.folder import (
    ANSWERED,
    GENERATE_LOG,
    GENERATION,
    LIKELIHOOD,
    PREDICTIONS,
    RESULTS,
    SAMPLES,
)
from assay.generate import GenerateSettings
from assay.llamafactory.job import DEVICE, MEANS, SECONDS, Means
from assay.llamafactory.loss import token_loss
from assay.llamafactory.order import in_order, of_share
from assay.merging import combined
from assay.records import Generation, Likelihood, Message, Prediction, Sample
from assay.share import WHOLE, Share, all_of
from tests.unit.reuse.kept import VERSIONS, prediction, write_model

ROWS = [
    Sample(id=f"{at}", messages=(Message(role="user", content="x" * (at * 7 % 11)),), target="y")
    for at in range(23)
]


@given(st.integers(0, 90), st.integers(1, 9), st.integers(1, 7))
def test_each_row_is_in_one_share_and_batches_stay_whole(
    rows: int, pods: int, batch_size: int
) -> None:
    everything = list(range(rows))
    whole = [everything[at : at + batch_size] for at in range(0, rows, batch_size)]
    parts = [share.part(everything, batch_size) for share in all_of(pods)]
    assert sorted(row for part in parts for row in part) == everything
    made = [part[at : at + batch_size] for part in parts for at in range(0, len(part), batch_size)]
    assert sorted(made) == whole
    assert sum(share.size(rows) for share in all_of(pods)) == rows
    for share in all_of(pods):
        assert share.part(everything) == [row for row in everything if share.has(row)]
        assert share.size(rows) == len(share.part(everything))


def test_what_is_evaluated_in_a_share_is_in_the_batches_of_the_whole(tmp_path: Path) -> None:
    store.write_rows(tmp_path / SAMPLES, ROWS)
    assert list(of_share(tmp_path / SAMPLES, WHOLE, 4).as_filed()) == ROWS
    shares = [of_share(tmp_path / SAMPLES, share, 4) for share in all_of(3)]
    parts = [list(part) for part in shares]
    assert sorted(row.id for part in parts for row in part) == sorted(row.id for row in ROWS)
    for part, held in zip(parts, shares, strict=True):
        assert list(held.as_filed()) == [row for row in ROWS if row in part]
        assert [held.at(place) for place in range(len(held))] == part
    whole = in_order(ROWS)
    for part in parts:
        for at in range(0, len(part), 4):
            start = whole.index(part[at])
            assert start % 4 == 0
            assert part[at : at + 4] == whole[start : start + 4]


@given(st.lists(st.integers(0, 4), max_size=60))
def test_rows_are_put_together_in_the_order_of_the_samples(dealt: Sequence[int]) -> None:
    ids = [str(at * 31 % 97) for at in range(len(dealt))]
    parts = [
        iter([prediction(name) for name, of in zip(ids, dealt, strict=True) if of == part])
        for part in range(5)
    ]
    assert [row.id for row in merging.in_order(ids, parts)] == ids


def test_no_more_than_a_row_of_each_share_is_held() -> None:
    """Of a million samples, whose rows are made as they are asked for."""
    taken = [0, 0, 0]

    def part(index: int) -> Iterator[Prediction]:
        for number in count(index, 3):
            taken[index] += 1
            yield prediction(str(number))

    merged = merging.in_order((str(number) for number in count()), [part(i) for i in range(3)])
    for given_, row in enumerate(islice(merged, 1_000), 1):
        assert row.id == str(given_ - 1)
        assert sum(taken) <= given_ + 3


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([["a"], ["c"]], "no shard has an answer to the sample id=b"),
        ([["a", "b"], ["b", "c"]], "two shards have an answer to the sample id=b"),
        ([["a", "b"], ["c", "d"]], "id=d, which is asked of none or of another shard"),
        ([["a", "b", "c", "a"], []], "id=a, which is asked of none or of another shard"),
        ([["b", "a"], ["c"]], "no shard has an answer to the sample id=a"),
        ([[], []], "no shard has an answer to the sample id=a"),
    ],
)
def test_a_sample_without_one_answer_is_refused(parts: list[list[str]], message: str) -> None:
    rows = [iter([prediction(name) for name in part]) for part in parts]
    with pytest.raises(StageError, match=message):
        list(merging.in_order("abc", rows))


@pytest.mark.parametrize(
    ("parts", "loss", "results"),
    [
        ([(3, {"eval_loss": 1.0}), (1, {"eval_loss": 3.0})], None, {"eval_loss": 1.5}),
        ([(2, {"eval_accuracy": 0.5})], None, {"eval_accuracy": 0.5}),
        (
            [(3, {"eval_token_loss": 1.0}), (1, {"eval_token_loss": 3.0})],
            1.25,
            {"eval_token_loss": 1.25},
        ),
        ([(1, {"eval_runtime": 9.0}), (1, {"eval_runtime": 7.0})], None, {"eval_runtime": 9.0}),
        (
            [(1, {"eval_samples_per_second": 2.0}), (4, {"eval_samples_per_second": 3.0})],
            None,
            {"eval_samples_per_second": 5.0},
        ),
        # the loss of one was not finite: there is none of all
        ([(3, {"eval_loss": 1.0, "eval_accuracy": 1.0}), (1, {"eval_accuracy": 0.0})],
         None, {"eval_accuracy": 0.75}),
    ],
)  # fmt: skip
def test_totals_are_of_all_samples_and_no_means_of_means(
    parts: list[tuple[int, dict[str, float]]], loss: float | None, results: dict[str, float]
) -> None:
    assert combined(parts, loss) == results


@pytest.fixture(name="settings")
def answering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> GenerateSettings:
    """What stands in for the child answers and evaluates its share of ROWS, in any order."""

    def predict(samples: Path, work: Path, *_: object) -> None:
        share = store.read_record(work / MEANS, Means).share
        rows = list(store.read_rows(samples, Sample))
        made = [prediction(row.id, f"{row.id}!") for row in share.part(rows[::-1])]
        store.write_rows(work / PREDICTIONS, made)
        part = list(of_share(samples, share, 4).as_filed())
        if part:
            measured = [
                Likelihood(id=row.id, values={"eval_loss": int(row.id) / 8}, tokens=int(row.id))
                for row in part
            ]
            store.write_rows(work / LIKELIHOOD, measured)
            mean = sum(row.values["eval_loss"] for row in measured) / len(measured)
            store.write_json(
                work / RESULTS, {"eval_loss": mean, "eval_token_loss": token_loss(measured)}
            )
        store.write_json(work / SECONDS, 2.0 + share.index)
        store.write_json(work / DEVICE, "cpu")
        (work / GENERATE_LOG).write_text(f"{share.name}\n")

    monkeypatch.setattr(parent, "predict", predict)
    monkeypatch.setattr(llamafactory, "versions", lambda: VERSIONS)
    store.write_rows(tmp_path / SAMPLES, ROWS)
    write_model(tmp_path / "base")
    return GenerateSettings(template="qwen3", batch_size=4, cache=str(tmp_path / "kept"))


def generate(folder: Path, out: str, settings: GenerateSettings, **more: Any) -> Generation:
    name = str(folder / "base")
    return generating.generate(name, folder / SAMPLES, folder / out, settings, **more)


def shards(folder: Path, pods: int, settings: GenerateSettings) -> list[Path]:
    for share in all_of(pods):
        generate(folder, share.name, settings, share=share)
    return [folder / share.name for share in all_of(pods)]


def merge(folder: Path, parts: Sequence[Path], settings: GenerateSettings) -> Generation:
    name = str(folder / "base")
    return merging.merge(name, folder / SAMPLES, parts, folder / "merged", settings)


@pytest.mark.parametrize("pods", [2, 3, 5, 8])
def test_shards_together_are_what_one_pod_writes(
    settings: GenerateSettings, tmp_path: Path, pods: int
) -> None:
    """Of 23 samples in 6 batches: with 8 pods some have nothing to evaluate."""
    one = generate(tmp_path, "one", replace(settings, cache="none"))
    many = merge(tmp_path, shards(tmp_path, pods, settings), settings)
    for name in (PREDICTIONS, LIKELIHOOD):
        assert (tmp_path / "merged" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert many.results == pytest.approx(one.results, rel=1e-12)
    assert store.read_json(tmp_path / "merged" / RESULTS) == many.results
    assert many.seconds == 1.0 + pods, "they ran side by side"
    same: Any = {"seconds": one.seconds, "results": one.results, "finished": one.finished}
    assert replace(many, **same) == one
    log = (tmp_path / "merged" / GENERATE_LOG).read_text().splitlines()
    assert log == [share.name for share in all_of(pods)]
    assert set(ANSWERED) <= {path.name for path in (tmp_path / "merged").iterdir()}


def test_the_whole_is_kept_for_other_runs_and_no_share_is(
    settings: GenerateSettings, tmp_path: Path
) -> None:
    parts = shards(tmp_path, 2, settings)
    assert not (tmp_path / "kept").exists()
    merge(tmp_path, parts, settings)
    again = generate(tmp_path, "later", settings)
    assert again.origin
    assert again.origin.place == str(tmp_path / "merged")


def test_without_an_evaluation_there_is_none(settings: GenerateSettings, tmp_path: Path) -> None:
    parts = shards(tmp_path, 2, settings)
    for part in parts:
        (part / LIKELIHOOD).unlink()
    assert merge(tmp_path, parts, settings).results == {}
    assert not (tmp_path / "merged" / RESULTS).exists()


@pytest.mark.parametrize(
    "other",
    [
        {"digest": "of another model"},
        {"dataset_hash": "other"},
        {"engine": "vllm"},
        {"versions": {"torch": "9"}},
        {"settings": {}},
        {"template": "llama3"},
    ],
)
def test_answers_that_would_mix_are_refused(
    settings: GenerateSettings, tmp_path: Path, other: dict[str, Any]
) -> None:
    parts = shards(tmp_path, 3, settings)
    record = store.read_record(parts[1] / GENERATION, Generation)
    store.write_json(parts[1] / GENERATION, replace(record, **other))
    (name,) = other
    with pytest.raises(StageError, match=f"shard 2 of 3 answered with another {name}"):
        merge(tmp_path, parts, settings)
    assert not (tmp_path / "merged" / GENERATION).exists()


def test_a_share_of_another_number_of_pods_is_another_place() -> None:
    names = {share.name for pods in (1, 2, 3) for share in all_of(pods)}
    assert len(names) == 6
    assert Share(index=1, of=2).name == "shard-1-of-2"
