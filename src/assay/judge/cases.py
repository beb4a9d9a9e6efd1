"""Samples and predictions, joined by id: what there is to judge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assay import store
from assay.errors import InputError
from assay.judge.log import Case
from assay.records import Prediction, Sample, as_wanted


def read(samples: Path, predictions: Path) -> Iterator[Case]:
    """Yield each prediction with its sample, in the order of the predictions, the target in the
    form that the prediction is compared with.

    The files are read side by side; only samples that come earlier than their prediction are
    held. Raises InputError for an id that stands twice or in one file alone.
    """
    ahead: dict[str, Sample] = {}
    rest = store.read_rows(samples, Sample)
    seen: set[str] = set()
    for prediction in store.read_rows(predictions, Prediction):
        if prediction.id in seen:
            raise InputError(
                f"{predictions}: id {prediction.id} stands twice", "Generate the predictions again"
            )
        seen.add(prediction.id)
        sample = _find(prediction.id, ahead, rest, samples, predictions)
        yield as_wanted(sample, prediction), prediction
    left = next(iter(ahead), None) or next((sample.id for sample in rest), None)
    if left is not None:
        raise InputError(
            f"{predictions} has no prediction for id {left} of {samples}",
            "Generate the predictions again",
        )


def _find(
    wanted: str, ahead: dict[str, Sample], rest: Iterator[Sample], samples: Path, predictions: Path
) -> Sample:
    if wanted in ahead:
        return ahead.pop(wanted)
    for sample in rest:
        if sample.id == wanted:
            return sample
        if sample.id in ahead:
            raise InputError(f"{samples}: id {sample.id} stands twice", "Make the ids unique")
        ahead[sample.id] = sample
    raise InputError(
        f"{predictions}: id {wanted} is not in {samples}", "Generate the predictions again"
    )
