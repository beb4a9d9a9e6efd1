"""An append-only file is taken up where it is whole, and read only at its end to know that."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import progress, store
from assay.progress import Progress
from assay.store import log
from assay.store.merge import join
from tests.needs import need

COUNTS = Path("/proc/self/io")


@given(
    whole=st.lists(st.text(alphabet="ab", max_size=12), max_size=6),
    torn=st.text(alphabet="ab", max_size=12),
    block=st.integers(1, 8),
)
def test_a_torn_line_of_any_length_is_cut_off(whole: list[str], torn: str, block: int) -> None:
    lines = "".join(f"{line}\n" for line in whole)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "BLOCK", block)
        path = Path(folder) / "log.jsonl"
        path.write_text(lines + torn)
        with store.appending(path) as file:
            store.append(file, 1)
        assert path.read_text() == f"{lines}1\n"


@pytest.mark.parametrize(
    ("end", "kept"),
    [('{"a": 3}', 3), ('{"a": 3', 2), ('{"a": [3', 2), ("3", 2), ('"a"', 2), ("[3]", 2), ("", 2)],
)
def test_a_last_row_that_is_whole_is_kept_without_its_newline(
    end: str, kept: int, tmp_path: Path
) -> None:
    path, other = tmp_path / "log.jsonl", tmp_path / "other.jsonl"
    path.write_text(f'{{"a": 1}}\n{{"a": 2}}\n{end}')
    other.write_text('{"a": 1}\n{"a": 9}\n')
    assert len(list(store.read_rows(path, dict))) == kept
    join(other, path.read_bytes())
    assert len(list(store.read_rows(other, dict))) == kept + 1
    with store.appending(path) as file:
        store.append(file, {"a": 4})
    assert [row["a"] for row in store.read_rows(path, dict)] == [*[1, 2, 3][:kept], 4]


def test_an_event_costs_no_reading_of_those_before_it(tmp_path: Path) -> None:
    need(COUNTS.is_file(), "needs /proc/self/io, which counts what a process reads")
    path = tmp_path / "progress.jsonl"
    path.write_text("x" * 1023 + "\n")
    with path.open("ab") as file:
        file.write(path.read_bytes() * 8191)  # 8 MiB
    listen = progress.to_file(path)
    before = read_so_far()
    for _ in range(8):
        listen(Progress(stage="judge"))
    assert read_so_far() - before < 16 * log.BLOCK


def read_so_far() -> int:
    return int(COUNTS.read_text().split()[1])
