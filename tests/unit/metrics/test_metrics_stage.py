from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import settings as checked
from assay import store
from assay.errors import InputError, SettingsError, StageError
from assay.metrics import (
    CATALOGUE,
    AutoMetric,
    MetricFunction,
    MetricsSettings,
    Unscored,
    compute_metrics,
    totals,
)
from assay.progress import Progress
from assay.records import Prediction, Sample, Score, as_wanted

CHEAP = MetricsSettings(metrics=("bleu-4",), processes=1)


def sample(name: str, target: str = "the cat sat on the mat") -> Sample:
    return Sample(id=name, messages=(), target=target)


def prediction(name: str, output: str = "the cat sat on the mat") -> Prediction:
    return Prediction(id=name, output=output, finish="stop", prompt_tokens=3, output_tokens=5)


def run(
    folder: Path,
    samples: Iterable[Sample],
    predictions: Iterable[Prediction],
    settings: MetricsSettings = CHEAP,
) -> list[Score]:
    store.write_rows(folder / "dataset.jsonl", samples)
    store.write_rows(folder / "predictions.jsonl", predictions)
    out = folder / "scores.jsonl"
    count = compute_metrics(folder / "dataset.jsonl", folder / "predictions.jsonl", out, settings)
    scores = list(store.read_rows(out, Score))
    assert count == len(scores)
    return scores


def test_scores_come_in_the_order_of_the_dataset(tmp_path: Path) -> None:
    names = [str(number) for number in range(100)]
    scores = run(tmp_path, map(sample, names), map(prediction, reversed(names)))
    assert [score.id for score in scores] == names
    assert all(score.values == {"bleu-4": 100.0} for score in scores)


def test_one_and_two_processes_say_the_same(tmp_path: Path) -> None:
    names = [str(number) for number in range(200)]
    samples = [sample(name, f"answer number {name} of many") for name in names]
    predictions = [prediction(name, f"number {name}, one of so many") for name in names]
    metrics = ("bleu-4", "rouge-1", "rouge-2", "rouge-l")
    one, two = (
        run(tmp_path, samples, predictions, MetricsSettings(metrics=metrics, processes=processes))
        for processes in (1, 2)
    )
    assert one == two
    assert len({score.values["bleu-4"] for score in one}) > 1


