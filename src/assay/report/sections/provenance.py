"""Provenance: every setting that led to the numbers."""

from __future__ import annotations

from collections.abc import Iterator

from assay import settings
from assay.report.contents import Report
from assay.report.plain import plain
from assay.report.section import Block, Section, Text, note

_PARTS = {
    "config": "What was asked (config.yaml)",
    "model": "The tuned model",
    "baseline": "How the baseline answered",
    "candidate": "How the candidate answered",
}


def section(report: Report) -> Section:
    """Return what was asked and how each model answered."""
    made = (
        f"Made by Assay {report.assay} from the run folder alone. The same numbers are in "
        "report.json and report.md."
    )
    blocks: tuple[Block, ...] = (*_texts(report), note(made, "quiet"))
    return Section(name="provenance", title="Provenance", button="Provenance", blocks=blocks)


def _texts(report: Report) -> Iterator[Text]:
    for part, title in _PARTS.items():
        value = plain(report.provenance.get(part))
        if value:
            yield Text(title=title, text=settings.to_yaml(value))
