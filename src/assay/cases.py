"""Cases: samples with their predictions, joined by id, in the order of the dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay import store
from assay.errors import InputError
from assay.records import Case, Prediction, Sample, as_wanted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class _Target:
    target: str


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What samples and predictions have in common."""

    id: str


def count(samples: Path, predictions: Path) -> int:
    """Return how many samples there are, each with exactly one prediction.

    Raises InputError for an id that comes twice, a prediction without a sample and a sample
    without a prediction.
    """
    wanted, answered = _ids(samples), _ids(predictions)
    for name in answered.keys() - wanted.keys():
        raise InputError(
            f"{predictions}:{answered[name]}: id {name!r} is not in {samples}",
            "Generate the predictions from this dataset",
        )
    missing = [name for name in wanted if name not in answered]
    if missing:
        raise InputError(
            f"{predictions}: no prediction for {len(missing)} of {len(wanted)} samples, the first "
            f"{samples}:{wanted[missing[0]]}, id {missing[0]!r}",
            "Run generate again: it resumes",
        )
    return len(wanted)


def read(samples: Path, predictions: Path) -> Iterator[Case]:
    """Yield every sample with its prediction, in the order of `samples`, its target in the form
    that the prediction is compared with.

    Both files are read side by side; what is kept in memory is only how far their orders differ.
    The files must have passed `count`.
    """
    answers = store.read_rows(predictions, Prediction)
    waiting: dict[str, Prediction] = {}
    for sample in store.read_rows(samples, Sample):
        while sample.id not in waiting:
            answer = next(answers)
            waiting[answer.id] = answer
        prediction = waiting.pop(sample.id)
        yield as_wanted(sample, prediction), prediction


def cluster_numbers(names: Iterable[str]) -> NDArray[np.int64] | None:
    """Return a number for the cluster of each sample, from the `cluster` of each; None where each
    sample is its own."""
    import numpy as np

    first: dict[str, int] = {}
    numbers = [first.setdefault(name, at) if name else at for at, name in enumerate(names)]
    return np.array(numbers, np.int64) if len(set(numbers)) < len(numbers) else None


def _ids(path: Path) -> dict[str, int]:
    """Return id -> row number, from 1."""
    numbers: dict[str, int] = {}
    for number, row in enumerate(store.read_rows(path, _Row), 1):
        if row.id in numbers:
            raise InputError(
                f"{path}:{number}: id {row.id!r} is already in row {numbers[row.id]}",
                "Give every row an id of its own",
            )
        numbers[row.id] = number
    return numbers


def targets(samples: Path) -> Iterator[str]:
    """Yield what the samples in a file are compared with, without the rest of them."""
    return (row.target for row in store.read_rows(samples, _Target))
