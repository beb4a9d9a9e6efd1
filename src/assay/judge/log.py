"""The verdict log: append-only, one row a verdict, each under the key of all it depends on.

The last row of an id is the one that counts. What is pending keeps that true when rubric, model or
prediction change: what was paid for under the present key and is shadowed by a later row is
appended again, and where there is nothing yet, a row says so (not_judged).

Samples with the same prompt, target and answer are twins: they have one key, so one of them is
asked about, and the others get a copy of its verdict.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec

from assay import store
from assay.judge.contract import VERSION
from assay.judge.rubric import Rubric
from assay.judge.settings import JudgeSettings
from assay.records import Case, Verdict

NOT_JUDGED = "not_judged"
# of extra_body: whose the request is, how it is paid, routed and kept, and how much may be written
BESIDE = {
    *("user", "user_id", "safety_identifier", "metadata", "request_id"),
    *("service_tier", "priority", "store", "keep_alive"),
    *("prompt_cache_key", "prompt_cache_retention", "cache_salt"),
    *("max_new_tokens", "max_output_tokens"),
}
_LIMIT = 512  # where judge.max_tokens once stood: what was paid for at its default is found

RowKey = tuple[str, str]  # id and key
Asked = ParamSpec("Asked")


def alone(judging: Callable[Asked, None]) -> Callable[Asked, None]:
    """Keep other processes out of the folder of the log `out` that `judging` has as an argument,
    while it judges: two at once would both pay. They get an InUseError."""
    parameters = inspect.signature(judging)

    @functools.wraps(judging)
    def judge_alone(*args: Asked.args, **kwargs: Asked.kwargs) -> None:
        out: Path = parameters.bind(*args, **kwargs).arguments["out"]
        with store.held(out.parent):
            judging(*args, **kwargs)

    return judge_alone


class _Verdicts(store.PlacedRows[Verdict]):
    def __getitem__(self, name: str) -> Verdict:
        return _of_today(super().__getitem__(name))


def verdicts(path: Path) -> Mapping[str, Verdict]:
    """Return id -> the verdict that counts, from a verdicts.jsonl, where each stays until it is
    asked for. Raises InputError."""
    starts = {row.id: start for start, row in store.placed_rows(path, Verdict)}
    return _Verdicts(path, Verdict, starts)


def rows(path: Path) -> Iterator[Verdict]:
    """Yield the rows of a log, the oldest first. Raises InputError."""
    return map(_of_today, store.read_rows(path, Verdict))


def _of_today(row: Verdict) -> Verdict:
    # once part of the key: that an endpoint takes no limit changes no finished verdict
    return replace(row, key=row.key.replace(" -limit", "")) if " -limit" in row.key else row


def identity(settings: JudgeSettings, rubric: Rubric, dropped: Sequence[str] = ()) -> str:
    """Return the digest of all that a finished verdict depends on but the case: the parser's
    version, the rubric, the model and its parameters; behind it, what the endpoint refused and was
    `dropped`. Neither the endpoint's address is part of it nor `max_tokens`."""
    asked = [settings.model, settings.temperature, _LIMIT]
    apart = settings.one_call_each and len(rubric.dimensions) > 1
    parts: list[object] = [VERSION, rubric.digest, *asked, settings.repeats, apart]
    body = {name: value for name, value in settings.extra_body.items() if name not in BESIDE}
    parts += [_sorted(body)] if body else []
    return as_asked(hashlib.sha256(store.to_json(parts)).hexdigest(), dropped)


def _sorted(value: object) -> object:
    """Return what goes into a body with its names in one order, whatever they came in."""
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list | tuple) else value


def as_asked(key: str, dropped: Sequence[str]) -> str:
    """Return a key or an identity with what was `dropped` behind it, in place of what stood there:
    a verdict that was asked for otherwise is another one."""
    return " ".join((key.partition(" ")[0], *(f"-{name}" for name in dropped)))


def judge_of(identity: str) -> str:
    """Return the part of an identity that is the same whatever the endpoint refused."""
    return identity.partition(" ")[0]


def dropped_in(path: Path, keys: Iterable[str]) -> tuple[str, ...] | None:
    """Return what was dropped when verdicts under one of the `keys`, whatever stands behind it,
    were paid for last; None where the log has none of them."""
    paid: dict[str, str] = {}
    for row in rows(path) if path.exists() else ():
        if row.attempts and not row.unscored:
            name, _, behind = row.key.partition(" ")
            paid[name] = behind
    names = (key.partition(" ")[0] for key in keys)
    last = next((paid[name] for name in names if name in paid), None) if paid else None
    return None if last is None else tuple(name[1:] for name in last.split())


def key(identity: str, case: Case) -> str:
    """Return the key of one verdict: `identity` and everything in the case that is shown; behind
    it, what stands behind the identity."""
    sample, prediction = case
    shown = [sample.messages, sample.tools, sample.target, prediction.output]
    shown += [prediction.unanswered] if prediction.unanswered else []
    return key_to(identity, shown)


def key_to(identity: str, shown: Sequence[object], mode: str = "") -> str:
    """Return the key of a verdict that is asked for in a `mode` on all that is `shown`; behind it,
    what stands behind the identity."""
    name, _, behind = identity.partition(" ")
    digest = hashlib.sha256(store.to_json([f"{mode}{name}", *shown])).hexdigest()[:32]
    return f"{digest} {behind}" if behind else digest


