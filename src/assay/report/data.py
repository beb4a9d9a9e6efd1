"""The data of a run in the report: what was read, what was left out, and what training shares with
evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assay import store
from assay.dataset import SUMMARY, DatasetSummary, Used
from assay.report.contents import Caution, Data, Source


def read(folder: Path) -> Data | None:
    """Return what dataset.json of the run `folder` says, None where there is none."""
    path = folder / SUMMARY
    if not path.is_file():
        return None
    summary = store.read_record(path, DatasetSummary)
    overlap = summary.overlap
    return Data(
        evaluation=_source(summary.eval),
        training=_source(summary.train) if summary.train else None,
        held_out=summary.held_out,
        same_prompts=overlap.exact if overlap else None,
        near_prompts=overlap.near if overlap else None,
        pairs=tuple(
            f"{pair.eval_id} ~ {pair.train_id}: "
            + ("same prompt" if pair.exact else f"{pair.similarity:.0%} alike")
            + (", same answer" if pair.same_target else "")
            for pair in (overlap.pairs if overlap else ())
        ),
    )


def cautions(data: Data | None) -> Iterator[Caution]:
    """Yield what must be known of the data before the numbers are trusted."""
    if data is None:
        return
    shared = (data.same_prompts or 0) + (data.near_prompts or 0)
    if shared:
        yield Caution(
            severe=False,
            text=f"{shared} of {data.evaluation.samples} evaluation prompts are in the training "
            f"data too ({data.same_prompts} exactly, {data.near_prompts} nearly): their scores may "
            "be memory.",
        )
    if data.evaluation.skipped:
        yield Caution(
            severe=False,
            text=f"{data.evaluation.skipped} of {data.evaluation.rows} rows of the evaluation data "
            "cannot be used and were left out.",
        )


def _source(used: Used) -> Source:
    return Source(
        name=used.source,
        format=used.format,
        rows=used.rows,
        skipped=used.skipped,
        invalid=used.invalid,
        samples=used.samples,
    )
