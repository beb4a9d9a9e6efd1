"""A run folder to a report: HTML, Markdown, JSON and JUnit with the same numbers. Files in, files
out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from assay import settings, store
from assay.folder import METRICS, REPORT_HTML, REPORT_JSON, REPORT_MARKDOWN
from assay.gate import GatePolicy, read_policy
from assay.report.acceptance import accept
from assay.report.aggregates import comparisons, metrics
from assay.report.assemble import assemble
from assay.report.contents import MetricRow, Report, Subset
from assay.report.gated import check_decidable
from assay.report.history import check_history, collect
from assay.report.html import to_html
from assay.report.junit import to_junit
from assay.report.kept import scores_of
from assay.report.markdown import to_markdown
from assay.report.objects import write_run
from assay.report.places import without_places
from assay.report.plain import plain
from assay.report.run import EvaluatedRun, read
from assay.report.sections import build_sections
from assay.report.trend import with_trend

__all__ = ["MetricRow", "Report", "accept", "check_history", "report", "report_in"]


JUNIT = "report.junit.xml"


def report(
    run: Path, *, title: str = "", policy: GatePolicy | None = None, paths: bool = False
) -> Report:
    """Write metrics.json, report.json, report.md and report.html into the folder `run`, and
    report.junit.xml where there is a gate: `policy`, or else the section gate of its config.yaml.

    The same folder gives the same files. They name what lies on this machine without the folders
    that it lies in, unless `paths` asks for them. Raises InputError for a file that is missing or
    does not fit the others or a `policy` that it cannot decide, MissingExtraError without the extra
    `report`.
    """
    return _write(read(run), title, policy, paths=paths)


def report_in(history: str, run: Path) -> Report:
    """Write the report of `run`, its trend over the runs in `history`, a folder or URI, included,
    and then add the run to it. Without a history ("") it is `report`. Raises StoreError too."""
    if not history:
        return report(run)
    collect(history, run)
    contents = read(run)
    written = _write(contents)
    if written.trend:
        write_run(history, written.trend.runs[-1], scores_of(contents))
    return written


def _write(
    contents: EvaluatedRun,
    title: str = "",
    policy: GatePolicy | None = None,
    *,
    paths: bool = False,
) -> Report:
    run, aggregates, differences = contents.folder, metrics(contents), comparisons(contents)
    if policy:
        check_decidable(policy, contents, aggregates)
    own = _policy(contents)
    assembled = assemble(contents, title, aggregates, differences, policy or own)
    if assembled.gate and policy and own and policy != own:
        assembled = replace(assembled, gate=replace(assembled.gate, foreign=True))
    assembled = with_trend(assembled, contents)
    assembled = assembled if paths else without_places(assembled)
    document, told = plain(assembled), build_sections(assembled)
    page = to_html(assembled, told, document)
    numbers = {
        "metrics": aggregates,
        "comparisons": differences,
        "tags": [_numbers(subset) for tag in assembled.tags for subset in tag.subsets],
        "gate": assembled.gate,
    }
    store.write_json(run / METRICS, numbers)
    store.write_json(run / REPORT_JSON, document)
    store.write_text(run / REPORT_MARKDOWN, to_markdown(assembled, told))
    store.write_text(run / REPORT_HTML, page)
    checks = to_junit(told, assembled.title)
    if checks:
        store.write_text(run / JUNIT, checks)
    else:
        (run / JUNIT).unlink(missing_ok=True)
    return assembled


def _numbers(subset: Subset) -> dict[str, object]:
    """Return the metrics and comparisons over the samples of one tag, as metrics.json has them."""
    return {
        "tag": subset.tag,
        "value": subset.value,
        "samples": subset.samples,
        "metrics": [
            metric for row in subset.rows for metric in (row.baseline, row.candidate) if metric
        ],
        "comparisons": [
            {**vars(row.comparison), "corrected": row.corrected}
            for row in subset.rows
            if row.comparison
        ],
    }


def _policy(run: EvaluatedRun) -> GatePolicy | None:
    asked = run.config.get("gate")
    if not asked:
        return None
    return read_policy(settings.check_mapping(asked, "gate"), "gate")