@pytest.mark.parametrize(("seconds", "processes", "asked"), [(9.0, 1, 0), (0.0, 3, 0), (9.0, 2, 2)])
def test_what_takes_no_longer_than_handing_it_over_is_done_by_one_process(
    seconds: float, processes: int, asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers: list[int] = []

    def mapped(work: Any, items: Any, processes: int) -> Iterator[Any]:
        numbers.append(processes)
        return map(work, items)

    monkeypatch.setattr("assay.metrics.stage.QUICK", seconds)
    monkeypatch.setattr("assay.metrics.stage.cores", lambda: 3)
    monkeypatch.setattr("assay.metrics.stage.ordered_map", mapped)
    names = [str(number) for number in range(100)]
    settings = MetricsSettings(metrics=("exact-match",), processes=asked)
    scores = run(tmp_path, map(sample, names), map(prediction, names), settings)
    assert [score.id for score in scores] == names
    assert numbers == [processes]


def test_a_blank_target_is_unscored(tmp_path: Path) -> None:
    settings = MetricsSettings(metrics=("bleu-4", "rouge-1", "rouge-2", "rouge-l"), processes=1)
    (score,) = run(tmp_path, [sample("a", " \n")], [prediction("a")], settings)
    assert score.values == {}
    assert score.unscored == dict.fromkeys(settings.metrics, "no_target")


@pytest.mark.parametrize(
    ("samples", "predictions", "said"),
    [
        ("ab", "abc", r"predictions\.jsonl:3: id 'c' is not in .*dataset\.jsonl"),
        ("abc", "ac", r"no prediction for 1 of 3 samples, .*dataset\.jsonl:2, id 'b'.* resumes"),
        ("ab", "aab", r"predictions\.jsonl:2: id 'a' is already in row 1"),
        ("aba", "ab", r"dataset\.jsonl:3: id 'a' is already in row 1"),
    ],
)
def test_ids_that_do_not_match_are_named(
    tmp_path: Path, samples: str, predictions: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        run(tmp_path, map(sample, samples), map(prediction, predictions))
    assert not (tmp_path / "scores.jsonl").exists()


def test_an_unknown_metric_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'rouge-3' is not a metric\. Did you mean rouge-"):
        run(tmp_path, [], [], MetricsSettings(metrics=("rouge-3",)))


def test_no_samples_make_an_empty_file(tmp_path: Path) -> None:
    assert run(tmp_path, [], []) == []


def test_progress_is_reported(tmp_path: Path) -> None:
    store.write_rows(tmp_path / "dataset.jsonl", [sample("a"), sample("b")])
    store.write_rows(tmp_path / "predictions.jsonl", [prediction("a"), prediction("b")])
    events: list[Progress] = []
    compute_metrics(
        tmp_path / "dataset.jsonl",
        tmp_path / "predictions.jsonl",
        tmp_path / "scores.jsonl",
        CHEAP,
        side="candidate",
        listen=events.append,
    )
    assert {(event.stage, event.side, event.total) for event in events} == {
        ("metrics", "candidate", 2)
    }
    assert (events[-1].state, events[-1].done) == ("done", 2)


def metric(name: str, function: MetricFunction) -> AutoMetric:
    return AutoMetric(name=name, direction="higher", function=function)


def test_a_metric_says_why_it_has_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(sample: Sample, prediction: Prediction) -> float:
        raise Unscored("too_short")

    def infinite(sample: Sample, prediction: Prediction) -> float:
        return float("inf")

    monkeypatch.setitem(CATALOGUE, "refuses", metric("refuses", refuses))
    monkeypatch.setitem(CATALOGUE, "infinite", metric("infinite", infinite))
    settings = MetricsSettings(metrics=("refuses", "infinite"), processes=1)
    (score,) = run(tmp_path, [sample("a")], [prediction("a")], settings)
    assert score.unscored == {"refuses": "too_short", "infinite": "not_finite"}


def test_a_metric_that_fails_is_named_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(sample: Sample, prediction: Prediction) -> float:
        return 1 / len(prediction.output)

    monkeypatch.setitem(CATALOGUE, "broken", metric("broken", broken))
    names = [str(number) for number in range(100)]
    outputs = [prediction(name, "" if name == "70" else "x") for name in names]
    settings = MetricsSettings(metrics=("broken",), processes=2)
    with pytest.raises(StageError, match=r"Metric 'broken' failed on id '70': ZeroDivisionError"):
        run(tmp_path, map(sample, names), outputs, settings)
    assert {path.name for path in tmp_path.iterdir()} == {"dataset.jsonl", "predictions.jsonl"}


def test_totals_are_sacrebleus_over_the_samples_with_a_target(tmp_path: Path) -> None:
    from sacrebleu.metrics import BLEU, CHRF

    targets = [f"the cat number {number} sat on the mat" for number in range(80)] + [" "]
    outputs = [f"a cat number {number} is on the mat" for number in range(80)] + ["x"]
    names = [str(number) for number in range(81)]
    settings = MetricsSettings(metrics=("corpus-bleu", "bleu-4", "corpus-chrf"), processes=2)
    scores = run(tmp_path, map(sample, names, targets), map(prediction, names, outputs), settings)
    found = totals(tmp_path / "scores.jsonl")
    bleu = BLEU().corpus_score(outputs[:80], [targets[:80]]).score
    chrf = CHRF().corpus_score(outputs[:80], [targets[:80]]).score
    assert found["corpus-bleu"].value == pytest.approx(bleu, abs=1e-9)
    assert found["corpus-chrf"].value == pytest.approx(chrf, abs=1e-9)
    assert {total.n for total in found.values()} == {80}
    assert found["corpus-bleu"].signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp")
    assert {name for score in scores for name in score.values} == {"bleu-4"}


def test_a_prediction_is_compared_with_what_its_template_makes_of_the_target(
    tmp_path: Path,
) -> None:
    target = "<think>\nHm.\n</think>\n\nthe cat sat on the mat"
    answer = replace(prediction("a"), thought="Hm.", wanted="the cat sat on the mat")
    names = ("exact-match", "token-f1", "bleu-4", "chrf", "length-ratio", "corpus-bleu")
    settings = MetricsSettings(metrics=names, processes=1)
    (score,) = run(tmp_path, [sample("a", target)], [answer], settings)
    assert score.values == {
        "exact-match": 100,
        "token-f1": 100,
        "bleu-4": 100,
        "chrf": pytest.approx(100),
        "length-ratio": 1,
    }
    assert totals(tmp_path / "scores.jsonl")["corpus-bleu"].value == pytest.approx(100)


def test_a_thought_without_an_answer_is_wanted_by_no_metric(tmp_path: Path) -> None:
    answer = replace(prediction("b"), wanted="")
    settings = MetricsSettings(metrics=("exact-match",), processes=1)
    (score,) = run(tmp_path, [sample("b", "<think>Hm.</think>")], [answer], settings)
    assert score.unscored == {"exact-match": "no_target"}


def test_where_there_is_no_answer_only_the_form_of_the_output_is_measured(tmp_path: Path) -> None:
    cut = replace(
        prediction("a", ""), thought="Hm, the", finish="length", unanswered="thought_unended"
    )
    settings = MetricsSettings(processes=1)
    samples = [sample("a"), sample("b")]
    score, _ = run(tmp_path, samples, [cut, prediction("b")], settings)
    assert score.values == {"empty": 100, "truncated": 100}
    assert set(score.unscored.values()) == {"thought_unended"}
    corpus = totals(tmp_path / "scores.jsonl")
    assert {total.n for total in corpus.values()} == {1}
    assert set(score.unscored) == set(settings.metrics) - set(score.values) - set(corpus)


def test_predictions_written_before_thoughts_stood_apart_are_read(tmp_path: Path) -> None:
    row = '{"id": "a", "output": "x", "finish": "stop", "prompt_tokens": 1, "output_tokens": 1}'
    (tmp_path / "old.jsonl").write_text(f"{row}\n")
    (old,) = store.read_rows(tmp_path / "old.jsonl", Prediction)
    assert as_wanted(sample("a"), old) == sample("a")
    assert (old.thought, old.written, old.unanswered) == ("", "", "")


def test_a_total_of_nothing_is_none(tmp_path: Path) -> None:
    settings = MetricsSettings(metrics=("corpus-bleu",), processes=1)
    (score,) = run(tmp_path, [sample("a", "")], [prediction("a")], settings)
    assert (score.values, score.unscored) == ({}, {})
    total = totals(tmp_path / "scores.jsonl")["corpus-bleu"]
    assert (total.value, total.n) == (None, 0)


def test_settings_from_outside_are_checked() -> None:
    with pytest.raises(SettingsError, match="metrics"):
        checked.build(MetricsSettings, {"processes": -1}, "metrics")
