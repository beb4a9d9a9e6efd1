"""An engine gives ids for ids: what they come to, and what is asked again, is not its business."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from assay import engine, store
from assay.demo.base_model import TEMPLATE
from assay.engine.answering import answer
from assay.folder import PREDICTIONS
from assay.generate import GenerateSettings
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import coder
from assay.records import Message, Prediction, Sample

ECHO = """
class Echo:
    def answer(self, coder, prompts):
        for prompt in reversed(list(prompts)):
            ids = coder.reading.tokenizer.encode(f"I am {prompt.id}.")
            yield [(prompt, ids + [coder.ends[0], 1, 1])]

def find(job):
    return Echo()
"""


def test_any_engines_ids_become_the_predictions(
    tmp_path: Path, smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "engine_that_echoes.py").write_text(ECHO)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engine, "ENGINES", {"echo": "engine_that_echoes", **engine.ENGINES})
    turn = Message(role="user", content="Who are you?")
    rows = [Sample(id=id_, messages=(turn,), target="I am b.") for id_ in "abc"]
    earlier = Prediction(id="a", output="Kept.", finish="stop", prompt_tokens=9, output_tokens=2)
    store.write_rows(tmp_path / PREDICTIONS, [earlier])

    job, file = replace(job_of(smollm2), engine="echo"), tmp_path / PREDICTIONS
    answer(job, coder(job), rows, tmp_path, file, lambda _rows: None)

    kept, *answered = store.read_rows(tmp_path / PREDICTIONS, Prediction)
    assert kept == earlier
    assert [row.output for row in answered] == ["I am c.", "I am b."]
    assert {row.finish for row in answered} == {"stop"}
    assert len({row.prompt_tokens for row in answered}) == 1


def job_of(base: Path) -> GenerateJob:
    """Return the job of answering with a base model."""
    return GenerateJob(
        base=str(base),
        base_name=str(base),
        adapter="",
        digest="",
        load_seed=1,
        dataset_hash="",
        settings=asdict(GenerateSettings(template=TEMPLATE)),
    )
