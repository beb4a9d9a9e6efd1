"""What was compared: each side's model, what proves it, and what both answered."""

from __future__ import annotations

from collections.abc import Iterator

from assay import hub
from assay.records import Origin
from assay.report.contents import Report, SideSummary
from assay.report.plain import minute
from assay.report.section import Cell, Note, Phrase, Section, Table, side_columns
from assay.text import some


def section(report: Report) -> Section:
    """Return the sides beside each other."""
    sides = [side.side for side in report.sides]
    cards = Table(
        title="",
        columns=side_columns("Of the model", sides),
        rows=tuple(row for row in _rows(report.sides) if any(cell.text for cell in row[1:])),
        cards=True,
    )
    facts = Note(phrases=tuple(_facts(report)), look="facts")
    title = f"What was {'compared' if len(sides) > 1 else 'evaluated'}"
    return Section(name="compared", title=title, blocks=(cards, facts))


def _rows(sides: tuple[SideSummary, ...]) -> Iterator[Phrase]:
    yield (Cell(text="model"), *(Cell(text=side.name) for side in sides))
    yield (Cell(text="weights"), *(_weights(side) for side in sides))
    yield (Cell(text="proof"), *(_proof(side) for side in sides))
    yield (Cell(text="engine"), *(Cell(text=side.engine) for side in sides))
    yield (Cell(text="answers"), *(_made(side.origin) for side in sides))
    yield (Cell(text="first in"), *(_place(side.origin) for side in sides))
    for name in ("path", "endpoint", "answered as", "sha256", "base", "template"):
        yield (Cell(text=name), *(Cell(text=_named(side)[name], look="code") for side in sides))


def _named(side: SideSummary) -> dict[str, str]:
    own = "" if side.model == side.name else side.model
    base = "" if side.base_model == side.model else side.base_model
    endpoint = side.served.endpoint if side.served else ""
    sha256 = side.given.sha256[:12] if side.given else ""
    return {
        "path": own,
        "endpoint": endpoint,
        "answered as": _answered_as(side),
        "sha256": sha256,
        "base": base,
        "template": side.template,
    }


def _answered_as(side: SideSummary) -> str:
    """Return what an endpoint calls the model that answered, "" where that is its name."""
    names = list(side.served.models) if side.served else []
    return some(names) if set(names) - {side.model} else ""


def _weights(side: SideSummary) -> Cell:
    if not side.digest:
        return Cell(text=_elsewhere(side) or "no digest")
    kind = "commit" if hub.commit(side.model) == side.digest else "sha256"
    return Cell(text=side.digest[:12], look="code", hint=f"{kind} {side.digest}")


def _elsewhere(side: SideSummary) -> str:
    if side.given:
        return "not here: its answers were in a file"
    return "behind an endpoint" if side.served else ""


def _proof(side: SideSummary) -> Cell:
    if side.served or side.given:
        how = "serve it" if side.served else "generate them"
        return Cell(text=f"none: Assay did not {how}", look="worse")
    return Cell(text=side.proof, look="better")


def _made(origin: Origin | None) -> Cell:
    return Cell(text=f"an earlier run's, made {minute(origin.made)} UTC" if origin else "")


def _place(origin: Origin | None) -> Cell:
    if origin is None:
        return Cell(text="")
    return Cell(text=origin.place, look="code", hint=f"taken from {origin.entry}")


def _facts(report: Report) -> Iterator[Phrase]:
    yield (Cell(text="run "), Cell(text=report.id, look="code"))
    if report.time:
        yield (Cell(text="of "), Cell(text=f"{minute(report.time)} UTC", look="strong"))
    inside = (
        f" in {report.clusters:,} cluster{'s' * (report.clusters != 1)}" if report.clusters else ""
    )
    yield _counted("", report.samples, f" sample{'s' * (report.samples != 1)}{inside}")
    hint = f"sha256 {report.dataset_hash}"
    digest = Cell(text=report.dataset_hash[:12] or "no hash", look="code", hint=hint)
    yield (Cell(text="dataset "), digest)
    if report.judge:
        yield (Cell(text="judge "), Cell(text=report.judge, look="strong"))
    if report.training and report.training.samples:
        how = f" samples ({report.training.finetuning_type})"
        yield _counted("trained on ", report.training.samples, how)
    if len(report.sides) > 1:
        yield _counted("identical outputs on ", report.identical_outputs, "")


def _counted(before: str, count: int, after: str) -> Phrase:
    return (Cell(text=before), Cell(text=f"{count:,}", look="strong"), Cell(text=after))
