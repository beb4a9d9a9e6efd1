"""What an endpoint was asked for and gave, row by row: what is paid for is kept, whatever comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay import store
from assay.records import NO_ANSWER, Prediction, Sample, Served
from assay.served.cut import silently_cut
from assay.served.settings import ServedModel

LOG = "asked.jsonl"
MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class AskedRow:
    """One sample's answer and what it took: so many `attempts`, and tokens over all of them,
    `estimated` where the endpoint counted none. `detail` says why there is no answer; `sent` is the
    size of the prompt in bytes; `again` says that the sample was asked a second time, only to see
    whether the answer is the same."""

    prediction: Prediction
    attempts: int
    prompt_tokens: int
    output_tokens: int
    estimated: bool
    sent: int
    detail: str = ""
    again: bool = False

    @property
    def failed(self) -> str:
        """The cause why the endpoint gave no answer, "" where it gave one."""
        cause = self.prediction.unanswered
        return cause.removeprefix(NO_ANSWER) if cause.startswith(NO_ANSWER) else ""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a log holds: the last row of each sample, the same of those asked again, and all that
    was paid for, over every row."""

    rows: dict[str, AskedRow]
    again: dict[str, AskedRow]
    paid: Sequence[int]
    estimated: bool

    @property
    def failed(self) -> Counter[str]:
        """How many samples have no answer, by cause."""
        return Counter(row.failed for row in self.rows.values() if row.failed)


def read(path: Path) -> Answered:
    """Return what the log at `path` holds, nothing where there is none."""
    rows: dict[str, AskedRow] = {}
    again: dict[str, AskedRow] = {}
    paid, estimated = [0, 0, 0], False
    for row in store.read_rows(path, AskedRow) if path.is_file() else ():
        (again if row.again else rows)[row.prediction.id] = row
        taken = (row.attempts, row.prompt_tokens, row.output_tokens)
        paid = [before + more for before, more in zip(paid, taken, strict=True)]
        estimated |= row.estimated
    return Answered(rows=rows, again=again, paid=paid, estimated=estimated)


def cut_prompts(samples: Iterable[Sample], answered: Answered) -> list[str]:
    """Return the ids of the samples whose prompt the endpoint seems to have cut without a word."""
    rows = [answered.rows[sample.id] for sample in samples]
    sizes = [(row.sent, row.prediction.prompt_tokens) for row in rows]
    flags = silently_cut(sizes)
    return [row.prediction.id for row, flag in zip(rows, flags, strict=True) if flag]


def sum_up(
    model: ServedModel, answered: Answered, dropped: Sequence[str], cut: Sequence[str]
) -> Served:
    """Return how the endpoint answered."""
    requests, prompt, output = answered.paid
    same = sum(_same(row, answered.rows[id_]) for id_, row in answered.again.items())
    return Served(
        endpoint=model.endpoint.rstrip("/"),
        dropped=tuple(dropped),
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
    )


def _same(one: AskedRow, other: AskedRow) -> bool:
    left, right = one.prediction, other.prediction
    return (left.thought, left.output) == (right.thought, right.output)
