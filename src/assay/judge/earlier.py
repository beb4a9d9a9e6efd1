"""The keys that verdicts had before `max_tokens`, and what else changes no finished verdict, were
taken out of them: what was paid for under these is found, and kept under the present ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from assay import settings as settings_of
from assay import store
from assay.folder import CONFIG, JUDGE
from assay.judge.contract import VERSION
from assay.judge.log import as_asked, identity, rows
from assay.judge.rubric import Rubric
from assay.judge.settings import JudgeSettings
from assay.records import Verdict


def identities(settings: JudgeSettings, rubric: Rubric, log: Path | None = None) -> tuple[str, ...]:
    """Return what the identity of these verdicts may have been, where it was another one: with the
    present `max_tokens`, or one that was in force when the `log` was written."""
    asked = [settings.model, settings.temperature]
    names = []
    for limit in dict.fromkeys([settings.max_tokens, *(_limits(log) if log else ())]):
        parts: list[object] = [VERSION, rubric.digest, *asked, limit]
        parts += [settings.repeats, settings.one_call_each]
        parts += [settings.extra_body] if settings.extra_body else []
        names.append(hashlib.sha256(store.to_json(parts)).hexdigest())
    return tuple(name for name in names if name != identity(settings, rubric))


def adopt(log: Path, renamed: Mapping[str, str]) -> None:
    """Append to `log` what it has under the keys in `renamed` (the earlier one -> the present one)
    and not under the present ones: as it was, and nothing is paid for it. Raises InputError."""
    known, kept = set(), dict[tuple[str, str], Verdict]()
    for row in rows(log):
        known.add((row.id, row.key, not row.unscored))
        name, _, behind = row.key.partition(" ")
        if name in renamed:
            key = as_asked(renamed[name], [each[1:] for each in behind.split()])
            before = kept.get((row.id, key))
            if not before or before.unscored or not row.unscored:
                kept[row.id, key] = replace(row, key=key, cost=0.0)
    lacking = [
        row
        for row in kept.values()
        if not {(row.id, row.key, True), (row.id, row.key, not row.unscored)} & known
    ]
    if lacking:
        with store.appending(log) as file:
            for row in lacking:
                store.append(file, row)


def _limits(log: Path) -> Iterator[int]:
    """Yield what `max_tokens` was when the judge.json beside a log, or those of the sides beside a
    log of pairs, were written, and what the run folder's configuration says."""
    summaries = [log.with_name(JUDGE), *log.parent.glob(f"*/{JUDGE}")]
    configs = [folder / CONFIG for folder in list(log.parents)[:4]]
    for path in filter(Path.is_file, (*summaries, *configs)):
        try:
            text = path.read_text(encoding="utf-8")
            is_summary = path.name == JUDGE
            judged = json.loads(text) if is_summary else settings_of.from_yaml(text)["judge"]
            yield int(judged["max_tokens"])
        except (KeyError, TypeError, ValueError):
            continue  # the default, whose keys are the present ones, or of no use
