"""The categories: both sides over the samples of each tag, the primary metric first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay.report.contents import MetricRow, Report, Subset
from assay.report.outcomes import WORDS
from assay.report.plain import label, number, signed
from assay.report.section import Block, Cell, Column, Note, Phrase, Section, Table, note

_TITLES = ("n", "Baseline", "Candidate", "Difference (95%)")
_LEAD = (
    "Both sides over the samples of each tag. Of one tag and metric the differences of all values "
    "are tested together by Holm's procedure."
)


def section(report: Report) -> Section | None:
    """Return the tags, None where there are none; the metrics but for the primary one stand on the
    page alone."""
    subsets = [subset for tag in report.tags for subset in tag.subsets]
    names = _metrics(report, subsets)
    if not names:
        return None
    blocks: list[Block] = [note(_LEAD)]
    blocks += (_table(name, subsets, first=name == names[0]) for name in names)
    return Section(
        name="tags", title="Categories", button="Categories", blocks=(*blocks, *_notes(report))
    )


def _metrics(report: Report, subsets: Sequence[Subset]) -> list[str]:
    """Return the metrics that some subset has, the primary one first."""
    held = {row.name for subset in subsets for row in subset.rows}
    order = (report.conclusion.primary, report.focus, *(row.name for row in report.summary))
    return [name for name in dict.fromkeys(order) if name in held]


def _table(name: str, subsets: Sequence[Subset], *, first: bool) -> Table:
    return Table(
        title=label(name),
        columns=(
            Column(title="Tag"),
            *(Column(title=title, number=True) for title in _TITLES),
            Column(title="Shown"),
        ),
        rows=tuple(
            _row(subset, row) for subset in subsets for row in subset.rows if row.name == name
        ),
        folded=not first,
        page_only=not first,
    )


def _row(subset: Subset, row: MetricRow) -> Phrase:
    compared, kind = row.comparison, row.kind
    last = row.candidate or row.baseline
    n = compared.n if compared else last.n if last else 0
    difference = signed(row.difference, kind)
    if compared:
        difference += f" ({signed(compared.low, kind)} to {signed(compared.high, kind)})"
    sides = (number(side.value if side else None, kind) for side in (row.baseline, row.candidate))
    return (
        Cell(text=f"{subset.tag}={subset.value}"),
        *(Cell(text=text) for text in (f"{n:,}{_lacking(row)}", *sides, difference)),
        Cell(text=WORDS[row.outcome], look="worse" if row.outcome == "worse" else ""),
    )


def _lacking(row: MetricRow) -> str:
    """How many answers of either side are unscored."""
    sides = [side for side in (row.baseline, row.candidate) if side]
    unscored = sum(sum(side.unscored.values()) for side in sides)
    return f" ({unscored:,} unscored)" if unscored else ""


def _notes(report: Report) -> Iterator[Note]:
    for tag in report.tags:
        left, lacking = tag.values - len(tag.subsets), report.samples - tag.samples
        told = [
            f"{left:,} of its {tag.values:,} values, of the fewest samples, are left out here"
            if left
            else "",
            f"{lacking:,} samples have none" if lacking else "",
        ]
        if any(told):
            yield note(f"{tag.name}: {'; '.join(filter(None, told))}.", "quiet")
