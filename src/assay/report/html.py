"""The report as one HTML file that needs nothing else: no network, no storage, no second file.

What a model wrote reaches the page only as JSON in a data block, and from there only as text
nodes; the content security policy names the hash of each of the page's own scripts, so that no
other can run.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from assay.errors import MissingExtraError
from assay.report import absence, plain
from assay.report.charts import figures
from assay.report.contents import MetricRow, Report
from assay.report.likelihood import PERPLEXITY
from assay.report.section import Section, of_kind
from assay.report.sections import gate

_PART = re.compile(r"(?<=[^\W_][_=/])(?=\w)")
_NAME, _SHORT = re.compile(r"\w+(?:-\w+)+[:,.]?"), 16
_TEMPLATES = ("metrics.html", "blocks.html", "page.html")


def to_html(report: Report, sections: Sequence[Section], document: Mapping[str, Any]) -> str:
    """Return the page for `report` with its `sections`; `document` is its JSON form.

    Raises MissingExtraError without plotly and jinja2.
    """
    scripts = [_asset("page.js"), _asset("samples.js"), _plotly(), _asset("charts.js")]
    page = _template().render(
        report=report,
        sections=[section for section in sections if section.name != gate.NAME],
        gate=next((section for section in sections if section.name == gate.NAME), None),
        judged=of_kind(report.summary, "judge"),
        spans={row.name: _span(_alike(report, row)) for row in report.summary},
        policy=_policy(scripts),
        style=_asset("page.css"),
        data=_data(report, document),
        scripts=scripts,
    )
    return str(page)


@functools.cache
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
        "visible": plain.visible,
        "minute": plain.minute,
        "longest": _longest,
        "parted": _parted,
        "whole": _whole,
        "why": absence.why,
        "why_no_difference": absence.why_no_difference,
        "count": lambda value: f"{value:,}",
        "kind": lambda block: type(block).__name__,
    }
    return environment.from_string("".join(_asset(name) for name in _TEMPLATES))


def _parted(text: str) -> Any:
    """Return a text that may go on in the next line within a name such as prompt_length=under."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(map(escape, _PART.split(text)))


def _whole(text: str) -> Any:
    """Return a text whose short names with a hyphen, such as bleu-4, stay in one line."""
    from markupsafe import Markup, escape

    words = (
        Markup('<span class="whole">{}</span>').format(word)
        if _NAME.fullmatch(word) and len(word) <= _SHORT
        else escape(word)
        for word in text.split(" ")
    )
    return Markup(" ").join(words)


def _longest(text: str) -> int:
    """Return the characters of the longest part of a text that stays in one line."""
    parts = (part for word in text.replace("-", " ").split() for part in _PART.split(word))
    return max(map(len, parts), default=0)


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
        "counts": report.counts if report.selection else {},
        "tags": [
            {"name": subset.tag, "value": subset.value, "samples": subset.samples}
            for tag in report.tags
            for subset in tag.subsets
        ],
        "metrics": [
            {"name": row.name, "label": plain.label(row.name), "kind": row.kind}
            | {"direction": row.direction}
            | _changed(row)
            for row in report.summary
            if row.kind != "pairwise" and not _is_total(row)
        ],
        "figures": figures(report),
    }
    return json.dumps(plain.plain(shown), ensure_ascii=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )


def _is_total(row: MetricRow) -> bool:
    """Whether a likelihood has no value for a sample: perplexity, and all of an older run."""
    metrics = [metric for metric in (row.baseline, row.candidate) if metric]
    without = row.name == PERPLEXITY or all(metric.low is None for metric in metrics)
    return row.kind == "likelihood" and without


def _alike(report: Report, row: MetricRow) -> list[MetricRow]:
    """The rows whose differences share a scale with `row`'s."""
    if row.scale is None:
        return [row]
    rows = [*report.summary, *report.combined]
    return [other for other in rows if (other.kind, other.scale) == (row.kind, row.scale)]


def _span(rows: list[MetricRow]) -> float:
    """The largest bound of the rows' intervals: they are drawn on one scale."""
    bounds = [
        max(abs(row.comparison.low), abs(row.comparison.high)) for row in rows if row.comparison
    ]
    return max(bounds, default=0.0) or 1.0


def _changed(row: MetricRow) -> dict[str, int]:
    """On how many samples of the whole run the candidate gained and lost."""
    compared = row.comparison
    return {"gains": compared.better, "regressions": compared.worse} if compared else {}
