"""The report as one HTML file that needs nothing else: no network, no storage, no second file.

What a model wrote reaches the page only as JSON in a data block, and from there only as text
nodes; the content security policy names the hash of each of the page's own scripts, so that no
other can run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from assay.errors import MissingExtraError
from assay.gate import headline
from assay.report import calibration, combined, costs, data, judging, panel, plain, trend
from assay.report.charts import figures
from assay.report.contents import Report, Row
from assay.report.glossary import TERMS, Kind

GROUPS: tuple[tuple[Kind, str], ...] = (
    ("judge", "Judge, {low} to {high}"),
    ("pairwise", "Judge, pairwise, 0 to 100"),
    ("similarity", "Similarity to the target, 0 to 100"),
    ("own", "Metrics of your own"),
    ("likelihood", "Likelihood of the target"),
)


def to_html(report: Report, document: Mapping[str, Any]) -> str:
    """Return the page for `report`, of which `document` is the JSON form.

    Raises MissingExtraError without plotly and jinja2.
    """
    scripts = [_asset("page.js"), _asset("samples.js"), _plotly(), _asset("charts.js")]
    sides = [side.side for side in report.sides]
    low, high = report.judge_scale
    page = _template().render(
        report=report,
        document=document,
        gate_headline=headline(report.gate) if report.gate else "",
        groups=[
            (title.format(low=low, high=high), _of_kind(report, kind))
            for kind, title in GROUPS
            if _of_kind(report, kind)
        ],
        judged=_of_kind(report, "judge"),
        judge_rows=list(judging.rows(report.judging)),
        pairing=judging.pairs(report.pairing) if report.pairing else "",
        panel_sides=sides,
        panel_rows=panel.rows(report.panel, sides) + combined.counts(report.combining, sides),
        panel_title=combined.title(report.combining),
        calibration_columns=calibration.COLUMNS,
        calibration_rows=calibration.rows(report.calibration),
        total_cost=costs.total(report.costs),
        judge_probes=judging.probes(report.judging),
        advisory=any(one.health.failed for one in report.judging.values()),
        data_rows=list(data.rows(report.data)) if report.data else [],
        shared=data.shared(report.data) if report.data else "",
        trend_headline=trend.headline(report.trend) if report.trend else "",
        trend_moved=list(trend.moved(report.trend)) if report.trend else [],
        trend_listed=list(trend.listed(report.trend)) if report.trend else [],
        diagnostics=_of_kind(report, "diagnostic"),
        causes=_causes(report),
        focus=_focus(report),
        terms=TERMS,
        spans={row.name: _span(_alike(report, row)) for row in report.summary},
        policy=_policy(scripts),
        style=_asset("page.css"),
        data=_data(report, document),
        scripts=scripts,
    )
    return str(page)


def _template() -> Any:
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise MissingExtraError("jinja2", "report") from None
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": plain.number,
        "signed": plain.signed,
        "label": plain.label,
        "duration": plain.duration,
        "visible": plain.visible,
        "yaml": _yaml,
        "count": lambda value: f"{value:,}",
    }
    return environment.from_string(_asset("macros.html") + _asset("page.html"))


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise MissingExtraError("plotly", "report") from None
    return str(get_plotlyjs())


def _asset(name: str) -> str:
    return files("assay.report").joinpath(name).read_text(encoding="utf-8")


def _policy(scripts: list[str]) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _data(report: Report, document: Mapping[str, Any]) -> str:
    """The page's data block; `<` is escaped, so that no text in it can end the block."""
    shown = {
        "examples": document["examples"],
        "regressions": report.regressions,
        "focus": report.focus,
        "metrics": [
            {"name": row.name, "label": plain.label(row.name), "kind": row.kind}
            | {"direction": row.direction}
            for row in report.summary
            if row.kind not in ("likelihood", "pairwise")
        ],
        "figures": figures(report),
    }
    return json.dumps(plain.plain(shown), ensure_ascii=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )


def _of_kind(report: Report, kind: Kind) -> list[Row]:
    return [row for row in report.summary if row.kind == kind]


def _focus(report: Report) -> str:
    judged = any(row.name == report.focus for row in _of_kind(report, "judge"))
    name = plain.label(report.focus)
    return f"the judge's {name.lower()} score" if judged else name or "any metric"


def _alike(report: Report, row: Row) -> list[Row]:
    """The rows whose differences share a scale with `row`'s."""
    alike = [*report.summary, *report.combined]
    return [row] if row.scale is None else [one for one in alike if one.kind == row.kind]


def _span(rows: list[Row]) -> float:
    """The largest bound of the rows' intervals: they are drawn on one scale."""
    bounds = [
        max(abs(row.comparison.low), abs(row.comparison.high)) for row in rows if row.comparison
    ]
    return max(bounds, default=0.0) or 1.0


def _causes(report: Report) -> list[tuple[str, str, int, list[str]]]:
    """Unscored samples as (side, cause, count, metrics), metrics alike in all three together."""
    found: dict[tuple[str, str, int], list[str]] = {}
    for row in report.summary:
        for metric in filter(None, (row.baseline, row.candidate)):
            for cause, count in metric.unscored.items():
                found.setdefault((metric.side, cause, count), []).append(row.name)
    return [(*key, names) for key, names in found.items()]


def _yaml(value: object) -> str:
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
