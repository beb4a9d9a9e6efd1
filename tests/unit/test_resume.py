"""What an interrupted try left is kept for the same work, and for no other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assay.resume import take_up


@dataclass(frozen=True, kw_only=True)
class Work:
    """A record that says what the contents of a folder depend on."""

    seed: int
    names: tuple[str, ...] = ()


def left(folder: Path, wanted: Any) -> Path:
    """Return a file that an interrupted try for `wanted` left in `folder`."""
    take_up(folder / "identity.json", wanted)
    answers = folder / "answers.jsonl"
    answers.write_text("{}\n")
    return answers


@pytest.mark.parametrize("wanted", [Work(seed=1, names=("a", "b")), {"seed": 1, "names": ("a",)}])
def test_the_same_work_is_taken_up(tmp_path: Path, wanted: Any) -> None:
    answers = left(tmp_path / "partial", wanted)
    take_up(tmp_path / "partial" / "identity.json", wanted)
    assert answers.is_file()


@pytest.mark.parametrize("other", [Work(seed=2), Work(seed=1, names=("a",)), {}])
def test_other_work_begins_anew(tmp_path: Path, other: Any) -> None:
    answers = left(tmp_path / "partial", Work(seed=1))
    take_up(tmp_path / "partial" / "identity.json", other)
    assert [path.name for path in answers.parent.iterdir()] == ["identity.json"]


def test_a_folder_that_does_not_say_what_it_is_for_is_not_taken_up(tmp_path: Path) -> None:
    answers = left(tmp_path / "partial", Work(seed=1))
    (tmp_path / "partial" / "identity.json").unlink()
    take_up(tmp_path / "partial" / "identity.json", Work(seed=1))
    assert not answers.exists()
