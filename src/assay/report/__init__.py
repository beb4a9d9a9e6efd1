"""A run folder to a report: HTML, Markdown and JSON with the same numbers. Files in, files out."""

from __future__ import annotations

from pathlib import Path

from assay import store
from assay.report.assemble import assemble, comparisons, metrics
from assay.report.contents import Report
from assay.report.html import to_html
from assay.report.markdown import to_markdown
from assay.report.plain import plain
from assay.report.run import read

__all__ = ["Report", "report"]


def report(run: Path, *, title: str = "") -> Report:
    """Write metrics.json, report.json, report.md and report.html into the folder `run`.

    The same folder gives the same files. Raises InputError for a file that is missing or does
    not fit the others, MissingExtraError without the extra `report`.
    """
    contents = read(run)
    aggregates, differences = metrics(contents), comparisons(contents)
    assembled = assemble(contents, title, aggregates, differences)
    document = plain(assembled)
    page = to_html(assembled, document)
    store.write_json(run / "metrics.json", {"metrics": aggregates, "comparisons": differences})
    store.write_json(run / "report.json", document)
    store.write_text(run / "report.md", to_markdown(assembled))
    store.write_text(run / "report.html", page)
    return assembled
