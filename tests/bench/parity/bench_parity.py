"""Answers of one real model, served rightly and wrongly, as its weights read them, as Markdown:
`python -m tests.bench parity`. By this table docs/served.md sets what separates the causes.

Seeded; in minutes on two cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from assay.demo.base_model import base_model
from assay.engine.likeness import is_as_written, likeness
from assay.llamafactory.prompts import Coder
from assay.records import Likeness, Prediction, Sample, Served
from assay.report.contents import Parity
from assay.report.parity import sum_up
from tests.end_to_end.ways_of_serving import WAYS, Way, answers, loaded, samples

ASKED, LIMIT = 12, 24
REPEATS = Served(endpoint="http://h/v1", repeated=5, repeated_same=5)
READERS = ("rightly, in one batch", "in bfloat16")  # the weights may also be read in bfloat16


def rows(model: Any, coding: Coder) -> Iterator[str]:
    """Yield a row for each way of serving."""
    asked = samples(ASKED)
    own: list[Prediction] = []
    reader = WAYS["in bfloat16"].change(model)
    for way in WAYS.values():
        given = answers(way, way.change(model), coding, asked, LIMIT)
        own = own or given
        yield _row(way.name, _parity(way, given, own, _read(model, coding, asked, given)))
        if way.name in READERS:
            again = _read(reader, coding, asked, given)
            yield _row(f"{way.name}, read in bfloat16", _parity(way, given, own, again))


def _read(
    model: Any, coding: Coder, asked: Sequence[Sample], given: Sequence[Prediction]
) -> list[Likeness]:
    pairs = zip(asked, given, strict=True)
    return [likeness(model, coding, *pair) for pair in pairs if is_as_written(coding, pair[1])]


def _parity(
    way: Way, given: Sequence[Prediction], own: Sequence[Prediction], read: Sequence[Likeness]
) -> Parity:
    drawn = bool(way.decoding.get("do_sample"))
    served = replace(REPEATS, repeated_same=0) if drawn else REPEATS
    return sum_up("candidate", served, list(zip(given, own, strict=True)), read)


def _row(name: str, parity: Parity) -> str:
    penalty = f" (penalty {parity.penalty:g})" if parity.penalty else ""
    return (
        f"| {name} | {parity.same} of {parity.answered} | {parity.counts_differ} | "
        f"{parity.first or 0:.1%} | {parity.regret or 0:.4f} | {parity.cause}{penalty} |"
    )


def main() -> None:
    """Print the table."""
    print("| served | same answers | other prompts | first choices | nats a token | cause |")
    print("|---|---|---|---|---|---|")
    for row in rows(*loaded(base_model())):
        print(row, flush=True)


if __name__ == "__main__":
    main()
