"""What KFP's page shows of a task's artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assay import report as reporting
from assay.records import Generation, ModelManifest


def model_metadata(manifest: ModelManifest) -> dict[str, Any]:
    """Return what KFP's page shows of a tuned model."""
    return {
        "base_model": manifest.base_model,
        "digest": manifest.digest,
        "runner": manifest.runner,
    }


def predictions_metadata(done: Generation) -> dict[str, Any]:
    """Return what KFP's page shows of one side's predictions."""
    return {
        "model": done.model,
        "digest": done.digest,
        "samples": done.samples,
        "runner": done.runner,
        **({"endpoint": done.served.endpoint} if done.served else {}),
        **({"sha256": done.given.sha256} if done.given else {}),
        **({"made": done.origin.made, "taken_from": done.origin.place} if done.origin else {}),
    }


def numbers(told: reporting.Report) -> dict[str, float]:
    """Return a report's finite numbers by name, for the comparison of runs, and those of the
    primary metric over the samples of each tag, with the difference there."""
    named = {name: value for row in told.summary for name, value in _values(row, row.name)}
    primary = told.conclusion.primary or told.focus
    for subset in (subset for tag in told.tags for subset in tag.subsets):
        for row in (row for row in subset.rows if row.name == primary):
            name = f"{row.name}@{subset.tag}={subset.value}"
            named |= {**dict(_values(row, name)), f"{name} difference": row.difference}
    return {name: value for name, value in named.items() if value is not None}


def _values(row: reporting.MetricRow, name: str) -> Iterator[tuple[str, float | None]]:
    """Yield the value of each side. KFP's page sorts by name, and cuts long ones at their end."""
    for end, side in (("", row.candidate), (" baseline", row.baseline)):
        if side:
            yield f"{name}{end}", side.value


def confusion(told: reporting.Report) -> tuple[list[str], list[list[int]]] | None:
    """Return the labels of a run's candidate and how often each has which answer, None where no
    metric is of labels; as many rows as columns, as KFP wants them."""
    held = told.confusion.get("candidate")
    if not held:
        return None
    labels, counts = list(held.labels), [list(row) for row in held.counts]
    if any(row[-1] for row in counts):
        return [*labels, "(no label)"], [*counts, [0] * (len(labels) + 1)]
    return labels, [row[:-1] for row in counts]
