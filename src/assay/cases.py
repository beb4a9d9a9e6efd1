"""Cases: samples with their predictions, joined by id, in the order of the dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay import store
from assay.errors import InputError
from assay.records import Case, Prediction, Sample, as_wanted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


CaseLines = tuple[store.NumberedLine, store.NumberedLine]
"""The line of a sample and that of its prediction."""


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
    that the prediction is compared with. The files must have passed `count`."""
    return map(parser(samples, predictions), lines(samples, predictions))


def lines(samples: Path, predictions: Path) -> Iterator[CaseLines]:
    """Yield what `read` does, as the lines that it stands in: another process can read them.

    Both files are read side by side; what is kept in memory is only how far their orders differ.
    """
    answers = store.read_lines(predictions)
    sample_id, answer_id = _id_in(samples), _id_in(predictions)
    waiting: dict[str, store.NumberedLine] = {}
    for line in store.read_lines(samples):
        name = sample_id(line)
        while name not in waiting:
            answer = next(answers)
            waiting[answer_id(answer)] = answer
        yield line, waiting.pop(name)


def parser(samples: Path, predictions: Path) -> Callable[[CaseLines], Case]:
    """Return what makes a case of its lines. It raises InputError with file and line number."""
    sample_in, prediction_in = store.parser(samples, Sample), store.parser(predictions, Prediction)

    def parse(pair: CaseLines) -> Case:
        prediction = prediction_in(pair[1])
        return as_wanted(sample_in(pair[0]), prediction), prediction

    return parse


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
    for number, name in enumerate(map(_id_in(path), store.read_lines(path)), 1):
        if numbers.setdefault(name, number) != number:
            raise InputError(
                f"{path}:{number}: id {name!r} is already in row {numbers[name]}",
                "Give every row an id of its own",
            )
    return numbers


def _id_in(path: Path) -> Callable[[store.NumberedLine], str]:
    parse = store.parser(path, _Row)
    return lambda line: store.id_of(line[1]) or parse(line).id


def targets(samples: Path) -> Iterator[str]:
    """Yield what the samples in a file are compared with, without the rest of them."""
    return (row.target for row in store.read_rows(samples, _Target))
