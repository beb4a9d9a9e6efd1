"""The checkpoints: by what one of them was chosen, and what the evaluation says of it."""

from __future__ import annotations

from collections.abc import Iterator

from assay.checkpoints import CheckpointScore, Selected
from assay.report.contents import MetricRow, Report
from assay.report.plain import label, number, signed
from assay.report.section import (
    Block,
    Cell,
    Column,
    Drawn,
    Phrase,
    Section,
    Table,
    note,
    titled,
)


def section(report: Report) -> Section | None:
    """Return the choice among checkpoints, None where there was none."""
    selected = report.checkpoints
    if selected is None:
        return None
    blocks: list[Block] = [
        note(_headline(selected)),
        *(note(told, "quiet") for told in _told(report, selected)),
        Drawn(name="checkpoints"),
        _table(selected),
        _losses(selected),
    ]
    return Section(
        name="checkpoints", title="Checkpoints", button="Checkpoints", blocks=tuple(blocks)
    )


def _headline(selected: Selected) -> str:
    count, samples = len(selected.scored), f"{selected.samples:,} samples"
    if count == 1:
        return f"The training left one checkpoint, of step {selected.chosen:,}: nothing was chosen."
    which = "lowest" if selected.direction == "lower" else "highest"
    it = "the earliest of those with" if _has_equals(selected) else "it has"
    some = f", of which {selected.shared:,} have a score for each that could be chosen"
    compared = some if selected.shared < selected.samples else ""
    return (
        f"Step {selected.chosen:,}, of {count} checkpoints, is the candidate: {it} the {which} "
        f"mean {label(selected.metric)} on {samples} that were held out of training and of the "
        f"evaluation{compared}."
    )


def _has_equals(selected: Selected) -> bool:
    """Return whether another checkpoint has the mean of the chosen one."""
    return any(
        each.difference == 0 and not each.barred
        for each in selected.scored
        if each.step != selected.chosen
    )


def _told(report: Report, selected: Selected) -> Iterator[str]:
    chosen = next(each for each in selected.scored if each.step == selected.chosen)
    count, kind = len(selected.scored), selected.group
    there = _estimate(chosen.value, chosen.low, chosen.high, kind)
    flattered = f"Being the best of {count} flatters it there: {there}. " * (count > 1)
    yield f"{flattered}{_confirmed(report, selected, label(selected.metric))}"
    if count > 1:
        yield _alike(selected)


def _confirmed(report: Report, selected: Selected, name: str) -> str:
    row = next((row for row in report.summary if row.name == selected.metric), None)
    if row is None or row.candidate is None or row.candidate.value is None:
        return f"The evaluation has no {name} to confirm it."
    metric = row.candidate
    value = _estimate(metric.value, metric.low, metric.high, row.kind)
    return (
        f"On the {report.samples:,} evaluation samples, which had no part in the choice, its "
        f"{name} is {value}{_against(row)}."
    )


def _against(row: MetricRow) -> str:
    compared = row.comparison
    if compared is None:
        return ""
    ends = f"{signed(compared.low, row.kind)} to {signed(compared.high, row.kind)}"
    return f", {signed(compared.difference, row.kind)} ({ends}) from the baseline's"


def _alike(selected: Selected) -> str:
    tested = "with all pairs of checkpoints tested at once"
    others = [each for each in selected.scored if each.step != selected.chosen]
    able = [each for each in others if not each.barred and each.difference is not None]
    if not able:
        return "No other checkpoint has the scores to be compared with it."
    if not selected.alike:
        which = "checkpoint" if able == others else "checkpoint that can be compared"
        return f"Each other {which} is shown to be worse, {tested}."
    steps = ", ".join(f"{step:,}" for step in selected.alike)
    return f"Not shown to be worse, {tested}: step {steps}."


def _table(selected: Selected) -> Table:
    titles = (f"mean {label(selected.metric)}", "n", "minus the chosen", "p")
    return Table(
        title="Each checkpoint on the selection samples, with 95% intervals; those of the paired "
        "differences hold for all pairs at once, and p is corrected for as many",
        columns=(Column(title="Step"), *(Column(title=title, number=True) for title in titles)),
        rows=tuple(_row(each, selected) for each in selected.scored),
    )


def _row(each: CheckpointScore, selected: Selected) -> Phrase:
    kind = selected.group
    texts = (
        _estimate(each.value, each.low, each.high, kind),
        f"{each.n:,}",
        _difference(each, kind),
        _p(each.p),
    )
    chosen = each.step == selected.chosen
    barred = f", not to be chosen: {each.barred}" if each.barred else ""
    title = f"{each.step:,}{', chosen' * chosen}{barred}"
    return (Cell(text=title, side="candidate" * chosen), *(Cell(text=text) for text in texts))


def _losses(selected: Selected) -> Table:
    titles = ("eval_loss, selection samples", "training loss")
    return Table(
        title="The losses of each checkpoint",
        columns=(Column(title="Step"), *(Column(title=title, number=True) for title in titles)),
        rows=tuple(
            titled(
                f"{each.step:,}",
                [number(loss, "likelihood") for loss in (each.eval_loss, each.train_loss)],
            )
            for each in selected.scored
        ),
        folded=True,
    )


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _difference(each: CheckpointScore, kind: str) -> str:
    if each.difference is None:
        return "–"
    ends = f"{signed(each.difference_low, kind)} to {signed(each.difference_high, kind)}"
    return f"{signed(each.difference, kind)} ({ends})"


def _estimate(value: float | None, low: float | None, high: float | None, kind: str) -> str:
    if low is None:
        return number(value, kind)
    return f"{number(value, kind)} ({number(low, kind)} to {number(high, kind)})"
