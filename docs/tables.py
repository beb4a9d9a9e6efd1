"""Write the tables and command lines of docs/ that come from the code: `python docs/tables.py`; a
test compares."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import re
import runpy
from pathlib import Path

from assay import config, exits
from assay.cli.main import main
from assay.llamafactory.totals import LIKELIHOOD
from assay.metrics import CATALOGUE
from assay.parameters import NEEDED, TABLE
from assay.records import MetricSpec
from assay.served import ServedModel

DOCS = Path(__file__).parent


def settings() -> str:
    """Return the settings of each section with their defaults."""
    rows = [f"| `{name}` | {_fields(section)} |" for name, section in config.SECTIONS.items()]
    return "\n".join(["| section | settings and their defaults |", "|---|---|", *rows])


def served() -> str:
    """Return the settings of a model behind an endpoint with their defaults."""
    return f"| settings and their defaults |\n|---|\n| {_fields(ServedModel)} |"


def _fields(section: type) -> str:
    """Return the settings of a section with their defaults."""
    fields = []
    for field in dataclasses.fields(section):
        needed = field.default is field.default_factory is dataclasses.MISSING
        shown = "" if needed or field.default is dataclasses.MISSING else _value(field.default)
        fields.append(f"`{field.name}{': ' + shown if shown else ''}`{' (needed)' * needed}")
    return ", ".join(fields)


def parameters() -> str:
    """Return the parameters of both pipelines."""
    rows = []
    for row in sorted(TABLE, key=lambda row: row.name):
        pipelines = "both" if len(row.pipelines) > 1 else f"`{row.pipelines[0]}`"
        default = "needed" if row.default is NEEDED else _value(row.default)
        rows.append(f"| `{row.name}` | {pipelines} | {default} | {row.meaning} |")
    return "\n".join(["| parameter | of | default | |", "|---|---|---|---|", *rows])


def exit_codes() -> str:
    """Return what each exit code says."""
    rows = [f"| {code} | {meaning} |" for code, meaning in exits.MEANINGS.items()]
    return "\n".join(["| exit code | |", "|---|---|", *rows])


def messages() -> str:
    """Return every message that is raised on purpose, with its remedy."""
    return str(runpy.run_path(str(DOCS / "messages.py"))["table"]())


def metrics() -> str:
    """Return what each metric is."""
    named = [(f"`{name}`{' *' * metric.usual}", metric) for name, metric in CATALOGUE.items()]
    rows = [_metric(name, metric, metric.reference) for name, metric in named]
    rows += [_metric(f"`{spec.name}`", spec, "") for spec in LIKELIHOOD]
    head = "| name | what it is | better | kind | scale | equals |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def rendered(name: str, text: str, table: str) -> str:
    """Return a page with the table behind its marker."""
    pattern = rf"(<!-- {name} -->\n)(\n\|.*?\n(?=\n|\Z))?"
    return re.sub(pattern, lambda match: f"{match[1]}\n{table}\n", text, count=1, flags=re.DOTALL)


def with_help(text: str) -> str:
    """Return a page with the help of the command behind each of its help markers."""
    os.environ |= {"COLUMNS": "90", "NO_COLOR": "1"}
    pattern = r"<!-- help ([a-z ]+) -->\n(\n```text\n.*?\n```\n)?"

    def shown(found: re.Match[str]) -> str:
        help_text = io.StringIO()
        with contextlib.redirect_stdout(help_text), contextlib.suppress(SystemExit):
            main([*found[1].split(), "--help"])
        return f"<!-- help {found[1]} -->\n\n```text\n{help_text.getvalue().strip()}\n```\n"

    return re.sub(pattern, shown, text, flags=re.DOTALL)


def pages() -> dict[Path, str]:
    """Return the text that each page with a table, and the report's schema, should have."""
    tables = {
        ("run.md", "settings"): settings(),
        ("run.md", "exits"): exit_codes(),
        ("served.md", "served"): served(),
        ("pipelines.md", "parameters"): parameters(),
        ("troubleshooting.md", "messages"): messages(),
        ("metrics.md", "metrics"): metrics(),
    }
    texts = {path: with_help(path.read_text()) for path in sorted(DOCS.glob("*.md"))}
    for (page, name), table in tables.items():
        texts[DOCS / page] = rendered(name, texts[DOCS / page], table)
    schema = runpy.run_path(str(DOCS / "schema.py"))
    return texts | {schema["PATH"]: schema["schema"]()}


def _metric(name: str, spec: MetricSpec, reference: str) -> str:
    scale = f"{spec.scale[0]:g} to {spec.scale[1]:g}" if spec.scale else ""
    return f"| {name} | {spec.meaning} | {spec.direction} | {spec.kind} | {scale} | {reference} |"


def _value(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
