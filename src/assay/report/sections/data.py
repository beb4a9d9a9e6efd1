"""The data of a run: what was read, left out, and shared between training and evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from assay.dataset import in_clusters
from assay.report.contents import Data, Report, Source
from assay.report.section import Block, Column, Phrase, Section, Table, Text, note, titled


def section(report: Report) -> Section | None:
    """Return what is known of the data, None where nothing is."""
    if report.data is None:
        return None
    # the page's own data block is called "data"
    return Section(name="data-used", title="Data", blocks=tuple(_blocks(report.data)))


def _blocks(data: Data) -> Iterator[Block]:
    sources = [source for source in (data.evaluation, data.training) if source]
    names = ("Of the data", "Evaluation", "Training")[: len(sources) + 1]
    columns = tuple(Column(title=name) for name in names)
    yield Table(title="", columns=columns, rows=tuple(_rows(sources)))
    if data.evaluation.clusters:
        yield note(f"{in_clusters(data.evaluation.samples, data.evaluation.clusters)}.")
    if data.held_out:
        yield note("The evaluation samples were held out of the training data.")
    if data.same_prompts is not None:
        yield note(_shared(data))
    if data.pairs:
        yield Text(title="Shared prompts", text="\n".join(data.pairs))
    for source in sources:
        if source.invalid:
            title = f"Rows of {source.name} that were left out"
            yield Text(title=title, text="\n".join(source.invalid))


def _rows(sources: list[Source]) -> Iterator[Phrase]:
    yield titled("Source", [source.name for source in sources])
    yield titled("Format", [source.format for source in sources])
    yield titled("Rows read", [f"{source.rows:,}" for source in sources])
    yield titled("Rows left out as invalid", [f"{source.skipped:,}" for source in sources])
    yield titled("Samples used", [f"{source.samples:,}" for source in sources])


def _shared(data: Data) -> str:
    """One sentence on what training and evaluation have in common."""
    if not data.same_prompts and not data.near_prompts:
        return "No evaluation prompt is in the training data, nor one much like it."
    return (
        f"Of {data.evaluation.samples:,} evaluation prompts, {data.same_prompts:,} are in the "
        f"training data and {data.near_prompts:,} are much like one there."
    )
