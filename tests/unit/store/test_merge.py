"""Two versions of a folder become one: what either side appended is there, in its order."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from assay.folder import PREDICTIONS, VERDICTS
from assay.store.merge import Sides, join, merge

ROWS = st.lists(st.sampled_from("abcdefgh"), max_size=6)


def write(path: Path, rows: list[str], torn: str = "") -> None:
    path.write_text("".join(f"{row}\n" for row in rows) + torn)


@given(ROWS, ROWS, ROWS, st.sampled_from(["", "torn"]))
def test_a_joined_log_has_the_rows_of_both(
    shared: list[str], ours: list[str], theirs: list[str], torn: str
) -> None:
    ours = [f"ours {row}" for row in ours]
    with tempfile.TemporaryDirectory() as name:
        log, other = Path(name) / "log", Path(name) / "other"
        write(log, [*shared, *ours], torn)
        write(other, [*shared, *theirs])
        join(log, other.read_bytes())
        rows = log.read_text().splitlines()
        assert rows == [*shared, *theirs, *ours]
        join(log, other.read_bytes())
        assert log.read_text().splitlines() == rows


CHANGES = st.sampled_from(["no", "here", "there", "both", "removed there", "changed and removed"])


@given(st.dictionaries(st.sampled_from(["a", "b/c", VERDICTS, f"b/{PREDICTIONS}"]), CHANGES))
def test_each_file_is_what_was_changed_last_and_no_row_is_lost(changes: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        here, there = Path(name) / "here", Path(name) / "there"
        sides: dict[str, set[str]] = {"here": set(), "there": set(), "ours": set(), "theirs": set()}
        for file, change in changes.items():
            (here / file).parent.mkdir(parents=True, exist_ok=True)
            (there / file).parent.mkdir(parents=True, exist_ok=True)
            mine = change in ("here", "both", "changed and removed")
            write(here / file, ["first", "ours"] if mine else ["first"])
            sides["here"].add(file)
            sides["ours"] |= {file} if mine else set()
            if "removed" not in change:
                sides["there"].add(file)
            if change in ("there", "both"):
                sides["theirs"].add(file)
                write(there / file, ["first", "theirs"])
        merge(Sides(**sides), here.joinpath, there.joinpath)
        for file, change in changes.items():
            wanted = {
                "no": ["first"],
                "here": ["first", "ours"],
                "there": ["first", "theirs"],
                "both": ["first", "theirs", *(["ours"] if file == VERDICTS else [])],
                "removed there": None,
                "changed and removed": ["first", "ours"],
            }[change]
            is_there = (here / file).is_file()
            assert ((here / file).read_text().splitlines() if is_there else None) == wanted
