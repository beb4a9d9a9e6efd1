"""The child process that answers: `python -m assay.engine.child SAMPLES WORK SIDE`.

WORK/job.json says what to do and WORK/means.json with what. The likelihood of the targets comes
from LLaMA-Factory's evaluation, prompts and what an answer comes to from its template, the answers
from an engine. On one device all of it is done here, with the model loaded once; on several by a
process for each.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from assay import ending, process, store
from assay.engine import asked as asking
from assay.engine import device, devices, several, weights
from assay.engine.answering import answer
from assay.engine.asked import Assignment
from assay.engine.loading import proven
from assay.folder import PREDICTIONS
from assay.llamafactory.evaluate import evaluate
from assay.llamafactory.job import DEVICE, ERROR, SECONDS, TRANSFORMERS
from assay.llamafactory.prompts import Coder, coder
from assay.records import Sample


def main(samples: Path, work: Path, side: str) -> None:
    """Evaluate and answer; what an earlier try has finished is kept."""
    process.end_with_parent()
    started = time.monotonic()
    with ending.left(work / ERROR):
        _do(asking.read(samples, work, side))
    store.write_json(work / DEVICE, device.name())
    store.write_json(work / SECONDS, time.monotonic() - started)


def _do(asked: Assignment) -> None:
    if not asking.wants_loss(asked) and not asking.wants_answers(asked):
        with asking.answering(asked):  # tells that an earlier try has come to its last answer
            return
    weights.check(asked.job)
    weights.learn(asked.work)
    weights.prove(asked.job)
    groups = devices.groups(asked.job, asked.means)
    own = asked.job.engine == TRANSFORMERS
    if devices.size(groups[0]) > 1 and asking.wants_loss(asked):
        several.evaluate_spread(asked)
    if len(groups) > 1 or not own:  # another engine needs the memory, which these then free
        several.do(asked, groups, answers=own)
    if len(groups) == 1 and own:
        os.environ.update(groups[0])
    if not own:  # it lays the model out by itself, on what it sees
        devices.narrow(asked.means)
    if len(groups) == 1 or not own:
        _here(asked)


def _here(asked: Assignment) -> None:
    """Evaluate and answer in this process."""
    coding = replace(coder(asked.job), folder=asked.work)
    if asking.wants_loss(asked):
        coding = _evaluated(asked, coding)
        asking.wants_loss(asked)  # gathers it
    asking.free_claims(asked)
    with asking.answering(asked) as told:
        answer(
            asked.job,
            coding,
            store.read_rows(asked.samples, Sample),
            asked.work,
            asked.work / PREDICTIONS,
            told,
            asked.means.share,
        )


def _evaluated(asked: Assignment, coding: Coder) -> Coder:
    import torch

    size = asked.job.settings["batch_size"]
    while True:
        try:
            with proven(asked.job, coding):
                return evaluate(
                    asked.job,
                    coding,
                    asked.evaluated,
                    asked.work,
                    asked.side,
                    asked.listen,
                    batch_size=size,
                )
        except torch.OutOfMemoryError:
            size = several.smaller(size)
        gc.collect()  # the model that was loaded for it


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
