"""What an endpoint was asked for and gave, row by row: what is paid for is kept, whatever comes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay import store
from assay.records import Prediction, Served
from assay.served.cut import silently_cut
from assay.served.settings import ServedModel

LOG = "asked.jsonl"
MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class AskedRow:
    """One sample's answer and what it took: so many `attempts`, and tokens over all of them,
    `estimated` where the endpoint counted none. `dropped` is what the endpoint
    had refused of what was asked for. `failed` is the cause why there is no answer, ""
    where there is one, and `detail` what was said of it; `sent` is the size of the prompt in bytes;
    `again` says that the sample was asked a second time, only to see whether the answer is the
    same. `model` is what the endpoint calls the model that answered, "" where it does not say, and
    `endpoint` its base URL, "" in a log from before it was kept."""

    prediction: Prediction
    attempts: int
    prompt_tokens: int
    output_tokens: int
    estimated: bool
    sent: int
    dropped: Sequence[str] = ()
    failed: str = ""
    detail: str = ""
    again: bool = False
    model: str = ""
    endpoint: str = ""


@dataclass(frozen=True, kw_only=True)
class AskedLog:
    """What a log holds: the last row of each sample, which is read when it is asked for, those of
    samples that were asked again, the cause of each sample that is `failing`, all that was paid
    for, and `dropped`, over every row, and the model and endpoint of each answer (`named`)."""

    rows: Mapping[str, AskedRow]
    again: Mapping[str, AskedRow]
    failing: Mapping[str, str]
    paid: Sequence[int]
    estimated: bool
    dropped: Sequence[str]
    named: Mapping[str, tuple[str, str]]

    @property
    def failed(self) -> Counter[str]:
        """How many samples have no answer, by cause."""
        return Counter(self.failing[id_] for id_ in self.rows if id_ in self.failing)

    def has(self, id_: str) -> bool:
        """Whether a sample has its answer."""
        return id_ in self.rows and id_ not in self.failing


def read(path: Path) -> AskedLog:
    """Return what the log at `path` holds, nothing where there is none."""
    starts: dict[str, int] = {}
    again: dict[str, AskedRow] = {}
    failing: dict[str, str] = {}
    paid, estimated = [0, 0, 0], False
    dropped: set[str] = set()
    named: dict[str, tuple[str, str]] = {}
    for start, row in store.placed_rows(path, AskedRow) if path.is_file() else ():
        if row.again:
            again[row.prediction.id] = row
        else:
            starts[row.prediction.id] = start
            _note(failing, row)
            named[row.prediction.id] = sys.intern(row.model), sys.intern(row.endpoint)
        taken = (row.attempts, row.prompt_tokens, row.output_tokens)
        paid = [before + more for before, more in zip(paid, taken, strict=True)]
        estimated |= row.estimated
        dropped.update(row.dropped)
    rows = store.PlacedRows(path, AskedRow, starts) if starts else {}
    return AskedLog(
        rows=rows,
        again=again,
        failing=failing,
        paid=paid,
        estimated=estimated,
        dropped=sorted(dropped),
        named={id_: names for id_, names in named.items() if id_ not in failing},
    )


def _note(failing: dict[str, str], row: AskedRow) -> None:
    if row.failed:
        failing[row.prediction.id] = row.failed
    else:
        failing.pop(row.prediction.id, None)


def cut_prompts(ids: Callable[[], Iterable[str]], answered: AskedLog) -> list[str]:
    """Return the ids of the samples whose prompt the endpoint seems to have cut without a word."""
    rows = (answered.rows[id_] for id_ in ids())
    flags = silently_cut([(row.sent, row.prediction.prompt_tokens) for row in rows])
    return [id_ for id_, flag in zip(ids(), flags, strict=True) if flag]


def sum_up(model: ServedModel, answered: AskedLog, cut: Sequence[str]) -> Served:
    """Return how the endpoint answered."""
    requests, prompt, output = answered.paid
    same = sum(_same(row, answered.rows[id_]) for id_, row in answered.again.items())
    return Served(
        endpoint=model.endpoint.rstrip("/"),
        dropped=tuple(answered.dropped),
        failed=dict(sorted(answered.failed.items())),
        requests=requests,
        prompt_tokens=prompt,
        output_tokens=output,
        estimated=answered.estimated,
        cost=model.price.of(prompt, output) if model.price else None,
        cut=tuple(cut[:MOST_NAMED]),
        cut_count=len(cut),
        repeated=len(answered.again),
        repeated_same=same,
        models=_counted(model for model, _ in answered.named.values()),
        endpoints=_counted(endpoint for _, endpoint in answered.named.values()),
    )


def _counted(names: Iterable[str]) -> dict[str, int]:
    """Return how often each name is there, the most frequent ones in the order of their first."""
    counts = Counter(filter(None, names))
    most = dict(counts.most_common(MOST_NAMED))
    return {name: count for name, count in counts.items() if name in most}


def _same(one: AskedRow, other: AskedRow) -> bool:
    left, right = one.prediction, other.prediction
    return (left.thought, left.output) == (right.thought, right.output)
