"""Evaluating and answering by several processes, on a group of devices each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from assay import store
from assay.engine import devices, shards
from assay.engine.asked import Assignment, answering, free_claims, wants_answers, wants_loss
from assay.engine.shard import ANSWERS, LOSS, SPREAD
from assay.errors import SettingsError, StageError
from assay.llamafactory import spreading
from assay.records import Prediction


def evaluate_spread(asked: Assignment) -> None:
    """Have a model that no single device holds evaluated by one process a device, together. Raises
    SettingsError where nothing says how."""
    if not spreading.is_said(asked.job.spread):
        raise SettingsError(
            "the model takes several devices, and nothing says how to evaluate it on them",
            "Set generate.llamafactory.deepspeed or fsdp, as to train it, or evaluate_loss: false",
        )
    everyone: list[devices.Devices] = [{}] * (asked.means.devices or devices.in_sight())
    _evaluate(asked, everyone, f"{LOSS}+{SPREAD}")


def do(asked: Assignment, groups: Sequence[devices.Devices], *, answers: bool) -> None:
    """Have the process of each group do its part: of the evaluation, and with `answers` of these,
    for which a model is loaded once."""
    if wants_loss(asked):
        _evaluate(asked, groups, f"{LOSS}+{ANSWERS}" if answers else LOSS)
    if answers and wants_answers(asked):
        _run(asked, groups, ANSWERS, 0)


def smaller(size: int) -> int:
    """Return the next smaller batch to try where `size` samples were too many for the memory.
    Raises StageError where there is none."""
    if size == 1:
        raise StageError(
            "the memory is too small to evaluate the longest sample alone",
            "Lower generate.cutoff_len, give it more memory, or set evaluate_loss: false",
        )
    shards.say(f"out of memory: evaluating {size // 2} samples at once instead of {size}")
    return size // 2


def _evaluate(asked: Assignment, groups: Sequence[devices.Devices], phases: str) -> None:
    size = asked.job.settings["batch_size"]
    while True:
        try:
            _run(asked, groups, phases, size)
        except shards.NoRoomError:
            size = smaller(size)
        else:
            break
    if wants_loss(asked):
        raise StageError("LLaMA-Factory has not evaluated every sample")


def _run(asked: Assignment, groups: Sequence[devices.Devices], phases: str, size: int) -> None:
    free_claims(asked)
    paths = [asked.work / f"predictions-{rank}.jsonl" for rank in range(len(groups))]
    tails = [store.tail(path) for path in paths]
    for tail in tails:  # what earlier tries have written
        tail()
    arguments = [str(asked.samples), str(asked.work), asked.side, phases, str(size)]
    # who only evaluates reports no answering, which is to come
    with answering(asked) if ANSWERS in phases else nullcontext() as told:

        def tick() -> None:
            rows = [Prediction(**row) for tail in tails for row in tail()]
            if told and rows:
                told(rows)

        shards.run(groups, asked.work, arguments, tick, joined=LOSS in phases)