@dataclass(frozen=True, kw_only=True)
class Pending:
    """What is still to be judged: the id that is asked about -> its twins, which have the same key
    and get a copy of its verdict. How many ids have their verdict (`done`), and the rows to append
    first so that the last row of each id is true; of those still to be judged, which are `told` of
    already, by a row that failed or says that they were not judged."""

    todo: Mapping[str, Sequence[str]]
    done: int
    rows: tuple[Verdict, ...]
    told: Set[str] = frozenset()

    @property
    def left(self) -> int:
        """How many ids are to get a verdict."""
        return len(self.todo) + sum(map(len, self.todo.values()))


def pending(
    path: Path,
    cases: Iterable[tuple[str, Case]],
    names: Iterable[str],
    *,
    most: int = 0,
    only_failed: bool = False,
) -> Pending:
    """Return what is left to do for the first `most` (0: all) of `cases` (key, case), given the
    log in `path`; `names` are the dimensions.

    A case is left while no row under its key, its own or a twin's, has every dimension scored; with
    `only_failed` only where such a row was tried and failed. Raises InputError where the log is
    not one of verdicts.
    """
    contents = _contents(path)
    asked: dict[str, str] = {}
    todo: dict[str, Sequence[str]] = {}
    twins = defaultdict[str, list[str]](list)
    again: list[RowKey] = []
    stale, done = [], 0
    for number, (key, (sample, _)) in enumerate(cases):
        wanted = not most or number < most
        last = contents.last.get(sample.id)
        if (sample.id, key) in contents.paid or (wanted and key in contents.keys):
            done += wanted
            if last != (key, True):
                again.append((sample.id, key))
            continue
        if wanted and (not only_failed or key in contents.failed):
            first = asked.setdefault(key, sample.id)
            if first == sample.id:
                todo[first] = ()  # most have no twin
            else:
                twins[first].append(sample.id)
        if last and last[0] != key:
            stale.append(not_judged(sample.id, key, names))
    told = contents.last.keys()
    todo.update(twins)
    return Pending(todo=todo, done=done, rows=(*stale, *_rows_of(path, again)), told=told)


def bring(path: Path, todo: Pending, *summaries: Path) -> Pending:
    """Append the rows of `todo` to the log in `path`, and return it: from now on no verdict counts
    there that is of another key. What `summaries` say of it holds no longer: they are removed."""
    if todo.rows:
        for summary in summaries:
            summary.unlink(missing_ok=True)
    with store.appending(path) as file:
        for row in todo.rows:
            store.append(file, row)
    return todo


@dataclass(frozen=True, kw_only=True)
class _Contents:
    """What a log has: each id's last row, its key and whether it has every score; the rows that
    have every score, and their keys; and the keys that were only tried."""

    last: Mapping[str, tuple[str, bool]]
    paid: Set[RowKey]
    keys: Set[str]
    failed: Set[str]


def _contents(path: Path) -> _Contents:
    last: dict[str, tuple[str, bool]] = {}
    paid: set[RowKey] = set()
    keys: dict[str, str] = {}
    failed: set[str] = set()
    for verdict in rows(path) if path.exists() else ():
        last[verdict.id] = (verdict.key, not verdict.unscored)
        if not verdict.unscored:
            # one text a key, however many rows name it: a log may have millions
            paid.add((verdict.id, keys.setdefault(verdict.key, verdict.key)))
        elif NOT_JUDGED not in verdict.unscored.values():
            failed.add(verdict.key)
    return _Contents(last=last, paid=paid, keys=keys.keys(), failed=failed - keys.keys())


def _rows_of(path: Path, wanted: Sequence[RowKey]) -> list[Verdict]:
    """Return the `wanted` rows that have every score, in that order: each its own last one, or a
    copy of a twin's."""
    if not wanted:
        return []
    keys = {key for _, key in wanted}
    own: dict[RowKey, Verdict] = {}
    shared: dict[str, Verdict] = {}
    for row in rows(path):
        if row.key in keys and not row.unscored:
            own[row.id, row.key] = shared[row.key] = row
    return [own.get((id_, key)) or copied(shared[key], id_) for id_, key in wanted]


def copied(verdict: Verdict, id_: str) -> Verdict:
    """Return a verdict as that of the twin `id_`, for which nothing is paid."""
    return replace(
        verdict,
        id=id_,
        attempts=0,
        prompt_tokens=0,
        output_tokens=0,
        seconds=0.0,
        batch_prompt_tokens=0,
        batch_output_tokens=0,
        estimated=False,
        cost=None if verdict.cost is None else 0.0,
    )


def carry_over(judged: Path, log: Path) -> None:
    """Append to `log` the verdicts that `judged` has and it lacks: nothing is paid for them."""
    lacking = _contents(judged).paid - _contents(log).paid
    if lacking:
        with store.appending(log) as file:
            for row in _rows_of(judged, sorted(lacking)):
                store.append(file, copied(row, row.id))


def not_judged(
    id: str,  # noqa: A002
    key: str,
    names: Iterable[str],
    cause: str = NOT_JUDGED,
    why: str = "",
) -> Verdict:
    """Return the row of a case that was not asked for: no score, and nothing paid."""
    unscored = dict.fromkeys(names, cause)
    return Verdict(id=id, key=key, values={}, unscored=unscored, commentary=why, attempts=0)
