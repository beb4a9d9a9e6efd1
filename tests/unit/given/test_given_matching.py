"""Rows of a file beside the samples of the data: by id, by order, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.errors import InputError
from tests.unit.given.conftest import Rows, asked, data, question, taken, theirs, written

Change = Callable[[list[dict[str, Any]]], Rows]


def with_ids(path: Path, count: int = 6) -> str:
    rows = [
        {"id": f"q{n}", "instruction": question(n), "output": f"Town {n}"} for n in range(count)
    ]
    return str(written(path / "eval.json", rows))


def answers(count: int = 6) -> list[dict[str, Any]]:
    return [{"id": f"q{n}", "prompt": question(n), "output": f"say {n}"} for n in range(count)]


def test_rows_without_ids_are_in_the_order_of_the_data(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", theirs())
    settings = asked(str(file), dataset={"eval": data(tmp_path)})
    samples, given = taken(settings, tmp_path / "run")
    assert [row.id for row in samples] == [row.id for row in given]
    assert [row.output for row in given] == [row["predict"] for row in theirs()]
    told = json.loads((tmp_path / "run" / "given" / "candidate.json").read_text())
    assert (told["matched"], told["rows"]) == ("order", 6)


@pytest.mark.parametrize("ids", [True, False])
def test_what_is_drawn_of_the_data_has_its_own_answer(ids: bool, tmp_path: Path) -> None:
    rows: Rows = answers()[::-1] if ids else [{"output": f"say {n}"} for n in range(6)]
    file = written(tmp_path / "a.jsonl", rows)
    source = (with_ids if ids else data)(tmp_path)
    settings = asked(str(file), dataset={"eval": source, "max_samples": 3})
    samples, given = taken(settings, tmp_path / "run")
    assert len(samples) == 3
    assert [row.output for row in given] == [row.target.replace("Town", "say") for row in samples]


@pytest.mark.parametrize("ids", [True, False])
def test_a_file_may_answer_only_what_is_drawn(ids: bool, tmp_path: Path) -> None:
    source = (with_ids if ids else data)(tmp_path)
    drawn = {"eval": source, "max_samples": 3}
    every = [{"output": "A", **({"id": f"q{n}"} if ids else {})} for n in range(6)]
    every_file = str(written(tmp_path / "every.jsonl", every))
    wanted, _ = taken(asked(every_file, dataset=drawn), tmp_path / "first")
    rows = [
        {
            **({"id": row.id} if ids else {}),
            "prompt": row.messages[-1].content,
            "output": row.target,
        }
        for row in wanted
    ]
    file = str(written(tmp_path / "a.jsonl", rows))
    samples, given = taken(asked(file, dataset=drawn), tmp_path / "run")
    assert [row.output for row in given] == [row.target for row in samples]
    assert len(given) == 3


def swapped(rows: list[dict[str, Any]]) -> Rows:
    return [rows[1], rows[0], *rows[2:]]


def changed(name: str, value: str) -> Change:
    return lambda rows: [*rows[:2], {**rows[2], name: value}, *rows[3:]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (theirs()[:5], "has 5 rows without ids, and the data has 6 samples"),
        (swapped(theirs()), ":1: by its place in the order it answers sample"),
        (swapped(theirs()), "(1 more rows are of another)"),
        (changed("label", "Rome")(theirs()), ":3: by its place in the order it answers sample"),
        (changed("label", "Town 22")(theirs()), 'its reference is "Town 22", not "Town 2"'),
        (changed("prompt", f"{question(2)[:-9]}")(answers()), ":3, id=q2: by its id it answers"),
        (changed("prompt", "Else?")(theirs()), 'its prompt is "Else?", not'),
        ([{**row, "id": f"x{n}"} for n, row in enumerate(answers())], "such as x0, is that of"),
        (answers()[:4], "has no row for 2 of 6 samples, such as id=q4"),
        (changed("prompt", "Else?")(answers()), ":3, id=q2: by its id it answers sample q2"),
    ],
)
def test_rows_of_other_data_are_refused_by_row(rows: Rows, message: str, tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", rows)
    source = (with_ids if "id" in rows[0] else data)(tmp_path)
    with pytest.raises(InputError) as told:
        taken(asked(str(file), dataset={"eval": source}), tmp_path / "run")
    assert message in str(told.value)
    assert told.value.exit_code == 2


LONG = "A long story. " * 9


@pytest.mark.parametrize(
    ("prompt", "label", "target"),
    [
        (f"<s>{question(0)}</s>", "Town 0\n", "Town 0"),
        (f"<s>{question(0)[:40]}", "Town 0", "Town 0"),  # cut in the prompt
        (question(0).replace(" ", "\n"), "Town  0", "Town 0"),
        (question(0), "<think>\n\n</think>\n\nTown 0\n", "Town 0"),
        (question(0), LONG[:60], LONG),  # cut in the target
        (question(0), "", "Town 0"),
    ],
)
def test_another_way_to_write_the_same_is_no_contradiction(
    prompt: str, label: str, target: str, tmp_path: Path
) -> None:
    row = {"prompt": prompt, "predict": "A", "label": label}
    source = written(tmp_path / "eval.json", [{"instruction": question(0), "output": target}])
    settings = asked(str(written(tmp_path / "a.jsonl", [row])), dataset={"eval": str(source)})
    [sample], _ = taken(settings, tmp_path / "run")
    assert sample.target == target


def test_a_sample_without_a_row_is_a_failed_one_where_that_is_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", [*answers()[:4], {**answers(7)[6]}])
    settings = asked(str(file), dataset={"eval": with_ids(tmp_path), "skip_invalid": True})
    _, given = taken(settings, tmp_path / "run")
    assert [row.unanswered for row in given] == [""] * 4 + ["no_answer"] * 2
    told = json.loads((tmp_path / "run" / "given" / "candidate.json").read_text())
    assert (told["matched"], told["lacking"], told["unused"]) == ("id", 2, 1)


def test_the_call_that_is_wanted_is_in_the_form_of_the_answer(tmp_path: Path) -> None:
    call = '{"name": "find", "arguments": {"town": "Oslo"}}'
    turns = [{"from": "human", "value": "Find Oslo"}, {"from": "function_call", "value": call}]
    source = written(tmp_path / "eval.json", [{"conversations": turns}])
    written_call = f"<tool_call>\n{call}\n</tool_call>"
    row = {"prompt": "Find Oslo", "predict": written_call, "label": f"{written_call}\n"}
    settings = asked(str(written(tmp_path / "a.jsonl", [row])), dataset={"eval": str(source)})
    _, [given] = taken(settings, tmp_path / "run")
    assert given.output == given.wanted == written_call


def test_the_baselines_file_has_to_hold_the_same_prompts(tmp_path: Path) -> None:
    own = str(written(tmp_path / "a.jsonl", theirs()))
    other = str(written(tmp_path / "b.jsonl", swapped(theirs())))
    with pytest.raises(InputError, match=r"b.jsonl:1: by its place in the order"):
        taken(asked({"candidate": own, "baseline": other}), tmp_path / "run")
    samples, _ = taken(asked({"candidate": own, "baseline": own}), tmp_path / "same")
    assert len(samples) == 6


def test_ids_are_found_however_a_table_stored_them(tmp_path: Path) -> None:
    source = [{"id": n, "instruction": question(n), "output": f"Town {n}"} for n in range(4)]
    rows = [{"id": float(n), "output": f"say {n}"} for n in range(4)]
    file = written(tmp_path / "a.jsonl", rows[::-1])
    settings = asked(str(file), dataset={"eval": str(written(tmp_path / "d.json", source))})
    _, given = taken(settings, tmp_path / "run")
    assert [row.output for row in given] == [f"say {n}" for n in range(4)]


def test_a_column_that_no_row_has_is_told_with_each_of_theirs_once(tmp_path: Path) -> None:
    file = str(written(tmp_path / "a.jsonl", theirs()))
    with pytest.raises(InputError, match=r"Name one of label, predict, prompt$"):
        taken(asked(file, dataset={"tags": ["law"]}), tmp_path / "run")
