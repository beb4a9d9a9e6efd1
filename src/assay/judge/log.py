"""The verdict log: append-only, one row a verdict, each under the key of all it depends on.

The last row of an id is the one that counts. A plan keeps that true when rubric, model or
prediction change: what was paid for under the present key and is shadowed by a later row is
appended again, and where there is nothing yet, a row says so (not_judged).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from assay import store
from assay.judge.contract import VERSION
from assay.judge.rubric import Rubric
from assay.judge.settings import JudgeSettings
from assay.records import Prediction, Sample, Verdict

NOT_JUDGED = "not_judged"

Case = tuple[Sample, Prediction]


def verdicts(path: Path) -> dict[str, Verdict]:
    """Return id -> the verdict that counts, from a verdicts.jsonl. Raises InputError."""
    return {verdict.id: verdict for verdict in store.read_rows(path, Verdict)}


def identity(settings: JudgeSettings, rubric: Rubric) -> str:
    """Return the digest of all that a verdict depends on but the case: the parser's version, the
    rubric, the model and its parameters. The endpoint's address is not part of it."""
    asked = [settings.model, settings.temperature, settings.max_tokens]
    parts = [VERSION, rubric.digest, *asked, settings.repeats, settings.one_call_each]
    return hashlib.sha256(store.to_json(parts)).hexdigest()


def key(identity: str, case: Case) -> str:
    """Return the key of one verdict: `identity` and everything in the case that is shown."""
    sample, prediction = case
    shown = [identity, sample.messages, sample.tools, sample.target, prediction.output]
    shown += [prediction.unanswered] if prediction.unanswered else []
    return hashlib.sha256(store.to_json(shown)).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which ids are still to be judged, how many have their verdict, and the rows to append first
    so that the last row of each id is true."""

    todo: frozenset[str]
    done: int
    rows: tuple[Verdict, ...]


def plan(
    path: Path,
    cases: Iterable[tuple[str, Case]],
    names: Iterable[str],
    *,
    most: int = 0,
    only_failed: bool = False,
) -> Plan:
    """Return what is left to do for the first `most` (0: all) of `cases` (key, case), given the
    log in `path`; `names` are the dimensions.

    A case is left while it has no row under its key in which every dimension is scored; with
    `only_failed` only where such a row was tried and failed. Raises InputError where the log is
    not one of verdicts.
    """
    last, paid, failed = _index(path)
    todo, done, shadowed, stale = set(), 0, set(), []
    for number, (key, (sample, _)) in enumerate(cases):
        wanted = not most or number < most
        is_last = last.get(sample.id, key) == key
        if key in paid:
            done += wanted
            if not is_last:
                shadowed.add(key)
            continue
        if wanted and (not only_failed or key in failed):
            todo.add(sample.id)
        if not is_last:
            stale.append(not_judged(sample.id, key, names))
    again = _rows_of(path, shadowed)
    return Plan(todo=frozenset(todo), done=done, rows=(*stale, *again))


def _index(path: Path) -> tuple[dict[str, str], set[str], set[str]]:
    last: dict[str, str] = {}
    paid: set[str] = set()
    failed: set[str] = set()
    for verdict in store.read_rows(path, Verdict) if path.exists() else ():
        last[verdict.id] = verdict.key
        if not verdict.unscored:
            paid.add(verdict.key)
        elif NOT_JUDGED not in verdict.unscored.values():
            failed.add(verdict.key)
    return last, paid, failed - paid


def _rows_of(path: Path, keys: set[str]) -> list[Verdict]:
    if not keys:
        return []
    rows = store.read_rows(path, Verdict)
    found = {row.key: row for row in rows if row.key in keys and not row.unscored}
    return list(found.values())


def carry_over(judged: Path, log: Path) -> None:
    """Append to `log` the verdicts that `judged` has and it lacks: nothing is paid for them."""
    lacking = _index(judged)[1] - _index(log)[1]
    if lacking:
        with store.appending(log) as file:
            for row in _rows_of(judged, lacking):
                store.append(file, replace(row, attempts=0, prompt_tokens=0, output_tokens=0))


def not_judged(
    id: str,  # noqa: A002
    key: str,
    names: Iterable[str],
    cause: str = NOT_JUDGED,
) -> Verdict:
    """Return the row of a case that was not asked for: no score, and nothing paid."""
    unscored = dict.fromkeys(names, cause)
    return Verdict(id=id, key=key, values={}, unscored=unscored, attempts=0)
