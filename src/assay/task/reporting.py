"""The last tasks: the run folder and its report, and the gate's decision."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import config as configuration
from assay import gate as gating
from assay import report as reporting
from assay import store
from assay.errors import GateError
from assay.folder import CONFIG, METRICS, REPORT_HTML, REPORT_MARKDOWN
from assay.settings import build
from assay.task.handover import handed, whole


def report(
    config: Mapping[str, Any], parts: Mapping[str, Sequence[str]], folder: Path
) -> reporting.Report:
    """Collect the run folder from artifact folders (subfolder -> sources), write the report, and
    return what it says."""
    for subfolder, sources in parts.items():
        for source in sources:
            if any(Path(source).glob("*")):  # a stage that had nothing to do left an empty folder
                index = shutil.ignore_patterns(store.INDEX)  # of the part, not of the whole
                shutil.copytree(source, folder / subfolder, dirs_exist_ok=True, ignore=index)
    asked = configuration.parse(whole(config))
    configuration.save(asked, folder / CONFIG)
    return reporting.report_in(asked.history, folder)


def decided(folder: Path) -> dict[str, Any]:
    """Return what the gate decided when the report of `folder` was written, {} without a gate."""
    told: dict[str, Any] = handed(store.read_json(folder / METRICS)["gate"] or {})
    return told


def gate(given: Mapping[str, Any]) -> None:
    """Print the gate's decision. Raises GateError where it is not GO."""
    if not given:
        print("no gate was asked for", flush=True)
        return
    decided = build(gating.Gate, whole(given), "gate")
    print(gating.describe(decided), flush=True)
    if decided.decision != "GO":
        raise GateError(
            f"The gate says {gating.headline(decided)}",
            "The report says why, rule by rule",
            exit_code=gating.EXIT_CODES[decided.decision],
        )


def publish(folder: Path, *, html: Path, markdown: Path) -> None:
    """Copy a run folder's report to where KFP's page shows it."""
    shutil.copy(folder / REPORT_HTML, html)
    shutil.copy(folder / REPORT_MARKDOWN, markdown)
