"""In a Python that starts with this folder on its path, transformers counts devices as on a machine
that has two, of which CUDA_VISIBLE_DEVICES hides those that it does not name. They compute as the
CPU does."""

from __future__ import annotations

import os

from transformers import TrainingArguments

HERE = "0,1"


def count(_arguments: TrainingArguments) -> int:
    """Return how many devices are in sight."""
    return len(os.environ.get("CUDA_VISIBLE_DEVICES", HERE).split(","))


TrainingArguments.n_gpu = property(count)
