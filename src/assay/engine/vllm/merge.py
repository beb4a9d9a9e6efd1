"""The process that makes one model of a base and what was tuned: `python -m
assay.engine.vllm.merge FOLDER`.

LLaMA-Factory loads it as it would to answer: adapters of any kind are merged, a vocabulary is
resized, a PiSSA decomposition is drawn as training did.
"""

from __future__ import annotations

import sys
from pathlib import Path

from assay import ending, process, store
from assay.engine.loading import load
from assay.llamafactory.job import ERROR, JOB, GenerateJob
from assay.llamafactory.prompts import coder


def main(folder: Path) -> None:
    """Write the model of folder/job.json to folder/model."""
    process.end_with_parent()
    with ending.left(folder / ERROR):
        _merge(folder)


def _merge(folder: Path) -> None:
    job = store.read_record(folder / JOB, GenerateJob)
    coding = coder(job)
    load(job, coding).save_pretrained(folder / "model")
    coding.reading.tokenizer.save_pretrained(folder / "model")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
