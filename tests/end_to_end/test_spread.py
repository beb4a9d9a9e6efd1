"""A model that lies in parts on several processes is evaluated as one that is whole, each sample
of it: by torch's FSDP, on CPUs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from assay import dataset, store
from assay.engine import asked as asking
from assay.engine import several
from assay.engine.loading import load
from assay.folder import LIKELIHOOD, RESULTS, SAMPLES
from assay.llamafactory.job import JOB, MEANS, GenerateJob, Means
from assay.llamafactory.loss import IGNORED, MEASURED, likelihood, measure_target, token_loss
from assay.llamafactory.order import in_order
from assay.llamafactory.prompts import coder, pair
from assay.records import Likelihood, Message, Sample
from tests.end_to_end.test_own_engine import job_of
from tests.end_to_end.two_layers import adapter, cut

HERE = Path(__file__).parent
# as for a training by FSDP2, whose settings are none of FSDP1's
CONFIG = {"fsdp_version": 2, "fsdp_reshard_after_forward": True, "fsdp_offload_params": False}
# seven: in the last round one of them comes a second time
ROWS = [
    Sample(
        id=f"sample {at}",
        messages=(Message(role="user", content=f"Say it {at} times. " * (1 + at % 5)),),
        target="It is so. " * (1 + at % 3),
    )
    for at in range(7)
]


@pytest.fixture(name="job")
def job_in_parts(smollm2: Path, tmp_path: Path) -> GenerateJob:
    """What an adapter of two layers is asked for, which was trained by FSDP."""
    base = cut(smollm2, tmp_path / "base")
    store.write_json(tmp_path / "fsdp.json", CONFIG)
    how = {"fsdp": "full_shard auto_wrap", "fsdp_config": str(tmp_path / "fsdp.json")}
    tuned = str(adapter(base, tmp_path / "adapter", std=0.2))
    job = job_of(base)
    return replace(job, adapter=tuned, spread=how, settings={**job.settings, "batch_size": 2})


def assignment(job: GenerateJob, folder: Path) -> asking.Assignment:
    store.write_rows(folder / SAMPLES, ROWS)
    store.write_json(folder / "work" / JOB, job)
    store.write_json(folder / "work" / MEANS, Means(devices=2))
    dataset.to_llamafactory(in_order(ROWS), folder / "work" / "data", "eval")
    return asking.read(folder / SAMPLES, folder / "work", "candidate")


def whole(job: GenerateJob, rows: Sequence[Sample]) -> list[Likelihood]:
    """Return what the whole model makes of each sample alone, in this process."""
    import torch

    coding = coder(job)
    model = load(job, coding)
    found = []
    for row in rows:
        prompt, target = pair(row, coding.reading)
        labels = torch.tensor([IGNORED] * len(prompt) + target)
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([prompt + target])).logits[0]
        found.append(likelihood(row, target, measure_target(logits, labels)))
    return found


def test_a_model_in_parts_is_evaluated_as_the_whole(
    job: GenerateJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = assignment(job, tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(HERE / "fsdp_on_cpu"), prepend=os.pathsep)
    monkeypatch.setenv("ASSAY_TEST_SHARDED", str(tmp_path / "sharded"))
    several.evaluate_spread(asked)
    expected = whole(job, ROWS)
    rows = list(store.read_rows(asked.work / LIKELIHOOD, Likelihood))
    assert [row.id for row in rows] == [row.id for row in ROWS]
    for row, want in zip(rows, expected, strict=True):
        assert row.tokens == want.tokens
        assert row.values == pytest.approx(want.values, abs=1e-4), row.id
    results = store.read_json(asked.work / RESULTS)
    assert results[MEASURED] == pytest.approx(token_loss(expected), abs=1e-4)
    # each process had but its part of the weights
    held, all_of_them = map(int, (tmp_path / "sharded").read_text().split())
    assert held < 0.6 * all_of_them
