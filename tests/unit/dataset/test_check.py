from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.cli.dataset import add_parsers
from assay.dataset import check, compare, describe
from assay.dataset.likeness import SIMILAR
from assay.records import Message, Sample


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return str(path)


def row(instruction: str, output: str | None, **more: Any) -> dict[str, Any]:
    return {"instruction": instruction, "output": output, **more}


def sample(name: str, prompt: str, target: str = "t") -> Sample:
    return Sample(id=name, messages=(Message(role="user", content=prompt),), target=target)


TRAIN = [
    row("Name the largest city of the country on the river", "A", id="t1"),
    row("Who wrote the book about the whale and the captain of the ship", "B", id="t2"),
    row("What is two and two", "4", id="t3"),
]
EVAL = [
    row("what is  two and two", "4", id="same"),
    row("Who wrote the book about the whale and the captain of the boat", "C", id="near"),
    row("Where do penguins live in winter", "South", id="new"),
    row("Where do penguins live in winter", "South", id="again"),
    row("Where do penguins live in winter", "North", id="differs"),
    row("Hid\u202eden", "x", id="hidden"),
    row("Broken \ufffd", "y", id="broken"),
    row("Nothing", None, id="bad"),
]


def test_everything_is_found_and_named(tmp_path: Path) -> None:
    data, train = write(tmp_path / "e.json", EVAL), write(tmp_path / "t.json", TRAIN)
    result = check(data, against=train)
    assert (result.format, result.rows, result.samples) == ("alpaca", 8, 7)
    assert result.invalid == (f"{data}:8, id=bad: output is missing",)
    assert result.exit_code == 2
    assert {finding.cause: finding.places for finding in result.findings} == {
        "repeat another row": (f"{data}:4 (as {data}:3)",),
        "ask what another row asks, with another answer": (f"{data}:5 (as {data}:3)",),
        "hold control or direction characters": (f"{data}:6",),
        "hold U+FFFD, left by a wrong decoding": (f"{data}:7",),
    }
    assert result.overlap is not None
    assert (result.overlap.exact, result.overlap.near) == (1, 1)
    pairs = {pair.eval_id: (pair.train_id, pair.same_target) for pair in result.overlap.pairs}
    assert pairs == {"same": ("t3", True), "near": ("t2", False)}


def test_text_for_people(tmp_path: Path) -> None:
    data, train = write(tmp_path / "e.json", EVAL), write(tmp_path / "t.json", TRAIN)
    text = describe(check(data, against=train))
    assert "8 rows, 7 samples" in text
    assert "Rows that cannot be used: 1\n" in text
    assert f"1 have the same prompt as a sample of {train}, and 1 one much like it" in text
    assert "  same ~ t3: same prompt, same answer" in text
    clean = describe(check(train, against=write(tmp_path / "n.json", [row("New thing", "z")])))
    assert "Nothing wrong with its rows." in clean
    assert "No prompt is in" in clean


def test_only_the_first_are_listed(tmp_path: Path) -> None:
    data = write(tmp_path / "e.json", [row("q", "a"), *[row(f"q{n}", "") for n in range(25)]])
    text = describe(check(data))
    assert text.count("the answer is empty") == 20
    assert "  and 5 more" in text


def test_command_prints_the_check_and_returns_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_parsers(parser.add_subparsers())
    data = write(tmp_path / "e.json", EVAL)
    arguments = parser.parse_args(["dataset", "check", data, "--against", data])
    assert arguments.command(arguments) == 2
    assert "7 have the same prompt" in capsys.readouterr().out
    arguments = parser.parse_args(["dataset", "check", data, "--skip-invalid"])
    assert arguments.command(arguments) == 0
    assert "Rows that cannot be used: 1\n" in capsys.readouterr().out


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[start : start + 3]) for start in range(max(1, len(words) - 2))}


SOME = ["red", "green", "blue", "cat", "dog", "runs", "sits", "on", "a", "the"]
WORDS = st.lists(st.sampled_from(SOME), max_size=12)


@given(st.lists(WORDS, max_size=8), st.lists(WORDS, min_size=1, max_size=8))
@settings(max_examples=200)
def test_near_duplicates_are_those_of_an_exhaustive_search(
    training: list[list[str]], evaluation: list[list[str]]
) -> None:
    train = [sample(f"t{n}", " ".join(words)) for n, words in enumerate(training)]
    held = [sample(f"e{n}", " ".join(words)) for n, words in enumerate(evaluation)]
    expected = set()
    for one in held:
        mine = shingles(one.messages[0].content)
        for other in train:
            theirs = shingles(other.messages[0].content)
            alike = len(mine & theirs) / len(mine | theirs) >= SIMILAR
            if alike or one.messages == other.messages:
                expected.add(one.id)
    assert {pair.eval_id for pair in compare(train, held).pairs} == expected


def test_the_wording_of_a_task_makes_no_duplicates() -> None:
    task = "Translate the following sentence from English into French without any comment: word"
    train = [sample(f"t{n}", f"{task} {n} one{n} two{n}") for n in range(40)]
    held = [sample(f"e{n}", f"{task} {n} one{n + 100} two{n + 100}") for n in range(40)]
    assert compare(train, held).pairs == ()


def test_scripts_without_spaces_are_compared_by_character() -> None:
    train = [sample("t", "请把卧室的灯调到百分之三十然后关上窗帘谢谢你")]
    held = [
        sample("e", "请把卧室的灯调到百分之三十然后关上窗帘谢谢您"),
        sample("f", "今天天气怎么样"),
    ]
    assert [pair.eval_id for pair in compare(train, held).pairs] == ["e"]
