"""Which samples belong together, and what does not change where none do."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import store
from assay.cli.main import main
from assay.dataset import (
    Clusters,
    DatasetSettings,
    DatasetSummary,
    describe_summary,
    hash_samples,
    load,
    prepare,
    sum_up,
)
from assay.dataset.check import check
from assay.dataset.clusters import cluster
from assay.dataset.likeness import SIMILAR
from assay.dataset.origins import RowOrigin
from assay.dataset.selection import hold_out
from assay.dataset.unions import Unions, alike
from assay.errors import DatasetError
from assay.records import Message, Sample
from tests import hub
from tests.needs import need
from tests.unit.dataset.test_formats import (
    write_arrow_file,
    write_arrow_stream,
    write_csv,
    write_json,
    write_jsonl,
    write_parquet,
)

WHALE = "Who wrote the book about the whale and the captain of the"
PAIRS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30)


def sample(name: str, prompt: str, cluster: str = "") -> Sample:
    message = Message(role="user", content=prompt)
    return Sample(id=name, messages=(message,), target="t", cluster=cluster)


def row(name: str, prompt: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "instruction": prompt, "output": "t", **more}


def alone(samples: list[Sample]) -> dict[str, RowOrigin]:
    return {sample.id: RowOrigin(row=number) for number, sample in enumerate(samples, 1)}


def names(run: Path) -> dict[str, str]:
    return {row.id: row.cluster for row in store.read_rows(run / "dataset.jsonl", Sample)}


def prepared(
    folder: Path, rows: list[dict[str, Any]], **settings: Any
) -> tuple[DatasetSummary, Path]:
    write_jsonl(folder / "e.jsonl", rows)
    wanted = DatasetSettings(eval=str(folder / "e.jsonl"), **settings)
    return prepare(wanted, folder / "run"), folder / "run"


def parts(count: int, pairs: list[tuple[int, int]]) -> set[frozenset[int]]:
    """The sets by repeated merging."""
    sets = [{place} for place in range(count)]
    for left, right in pairs:
        touched = [part for part in sets if left in part or right in part]
        sets = [part for part in sets if part not in touched] + [set().union(*touched)]
    return {frozenset(part) for part in sets}


@given(PAIRS.flatmap(lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs))))
def test_sets_are_those_of_their_pairs_in_any_order(
    orders: tuple[list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    pairs, moved = orders
    first, second = Unions(20), Unions(20)
    assert first.join(pairs) == second.join(moved) == 20 - first.sets
    assert first.roots() == second.roots()
    together = defaultdict(set)
    for place, root in enumerate(first.roots()):
        together[root].add(place)
    assert {frozenset(part) for part in together.values()} == parts(20, pairs)
    assert all(root == min(part) for root, part in together.items())


def test_an_empty_key_is_like_no_other() -> None:
    assert list(alike(["", "a", "", "b", "a", "a"])) == [(1, 4), (1, 5)]


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    starts = range(max(1, len(words) - 2)) if words else ()
    return {tuple(words[start : start + 3]) for start in starts}


def near(left: str, right: str) -> bool:
    first, second = shingles(left), shingles(right)
    return bool(first | second) and len(first & second) / len(first | second) >= SIMILAR


SOME = ["red", "green", "blue", "cat", "dog", "runs", "sits", "on", "a", "the"]
PROMPTS = st.lists(
    st.lists(st.sampled_from(SOME), max_size=14).map(" ".join), min_size=1, max_size=9
)
GROUPS = st.lists(st.sampled_from(["", "x", "y"]), min_size=9, max_size=9)


@given(PROMPTS, GROUPS, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_clusters_are_those_of_an_exhaustive_search_in_any_order_of_the_rows(
    prompts: list[str], groups: list[str], random: Any
) -> None:
    samples = [sample(f"s{number}", prompt) for number, prompt in enumerate(prompts)]
    origins = {
        one.id: RowOrigin(row=number // 2, group=groups[number])
        for number, one in enumerate(samples)
    }
    joined = [
        (left, right)
        for left, right in combinations(range(len(samples)), 2)
        if left // 2 == right // 2
        or (groups[left] and groups[left] == groups[right])
        or prompts[left] == prompts[right]
        or near(prompts[left], prompts[right])
    ]
    expected: dict[str, str] = {}
    for part in parts(len(samples), joined):
        ids = [f"s{place}" for place in part]
        expected |= dict.fromkeys(ids, min(ids) if len(ids) > 1 else "")
    moved = random.sample(samples, len(samples))
    for order in (samples, moved):
        named, summary = cluster(order, origins, "talk")
        assert [one.id for one in named] == [one.id for one in order]
        assert {one.id: one.cluster for one in named} == expected
        assert summary.clusters == len(samples) - sum(summary.joined.values())


def test_near_prompts_are_found_where_very_many_share_their_words() -> None:
    """More than can be measured pair by pair: 400 variants of one prompt, among 8,000 others."""
    words = [f"w{number}" for number in range(40)]
    variants = [
        sample(f"v{at:02}-{more}", " ".join([*words[:at], f"x{at}{more}", *words[at:]]))
        for at in range(40)
        for more in range(10)
    ]
    others = [
        sample(f"o{number}", " ".join(f"u{number}{part}" for part in "abcdef"))
        for number in range(8_000)
    ]
    named, summary = cluster([*variants, *others], alone([*variants, *others]))
    assert summary.clusters == 8_001
    assert {one.cluster for one in named if one.cluster} == {"v00-0"}


def test_the_wording_of_a_task_joins_nothing() -> None:
    task = "Translate the following sentence from English into French without any comment: word"
    samples = [sample(f"s{n}", f"{task} {n} one{n} two{n}") for n in range(40)]
    assert cluster(samples, alone(samples)) == (samples, Clusters(clusters=40))


def test_what_the_turns_of_one_conversation_share_is_not_the_wording_of_a_task() -> None:
    samples, origins = [], {}
    for talk, place in (("a", "boat"), ("b", "ship")):
        for turn in range(15):
            one = sample(f"{talk}:{turn}", f"{WHALE} {place}" + " and then" * turn)
            samples.append(one)
            origins[one.id] = RowOrigin(row=1 if talk == "a" else 2)
    _, summary = cluster(samples, origins)
    assert summary == Clusters(clusters=1, joined={"conversation": 28, "near prompt": 1})


def test_near_prompts_may_be_left_apart(tmp_path: Path) -> None:
    rows = [row("a", WHALE), row("b", f"{WHALE} and then"), row("c", f"  {WHALE.upper()}")]
    _, run = prepared(tmp_path, rows)
    assert names(run) == {"a": "a", "b": "a", "c": "a"}
    summary, run = prepared(tmp_path, rows, near_prompts=False)
    assert names(run) == {"a": "a", "b": "", "c": "a"}
    assert summary.eval.clusters == Clusters(clusters=2, joined={"same prompt": 1})
    assert check(str(tmp_path / "e.jsonl"), near=False).clusters == summary.eval.clusters


@pytest.mark.parametrize("prompts", [("😀", "😂"), ("!!!", "???"), ("👍 👍", "🎉")])
def test_prompts_without_words_are_alike_only_where_they_are_the_same(prompts: Any) -> None:
    samples = [sample("a", prompts[0]), sample("b", prompts[1]), sample("c", prompts[0])]
    named, summary = cluster(samples, alone(samples))
    assert [one.cluster for one in named] == ["a", "", "a"]
    assert summary.joined == {"same prompt": 1}


def test_what_was_joined_and_by_what_is_kept_and_told(tmp_path: Path) -> None:
    def chat(name: str, *turns: str, talk: str) -> dict[str, Any]:
        said = [{"from": side, "value": turn} for turn in turns for side in ("human", "gpt")]
        return {"id": name, "conversations": said, "talk": talk}

    rows = [
        chat("a", f"{WHALE} ship", "More", "Why", talk="1"),
        chat("b", f"{WHALE} boat", talk="2"),
        chat("c", "Sing", talk="3"),
        chat("d", "sing ", talk="4"),
        chat("e", "Where do penguins live", talk="3"),
        chat("f", "Nothing of all that", talk="5"),
    ]
    summary, run = prepared(tmp_path, rows, every_turn=True, cluster="talk")
    assert names(run) == {
        **dict.fromkeys(["a:1", "a:2", "a:3", "b:1"], "a:1"),
        **dict.fromkeys(["c:1", "d:1", "e:1"], "c:1"),
        "f:1": "",
    }
    joined = {"conversation": 2, "column talk": 1, "same prompt": 1, "near prompt": 1}
    assert summary.eval.clusters == Clusters(clusters=3, joined=joined)
    assert store.read_record(run / "dataset.json", DatasetSummary) == summary
    assert (
        "  8 samples in 3 clusters; joined: 2 by conversation, 1 by column talk, 1 by same prompt, "
        "1 by near prompt"
    ) in describe_summary(summary).splitlines()
    assert sum_up(summary) == "8 samples to evaluate in 3 clusters"


def test_clusters_are_those_of_the_samples_that_are_drawn(tmp_path: Path) -> None:
    rows = [row(f"r{number}", f"Ask {number // 2}") for number in range(40)]
    summary, run = prepared(tmp_path, rows, max_samples=15)
    drawn = names(run)
    pairs = defaultdict(list)
    for name in drawn:
        pairs[int(name[1:]) // 2].append(name)
    assert len(drawn) == 15
    assert summary.eval.clusters
    assert summary.eval.clusters.clusters == len(pairs) < 15
    for members in pairs.values():
        assert {drawn[name] for name in members} == {min(members) if len(members) > 1 else ""}


def test_the_hash_is_that_of_before_there_were_clusters() -> None:
    """Predictions, a fine-tune and a history that carry it stay of the same dataset."""
    system, asked = Message(role="system", content="s"), Message(role="user", content="Wie spät?")
    rows = [
        Sample(id="a", messages=(system, asked), target="zehn", cluster="a"),
        Sample(
            id="b",
            messages=(Message(role="user", content="q"),),
            target="{}",
            target_role="function_call",
            tools="[]",
            cluster="a",
        ),
    ]
    assert hash_samples(rows) == "5b3339fae8d96e41387d1015080276312e85c5bbad3cf7078fafd96930b1854a"


def test_a_dataset_of_before_there_were_clusters_reads(tmp_path: Path) -> None:
    line = {"id": "a", "messages": [{"role": "user", "content": "q"}], "target": "t", "tools": ""}
    (tmp_path / "dataset.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert names(tmp_path) == {"a": ""}


# every form that rows come in, and how a row names its cluster there
TALKS: list[Any] = ["x", "y", "x", "z"]
FORMS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    "e.json": write_json,
    "e.jsonl": write_jsonl,
    "e.csv": write_csv,
    "e.parquet": write_parquet,
    "stream.arrow": write_arrow_stream,
    "file.arrow": write_arrow_file,
}
PROMPTED = ("Sing", "Where do penguins live", "Count the stars", "What is two and two")


def rows_of(values: list[Any], **more: Any) -> list[dict[str, Any]]:
    return [
        row(f"r{at}", prompt, talk=value, **more)
        for at, (prompt, value) in enumerate(zip(PROMPTED, values, strict=True))
    ]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("values", [TALKS, [7, 8, 7, 9], [0, 1, 0, 2], [1.5, 2.5, 1.5, 3.0]])
def test_a_column_joins_rows_in_every_form(tmp_path: Path, form: str, values: list[Any]) -> None:
    FORMS[form](tmp_path / form, rows_of(values))
    settings = DatasetSettings(eval=str(tmp_path / form), cluster="talk")
    summary = prepare(settings, tmp_path / "run")
    assert names(tmp_path / "run") == {"r0": "r0", "r1": "", "r2": "r0", "r3": ""}
    assert summary.eval.clusters == Clusters(clusters=3, joined={"column talk": 1})


@pytest.mark.parametrize("form", FORMS)
def test_a_column_of_true_and_false_makes_two_clusters(tmp_path: Path, form: str) -> None:
    FORMS[form](tmp_path / form, rows_of([True, False, True, False]))
    prepare(DatasetSettings(eval=str(tmp_path / form), cluster="talk"), tmp_path / "run")
    assert names(tmp_path / "run") == {"r0": "r0", "r1": "r1", "r2": "r0", "r3": "r1"}


def test_a_column_joins_rows_of_several_entries_of_a_dataset_info(tmp_path: Path) -> None:
    first = [{"ask": "Sing", "say": "la", "talk": 1}, {"ask": "Count", "say": "1", "talk": 2}]
    write_json(tmp_path / "a.json", first)
    chat = [{"from": "human", "value": "Fly"}, {"from": "gpt", "value": "No"}]
    write_jsonl(tmp_path / "b.jsonl", [{"conversations": chat, "talk": "1"}])
    columns = {"prompt": "ask", "response": "say"}
    entries = {
        "a": {"file_name": "a.json", "columns": columns},
        "b": {"file_name": "b.jsonl", "formatting": "sharegpt"},
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(entries), encoding="utf-8")
    settings = DatasetSettings(eval=f"{tmp_path}#a,b", cluster="talk")
    summary = prepare(settings, tmp_path / "run")
    assert summary.eval.clusters == Clusters(clusters=2, joined={"column talk": 1})
    first_id, other, last = names(tmp_path / "run")
    assert names(tmp_path / "run")[other] == ""
    assert set(names(tmp_path / "run").values()) == {"", min(first_id, last)}


def test_a_column_joins_rows_of_the_hub(tmp_path: Path) -> None:
    found = importlib.util.find_spec("datasets") is not None
    need(found, "needs datasets: pip install 'assay[finetune]'")
    content = "".join(json.dumps(one) + "\n" for one in rows_of(TALKS)).encode()
    with hub.serve({"some/talks": {"test.jsonl": content}}) as address:
        command = "import sys; from assay.cli.main import main; sys.exit(main(sys.argv[1:]))"
        source = "hf://some/talks:test"
        said = subprocess.run(
            [sys.executable, "-c", command, "dataset", "check", source, "--cluster", "talk"],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache")},
        )
    assert "4 samples in 3 clusters; joined: 1 by column talk" in said.stdout


NOTHING: dict[str, Any] = {
    "null": None,
    '""': "",
    '"  "': "  ",
    "[1, 2]": [1, 2],
    '{"a": 1}': {"a": 1},
    "NaN": float("nan"),
    "Infinity": float("inf"),
}


@pytest.mark.parametrize("shown", NOTHING)
@pytest.mark.parametrize("skip_invalid", [False, True])
def test_a_value_that_says_nothing_is_refused_by_row(
    tmp_path: Path, shown: str, skip_invalid: bool
) -> None:
    rows = rows_of(["x", NOTHING[shown], "x", NOTHING[shown]])
    with pytest.raises(DatasetError) as caught:
        prepared(tmp_path, rows, cluster="talk", skip_invalid=skip_invalid)
    file = tmp_path / "e.jsonl"
    assert caught.value.what == (
        f"{file}: talk, the column that dataset.cluster names, holds no text, number, true or "
        f"false in 2 of 4 rows: {file}:2 ({shown}), {file}:4 ({shown})"
    )
    assert caught.value.remedy == (
        "Write what each of them belongs to, or leave dataset.cluster out"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_row_without_a_value_is_refused_in_every_form(tmp_path: Path, form: str) -> None:
    FORMS[form](tmp_path / form, rows_of(["x", None, "x", "y"]))
    settings = DatasetSettings(eval=str(tmp_path / form), cluster="talk")
    with pytest.raises(DatasetError, match=r"in 1 of 4 rows: \S+:[23] \((null|\"\")\)\. "):
        prepare(settings, tmp_path / "run")


def test_of_many_rows_without_the_column_the_first_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row("first", "Sing", talk=1), *[row(f"r{at}", f"Ask {at}") for at in range(9)]]
    write_jsonl(tmp_path / "e.jsonl", rows)
    file = str(tmp_path / "e.jsonl")
    assert main(["dataset", "check", file, "--cluster", "talk"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    first = ", ".join(f"{file}:{number} (missing)" for number in range(2, 7))
    assert f"in 9 of 10 rows: {first} and 4 more. " in line


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("conversation", "Did you mean conversation_id?"),
        ("zzz", "Name one of conversation_id, id, instruction, output"),
    ],
)
def test_a_column_that_no_row_has_is_refused_with_the_nearest(
    tmp_path: Path, name: str, remedy: str
) -> None:
    rows = [row("a", "Sing", conversation_id=1), row("b", "Count", conversation_id=2)]
    with pytest.raises(DatasetError) as caught:
        prepared(tmp_path, rows, cluster=name)
    file = tmp_path / "e.jsonl"
    assert caught.value.what == f"{file}: no row has the column '{name}' that dataset.cluster names"
    assert caught.value.remedy == remedy


def test_a_row_that_is_left_out_needs_no_value(tmp_path: Path) -> None:
    rows = [*rows_of(TALKS), {"id": "bad", "instruction": "no answer"}]
    summary, run = prepared(tmp_path, rows, cluster="talk", skip_invalid=True)
    assert (summary.eval.skipped, len(names(run))) == (1, 4)


def test_the_training_data_needs_no_column(tmp_path: Path) -> None:
    write_json(tmp_path / "t.json", [row("t", "Learn this")])
    summary, _ = prepared(tmp_path, rows_of(TALKS), train=str(tmp_path / "t.json"), cluster="talk")
    assert summary.train
    assert summary.train.clusters is None
    assert {one.cluster for one in store.read_rows(tmp_path / "run/train.jsonl", Sample)} == {""}


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["", *"wxyz"])),
        min_size=2,
        max_size=30,
    ),
    st.integers(1, 20),
    st.integers(),
)
def test_holding_out_tears_no_prompt_and_no_cluster(
    rows: list[tuple[str, str]], count: int, seed: int
) -> None:
    samples = [sample(f"s{at}", prompt) for at, (prompt, _) in enumerate(rows)]
    belongs = [group for _, group in rows]
    same = [
        (left, right)
        for left, right in combinations(range(len(rows)), 2)
        if rows[left][0] == rows[right][0] or (belongs[left] and belongs[left] == belongs[right])
    ]
    together = parts(len(rows), same)
    if len(together) < 2:
        with pytest.raises(DatasetError, match="only one prompt, or one cluster"):
            hold_out(samples, count, seed, belongs)
        return
    training, held = hold_out(samples, count, seed, belongs)
    places = {int(one.id[1:]) for one in held}
    assert training
    assert held
    assert all(part <= places or not part & places for part in together)


def test_a_held_out_split_keeps_the_values_of_a_column_whole(tmp_path: Path) -> None:
    rows = [row(f"r{at}", f"Ask {at}", talk=at // 4) for at in range(80)]
    write_json(tmp_path / "t.json", rows)
    settings = DatasetSettings(train=str(tmp_path / "t.json"), cluster="talk", eval_fraction=0.25)
    summary = prepare(settings, tmp_path / "run")
    assert summary.eval.samples == 20
    assert summary.eval.clusters == Clusters(clusters=5, joined={"column talk": 15})
    held = {int(name[1:]) // 4 for name in names(tmp_path / "run")}
    trained = {int(one.id[1:]) // 4 for one in load(str(tmp_path / "t.json"))} - held
    assert len(held) == 5
    assert len(trained) == 15
