"""The process that makes one model of a base and what was tuned: `python -m
assay.engine.vllm.merge FOLDER`.

LLaMA-Factory loads it as it would to answer: adapters of any kind are merged, a vocabulary is
resized, a PiSSA decomposition is drawn as training did.
"""

from __future__ import annotations

import sys
from pathlib import Path

from assay import process, store
from assay.llamafactory.job import JOB, GenerateJob
from assay.llamafactory.prompts import coder


def main(folder: Path) -> None:
    """Write the model of folder/job.json to folder/model."""
    from llamafactory.model import load_model
    from transformers import set_seed

    process.end_with_parent()
    job = store.read_record(folder / JOB, GenerateJob)
    coding = coder(job)
    set_seed(job.load_seed)
    tokenizer = coding.reading.tokenizer
    model = load_model(tokenizer, coding.model, coding.finetuning, is_trainable=False)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
