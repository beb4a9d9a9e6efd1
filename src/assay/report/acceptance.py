"""`assay accept`: a run's candidate becomes the one that later runs are compared with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from assay import store
from assay.errors import InputError, SettingsError
from assay.folder import CONFIG, REPORT_JSON
from assay.gate import FOREIGN, called
from assay.report import objects
from assay.report.contents import Acceptance, Record
from assay.report.files import read_config
from assay.report.objects import Names
from assay.text import one_line

_MOST = 1_000

T = TypeVar("T")


def accept(run: str, *, by: str, why: str, anyway: bool = False) -> tuple[Acceptance, bool]:
    """Record in the history of `run`, a run folder or its URI, that its candidate was accepted, and
    return that, and whether it is new: the last accepted one is not accepted again.

    Raises InputError for a run that was not finished, is in no history, or whose gate did not say
    GO by the run's own rules, unless `anyway`; and for a history whose last acceptance cannot be
    read.
    """
    by, why = _line(by, "--by"), _line(why, "--why")
    history, report = _history_of(run), _report_of(run)
    names = objects.names(history)
    record = _record(run, history, names, str(report["id"]))
    gate = report["gate"] or {}
    decision = str(gate.get("decision", ""))
    acceptance = Acceptance(
        run=record.id,
        name=record.name,
        digest=record.digests.get("candidate", ""),
        time=objects.told(datetime.now(UTC)),
        by=by,
        why=why,
        gate=decision,
        anyway=_is_against(run, decision, foreign=bool(gate.get("foreign")), anyway=anyway),
    )
    if names.acceptances:
        last = objects.read_acceptance(history, names.acceptances[-1])
        if last.run == record.id:
            return last, False
    objects.write_acceptance(history, acceptance)
    return acceptance, True


def _line(text: str, option: str) -> str:
    line = one_line(text)
    if not line or len(line) > _MOST:
        raise SettingsError(
            f"{option} has {len(line):,} characters", f"Write between 1 and {_MOST:,} of them"
        )
    return line


def _history_of(run: str) -> str:
    history = _read(run, CONFIG, "a run's configuration", read_config).get("history")
    if not isinstance(history, str) or not history:
        raise InputError(
            f"{run}/{CONFIG} names no history, so that no later run would be compared with it",
            "Run it again with `history`, and accept that",
        )
    return history


def _report_of(run: str) -> dict[str, Any]:
    report = _read(run, REPORT_JSON, "a report, so the run was not finished", store.read_json)
    if not isinstance(report, dict) or not {"id", "gate"} <= set(report):
        raise InputError(f"{run}/{REPORT_JSON} is no report of a run", "Write it again: assay run")
    return report


def _read(run: str, name: str, what: str, read: Callable[[Path], T]) -> T:
    uri = f"{run.rstrip('/')}/{name}"
    if not store.exists(uri):
        raise InputError(f"{uri} is not there: {run} has not {what}", "Finish it: assay run")
    with store.fetched(uri) as path:
        return read(path)


def _record(run: str, history: str, names: Names, id_: str) -> Record:
    """Return the record of a run whose scores are in the history too."""
    records = [name for name in names.records if objects.run_of(name) == id_]
    scores = [name for name in names.scores if objects.run_of(name) == id_]
    if not records or not scores:
        raise InputError(
            f"the history {history} has no {'scores' if records else 'record'} of {run}",
            "Do the same `assay run` again: it resumes, and puts itself there",
        )
    objects.read_scores(history, scores[0])
    return objects.read_record(history, records[0])


def _is_against(run: str, decision: str, *, foreign: bool, anyway: bool) -> bool:
    """Return whether the run is accepted against what its gate decided, or by other rules than its
    own."""
    if decision == "" or (decision == "GO" and not foreign):
        return False
    if not anyway:
        told = called(decision) + (FOREIGN if foreign else "")
        raise InputError(
            f"the gate of {run} says {told}",
            "See its report, or accept it all the same with --anyway, which is recorded",
        )
    return True
