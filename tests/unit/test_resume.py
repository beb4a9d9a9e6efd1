"""What an interrupted try left is kept for the same work, and for no other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assay.errors import SettingsError
from assay.resume import anew, take_up


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


def held(folder: Path) -> str:
    return "7 answers" if (folder / "answers.jsonl").is_file() else ""


@pytest.mark.parametrize("other", [Work(seed=2), Work(seed=1, names=("a",)), {}])
def test_other_work_begins_anew(tmp_path: Path, other: Any) -> None:
    answers = left(tmp_path / "partial", Work(seed=1))
    take_up(tmp_path / "partial" / "identity.json", other)
    assert [path.name for path in answers.parent.iterdir()] == ["identity.json"]


def test_work_from_before_a_digest_was_kept_is_taken_up(tmp_path: Path) -> None:
    answers = left(tmp_path / "partial", {"digest": "1"})
    now = {"digest": "1", "base_digest": "2", "config_digest": "3"}
    take_up(tmp_path / "partial" / "identity.json", now)
    assert answers.is_file()
    take_up(tmp_path / "partial" / "identity.json", {**now, "config_digest": "4"})
    assert not answers.is_file()


@pytest.mark.parametrize(
    ("other", "begins_anew", "kept"),
    [
        ({"at": "there", "name": "a"}, False, True),
        ({"at": "there", "name": "a"}, True, False),
        ({"at": "here", "name": "b"}, False, False),
        ({"at": "there", "name": "b"}, False, False),
        ({"at": "there", "name": "a", "more": 1}, False, False),
    ],
)
def test_what_has_only_moved_is_the_same_work(
    tmp_path: Path, other: Any, *, begins_anew: bool, kept: bool
) -> None:
    answers = left(tmp_path / "partial", {"at": "here", "name": "a"})
    with anew(wanted=begins_anew):
        take_up(tmp_path / "partial" / "identity.json", other, moving=("at",))
    assert answers.is_file() == kept


def test_a_folder_that_does_not_say_what_it_is_for_is_not_taken_up(tmp_path: Path) -> None:
    answers = left(tmp_path / "partial", Work(seed=1))
    (tmp_path / "partial" / "identity.json").unlink()
    take_up(tmp_path / "partial" / "identity.json", Work(seed=1))
    assert not answers.exists()


NAMES = {"settings.served": "model", "settings": "generate"}


@pytest.mark.parametrize(
    ("first", "other", "told"),
    [
        ({"settings": {"seed": 1}}, {"settings": {"seed": 2}}, "generate.seed: 1, not 2"),
        (
            {"settings": {"served": {"name": "a", "key": "k"}, "seed": 1}},
            {"settings": {"served": {"name": "b", "key": "l"}}},
            "model.name: 'a', not 'b', model.key: ***, not ***, generate.seed: 1, not none",
        ),
        ({"digest": "1"}, {"digest": "2"}, "digest of the weights: '1', not '2'"),
        ({}, dict.fromkeys("abcdef", 1), "c: none, not 1, d: none, not 1, and 2 more"),
    ],
)
def test_what_is_worth_something_is_not_dropped_without_a_word(
    tmp_path: Path, first: Any, other: Any, told: str
) -> None:
    answers = left(tmp_path / "partial", first)
    identity = answers.with_name("identity.json")
    with pytest.raises(SettingsError, match="partial holds 7 answers of another ") as refused:
        take_up(identity, other, held, NAMES)
    assert f"{told}. Set it back" in str(refused.value).replace("'***'", "***")
    assert "add --anew" in refused.value.remedy
    take_up(identity, first, held, NAMES)
    assert answers.is_file()
    with anew():
        take_up(identity, other, held, NAMES)
    assert not answers.exists()
    take_up(identity, first, held, NAMES)  # there is nothing to lose
