"""What is evaluated is read where it is asked for: in memory is where each sample is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assay import dataset, store
from assay.folder import LIKELIHOOD, RESULTS
from assay.llamafactory.evaluate import gather
from assay.llamafactory.order import in_order, of_share
from assay.records import Likelihood, Message, Sample
from assay.share import WHOLE
from tests.memory import peak

COUNT, BYTES = 2000, 5000
MOST = COUNT * BYTES // 4
"""A fourth of the samples' text."""


def sample(number: int) -> Sample:
    text = f"{number:04} " * (BYTES // 5 - number % 7)
    return Sample(id=f"s{number}", messages=(Message(role="user", content=text),), target="On.")


def samples() -> Iterator[Sample]:
    return map(sample, range(COUNT))


@pytest.fixture(name="path")
def make_path(tmp_path: Path) -> Path:
    store.write_rows(tmp_path / "samples.jsonl", samples())
    return tmp_path / "samples.jsonl"


def test_the_order_of_evaluation_is_places_in_the_file(path: Path) -> None:
    found = of_share(path, WHOLE, 8)  # the first reader of a kind of row is made
    assert peak(lambda: of_share(path, WHOLE, 8)) < MOST
    assert peak(lambda: sum(len(row.target) for row in found)) < MOST
    wanted = in_order(samples())
    assert list(found) == wanted
    assert [found.at(place) for place in (0, 7, COUNT - 1)] == [wanted[0], wanted[7], wanted[-1]]
    assert list(found.as_filed()) == list(samples())


def test_the_data_of_llamafactory_is_written_as_it_comes(path: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    rows = of_share(path, WHOLE, 8)
    few = peak(lambda: dataset.to_llamafactory((sample(1) for _ in range(10)), tmp_path, "few"))
    assert peak(lambda: dataset.to_llamafactory(rows, tmp_path, "eval")) < few + 3 * MOST
    table = parquet.read_table(tmp_path / "eval.parquet")
    turns = [row[0]["value"] for row in table.column("conversations").to_pylist()]
    assert turns == [row.messages[0].content for row in rows]


def test_what_was_measured_is_gathered_in_the_files_order(path: Path, tmp_path: Path) -> None:
    rows = of_share(path, WHOLE, 8)
    store.write_json(tmp_path / "evaluation" / RESULTS, {"eval_loss": 0.5})
    halves = (lambda row: int(row.id[1:]) % 2, lambda row: not int(row.id[1:]) % 2)
    for rank, half in enumerate(halves):
        part = (Likelihood(id=row.id, values={"eval_loss": 0.5}, tokens=2) for row in rows)
        store.write_rows(tmp_path / f"likelihood-{rank}.jsonl", filter(half, part))
    gather(rows.as_filed(), tmp_path)
    assert peak(lambda: gather(rows.as_filed(), tmp_path)) < MOST
    found = [row.id for row in store.read_rows(tmp_path / LIKELIHOOD, Likelihood)]
    assert found == [row.id for row in samples()]
    assert store.read_json(tmp_path / RESULTS)["eval_token_loss"] == 0.5
