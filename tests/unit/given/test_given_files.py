"""Files of answers in the forms that are in use -> samples and predictions, or one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.errors import InputError
from assay.given.columns import OUTPUTS, REFERENCES
from tests.unit.given.conftest import Rows, asked, question, taken, theirs, written

ROW = {"prompt": "Which is it?", "output": "A", "reference": "A"}
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Yes?"},
    {"role": "user", "content": "Which is it?"},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv"])
@pytest.mark.parametrize(
    ("prompt", "output", "reference"),
    [
        ("prompt", "predict", "label"),
        *(("question", name, "reference") for name in OUTPUTS),
        *(("Prompt", "Response", name) for name in REFERENCES),
        ("input", "output", "target"),
        ("instruction", "output", "label"),
    ],
)
def test_the_common_names_are_known_in_every_format(
    prompt: str, output: str, reference: str, suffix: str, tmp_path: Path
) -> None:
    rows = [
        {"id": f"r{n}", prompt: question(n), output: f"say {n}", reference: f"{n}"} for n in (1, 2)
    ]
    samples, answers = taken(asked(str(written(tmp_path / f"a{suffix}", rows))), tmp_path / "run")
    assert [(row.id, row.messages[-1].content, row.target) for row in samples] == [
        (f"r{n}", question(n), f"{n}") for n in (1, 2)
    ]
    assert [(row.id, row.output, row.finish) for row in answers] == [
        (f"r{n}", f"say {n}", "unknown") for n in (1, 2)
    ]


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"messages": TURNS}, [(turn["role"], turn["content"]) for turn in TURNS]),
        ({"conversations": [{"from": "human", "value": "Hi"}]}, [("user", "Hi")]),
        ({"instruction": "Add", "input": "1 and 2"}, [("user", "Add\n1 and 2")]),
        ({"prompt": "Hi", "system": "Be brief."}, [("system", "Be brief."), ("user", "Hi")]),
    ],
)
def test_a_prompt_may_be_turns_or_in_two_columns(
    row: dict[str, Any], messages: list[tuple[str, str]], tmp_path: Path
) -> None:
    file = written(tmp_path / "a.jsonl", [{**row, "output": "A", "reference": "A"}])
    [sample], _ = taken(asked(str(file)), tmp_path / "run")
    assert [(turn.role, turn.content) for turn in sample.messages] == messages


FRAMES = {
    "chatml": (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
    ),
    "llama3": (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "mistral": ("<s>[INST] ", "[/INST]"),
    "gemma": ("<bos><start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n"),
    "deepseek3": ("<｜User｜>", "<｜Assistant｜>"),
    "glm4": ("[gMASK]<sop><|user|>\n", "<|assistant|>"),
    "llama2": ("<s>[INST] ", " [/INST]"),
    "llama2 told": ("<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n", " [/INST]"),
    "mistral told": ("<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST]", "[/INST]"),
    "gemma4": ("<bos><|turn>user\n", "<turn|>\n<|turn>model\n"),
    "exaone": ("[|system|]Be brief.[|endofturn|]\n[|user|]", "\n[|assistant|]"),
    "minimax2": ("]~!b[]~b]system\nBe brief.[e~[\n]~b]user\n", "[e~[\n]~b]ai\n"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_what_a_template_writes_around_each_prompt_is_taken_off(name: str, tmp_path: Path) -> None:
    before, behind = FRAMES[name]
    rows = [{**ROW, "prompt": f"{before}{question(n)}{behind}"} for n in range(3)]
    rows = [{"prompt": row["prompt"], "predict": "A", "label": "A\n"} for row in rows]
    samples, _ = taken(asked(str(written(tmp_path / "a.jsonl", rows))), tmp_path / "run")
    assert [row.messages[-1].content for row in samples] == [question(n) for n in range(3)]
    system = [row.messages[0].content for row in samples if row.messages[0].role == "system"]
    assert system == (["Be brief."] * 3 if "Be brief." in before else [])
    assert {row.target for row in samples} == {"A"}


TURN = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    "prompts",
    [
        [TURN.format("One?")],
        [TURN.format("One?"), TURN.format("A") + "B<|im_end|>\n" + TURN.format("Two?")],
        [TURN.format("Hi") + f"Yes<|im_end|>\n{TURN.format(text)}" for text in ("One?", "Two?")],
        [f"<|im_start|>system\n{text}<|im_end|>\n{TURN.format(text)}" for text in ("a", "b")],
        [TURN.format("One?"), "<|im_start|>user\nA prompt that was cut in"],
        ["user\nOne?\nassistant\n", "user\nTwo?\nassistant\n"],
    ],
)
def test_else_the_prompts_stay_as_they_are(prompts: list[str], tmp_path: Path) -> None:
    rows = [{"prompt": prompt, "predict": "A", "label": "A"} for prompt in prompts]
    samples, _ = taken(asked(str(written(tmp_path / "a.jsonl", rows))), tmp_path / "run")
    assert [row.messages[-1].content for row in samples] == prompts


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW, {"prompt": "Hi", "reference": "A"}], ":2: it has no answer: output is missing"),
        ([ROW, {**ROW, "output": None}], ":2: it has no answer: output is missing"),
        ([ROW, {**ROW, "output": 3}], ":2: output is 3, not text. Write output as text"),
        ([ROW, {**ROW, "output": ["a", "b"]}], ':2: output is ["a", "b"], not text'),
        ([ROW, {**ROW, "output": "a\0"}], ":2: the row holds a NUL character"),
        ([ROW, {**ROW, "prompt": {"a": 1}}], ':2: prompt is {"a": 1}, not text'),
        ([ROW, {**ROW, "prompt": " "}], ":2: the last prompt is empty"),
        ([ROW, {**ROW, "reference": True}], ":2: reference is true, not text"),
        ([ROW, {"prompt": "Hi", "output": "A"}], ":2: it has no reference, which exact-match"),
        ([{**ROW, "id": "a"}, {**ROW, "id": "a"}], ":2, id=a: another row has the same id"),
        ([{**ROW, "id": "a"}, ROW], ":2: it has no id, and others have"),
        ([{**ROW, "id": "a\nb"}], "its id is no name"),
        ([{**ROW, "id": 1.5}], ":1: its id is 1.5"),
        ([{**ROW, "id": True}], ":1: its id is true"),
        ([{**ROW, "id": ["a"]}], ':1: its id is ["a"]'),
        ([{**ROW, "Output": "B"}], "each of its columns output and Output may hold the answers"),
        ([ROW, {"prompt": "Hi", "OUTPUT": "B"}], "each of its columns output and OUTPUT may hold"),
        ([{**ROW, "id": 1, "ID": 2}], "each of its columns id and ID may hold the ids"),
        ([{"prompt": "Hi", "text": "A"}], "none of its columns, prompt, text, holds answers"),
        ([{**ROW, "answer": "B"}], "each of its columns output and answer may hold the answers"),
        (
            [{**ROW, "label": "B"}],
            "each of its columns reference and label may hold the references",
        ),
        (
            [{**ROW, "question": "B"}],
            "each of its columns prompt and question may hold the prompts",
        ),
        ([{"output": "A", "reference": "A"}], "has no prompts. Call their column prompt, or name"),
        ([{**ROW, "messages": [], "prompt": ""}], "each of its columns prompt and messages"),
        ([{"messages": "Hi", "output": "A", "reference": "A"}], 'messages is "Hi", not a list'),
        ([{"messages": TURNS[:3], "output": "A", "reference": "A"}], "take turns"),
    ],
)
def test_what_cannot_be_used_is_one_line_with_its_row(
    rows: Rows, message: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "a.jsonl", rows)
    with pytest.raises(InputError) as told:
        taken(asked(str(file)), tmp_path / "run")
    assert message in str(told.value)
    assert str(told.value).startswith(str(file))
    assert told.value.exit_code == 2
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_rows_that_cannot_be_used_are_counted_where_that_is_asked_for(tmp_path: Path) -> None:
    rows: Rows = [ROW, {**ROW, "output": None}, {**ROW, "output": 3}, {**ROW, "output": ""}]
    settings = asked(str(written(tmp_path / "a.jsonl", rows)), dataset={"skip_invalid": True})
    samples, answers = taken(settings, tmp_path / "run")
    said = [(row.output, row.unanswered) for row in answers]
    assert said == [("A", ""), ("", "no_answer"), ("", "")]  # an empty answer is one
    assert len(samples) == 3
    summary = (tmp_path / "run" / "dataset.json").read_text()
    assert '"skipped": 1' in summary
    assert "a.jsonl:3: output is 3, not text" in summary


def test_without_references_what_compares_with_none_is_measured(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", [{"prompt": "Hi", "output": "A"}])
    settings = asked(str(file), metrics={"metrics": ["empty", "distinct-1"]})
    [sample], _ = taken(settings, tmp_path / "run")
    assert sample.target == ""


@pytest.mark.parametrize(
    ("prompt", "output", "thought", "answer", "unanswered"),
    [
        ("Hi", "<think>\nSo.\n</think>\n\nA", "So.", "A", ""),
        ("Hi\n<think>\n", "So.\n</think>\n\nA", "So.", "A", ""),
        ("Hi", "A </think> is a mark", "", "A </think> is a mark", ""),
        ("Hi", "<think>\nSo", "So", "", "thought_unended"),
        ("Hi", "A", "", "A", ""),
    ],
)
def test_a_thought_before_an_answer_is_no_part_of_it(
    prompt: str, output: str, thought: str, answer: str, unanswered: str, tmp_path: Path
) -> None:
    row = {"prompt": prompt, "predict": output, "label": "<think>\n\n</think>\n\nA\n"}
    _, [told] = taken(asked(str(written(tmp_path / "a.jsonl", [row]))), tmp_path / "run")
    assert (told.thought, told.output, told.unanswered) == (thought, answer, unanswered)
    assert told.wanted == "A"


def test_a_folder_of_llama_factory_is_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "saves"
    folder.mkdir()
    written(folder / "generated_predictions.jsonl", theirs())
    (folder / "all_results.json").write_text("{}")
    samples, _ = taken(asked(str(folder)), tmp_path / "run")
    assert len(samples) == 6


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "does not exist"),
        ("a.txt", "x", "of no known format"),
        ("a.jsonl", "", "is empty"),
        ("a.jsonl", "{", "line is not JSON"),
        ("a.json", "[{]", "is not JSON"),
        ("a.json", "[]", "has no rows"),
        ("a.json", '["a"]', 'has no row with columns: "a"'),
        (
            "a.json",
            '[{"prompt": "Hi", "output": "A", "label": "A"}, "a"]',
            ':2: the row is "a", not',
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    name: str, content: str | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        taken(asked(str(tmp_path / name)), tmp_path / "run")
