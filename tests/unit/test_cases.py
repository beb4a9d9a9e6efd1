"""Samples and predictions are joined in one way, whoever asks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import cases, store
from assay.calibrate.items import judged
from assay.errors import InputError
from assay.folder import PREDICTIONS, SAMPLES, VERDICTS
from assay.judge import JudgeSettings, judge, judge_pairs
from assay.metrics import MetricsSettings, compute_metrics
from assay.records import Message, Prediction, Sample, Verdict

ORDERS = st.integers(0, 12).flatmap(lambda count: st.permutations(range(count)))


def write(folder: Path, samples: str, predictions: str) -> tuple[Path, Path]:
    """Write a sample and a prediction for each letter, its id."""
    message = (Message(role="user", content="Say x."),)
    asked, answered = folder / SAMPLES, folder / "candidate" / PREDICTIONS
    store.write_rows(asked, (Sample(id=name, messages=message, target=name) for name in samples))
    rows = (
        Prediction(id=name, output=name, finish="stop", prompt_tokens=1, output_tokens=1)
        for name in predictions
    )
    store.write_rows(answered, rows)
    return asked, answered


@given(ORDERS)
def test_cases_come_in_the_order_of_the_dataset(order: list[int]) -> None:
    names = "abcdefghijkl"[: len(order)]
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder), names, "".join(names[at] for at in order))
        assert cases.count(*paths) == len(names)
        joined = list(cases.read(*paths))
    assert [(sample.id, answer.id) for sample, answer in joined] == [(n, n) for n in names]


@pytest.mark.parametrize(
    ("samples", "predictions", "message"),
    [
        ("ab", "abc", r"predictions\.jsonl:3: id 'c' is not in .*dataset\.jsonl"),
        ("abc", "ac", r"no prediction for 1 of 3 samples, the first .*dataset\.jsonl:2, id 'b'"),
        ("ab", "aab", r"predictions\.jsonl:2: id 'a' is already in row 1"),
        ("aba", "ab", r"dataset\.jsonl:3: id 'a' is already in row 1"),
    ],
)
def test_each_stage_refuses_ids_that_do_not_match_alike(
    samples: str, predictions: str, message: str, tmp_path: Path
) -> None:
    asked, answered = write(tmp_path, samples, predictions)
    settings = JudgeSettings(endpoint="http://127.0.0.1:9/v1", model="fake", api_key_env="")
    store.write_rows(answered.with_name(VERDICTS), [Verdict(id="a", key="", values={"overall": 7})])
    with pytest.raises(InputError, match=message):
        compute_metrics(asked, answered, tmp_path / "scores.jsonl", MetricsSettings())
    with pytest.raises(InputError, match=message):
        judge(asked, answered, tmp_path / "verdicts.jsonl", settings)
    with pytest.raises(InputError, match=message):
        judge_pairs(asked, answered, answered, tmp_path / "pairs.jsonl", settings)
    with pytest.raises(InputError, match=message):
        list(judged(tmp_path))
