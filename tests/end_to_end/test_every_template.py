"""A perfect model by construction, over every template that LLaMA-Factory has: the token ids that
its own processor trains are read as an answer, and must be the answer that is wanted."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import llamafactory
from assay.errors import InputError
from assay.llamafactory.answer import ParsedAnswer, Reader, read, reader
from assay.llamafactory.loss import target_of
from assay.llamafactory.prompts import ROLES, encode, pair
from assay.llamafactory.prompts import prediction as predicted
from assay.metrics.exact_match import exact_match
from assay.records import Message, Prediction, Sample, as_wanted
from tests.end_to_end.templates import prepare, tokenizer_of

NAMES = llamafactory.names()["templates"]
USER = (Message(role="user", content="Start the lamp in the nursery."),)
TURNS = (
    Message(role="system", content="Be terse."),
    *USER,
    Message(role="assistant", content="Which one?"),
    Message(role="user", content="The left one."),
)
ANSWER = (Message(role="assistant", content="It is off."),)
TOOLS = (
    '[{"name": "switch", "description": "Switch a device", "parameters": {"type": "object", '
    '"properties": {"device": {"type": "string"}, "on": {"type": "boolean"}}}}]'
)
CALL = '{"name": "switch", "arguments": {"on": true, "device": "nursery/lamp", "level": 3}}'
SORTED = '{"name": "switch", "arguments": {"device": "nursery/lamp", "level": 3, "on": true}}'

THOUGHT = "Hm, the left one."

UNREADABLE = {
    **dict.fromkeys(
        ("aeva", "glm4_5v", "glm4_7", "glm4_moe"), "writes a call without its closing mark"
    ),
    "minimax2": "writes a call without the mark around it that it looks for",
    "phi4_mini": "has no code that reads a call",
}
"""Templates that cannot read the call they write: it stays text, on both sides."""

ENDLESS = {
    "empty": ("plain", "call"),  # has no end at all
    **dict.fromkeys(("gemma4", "gemma4n", "youtu"), ("call",)),  # write a call without an end
}
"""What a model never stops after, whatever it learns: its answer is cut at max_new_tokens."""

LEADS = {"ernie_vl": "Assistant: "}
"""What a template trains as the first word of each answer: it stands on both sides."""


@pytest.fixture(name="blank", scope="module")
def load_blank(smollm2: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(smollm2)


def samples(reading: Reader) -> Iterator[Sample]:
    """Yield samples of each kind; the id is what the answer is made of."""
    thought = THOUGHT.join(reading.template.thought_words)
    call = Sample(id="call", messages=USER, target=CALL, target_role="function_call", tools=TOOLS)
    yield Sample(id="plain", messages=USER, target="nursery/lamp = on, 1.5 °C\nnow")
    yield Sample(id="plain, many turns", messages=TURNS, target="The lamp: ünï, 好.")
    yield Sample(id="thought, plain", messages=USER, target=f"{thought}The left lamp is on.")
    yield call
    if type(reading.template).__name__ != "Llama2Template":  # LLaMA-Factory cannot train these
        yield replace(call, id="thought, call", target=thought + CALL)


def trained(reading: Reader, sample: Sample, thinking: bool | None) -> list[int]:
    """Return the ids of the last turn that LLaMA-Factory trains: what a perfect model writes."""
    _, labels = encoded(reading, sample, thinking)
    start = max(at for at, label in enumerate(labels) if label == -100)
    return list(labels[start + 1 :])


def encoded(
    reading: Reader, sample: Sample, thinking: bool | None, **arguments: bool
) -> tuple[list[int], list[int]]:
    """Return the ids and the labels of a sample as LLaMA-Factory evaluates and trains it."""
    from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
    from llamafactory.hparams import DataArguments

    processor = SupervisedDatasetProcessor(
        template=reading.template,
        tokenizer=reading.tokenizer,
        processor=None,
        data_args=DataArguments(
            template="empty", cutoff_len=4096, enable_thinking=thinking, **arguments
        ),
    )
    ids, labels = processor._encode_data_example(*conversation(sample), [], [], [])
    return ids, labels


def conversation(sample: Sample) -> tuple[list[dict[str, str]], list[dict[str, str]], str, str]:
    """Return prompt, response, system prompt and tools as LLaMA-Factory's processors take them."""
    turns = [
        {"role": ROLES[turn.role], "content": turn.content}
        for turn in sample.messages
        if turn.role != "system"
    ]
    target = [{"role": ROLES[sample.target_role], "content": sample.target}]
    system = "".join(turn.content for turn in sample.messages if turn.role == "system")
    return turns, target, system, sample.tools


@pytest.mark.parametrize("name", NAMES)
def test_what_llamafactory_trains_is_what_is_wanted(blank: Any, name: str) -> None:
    tokenizer = tokenizer_of(blank, name)
    for thinking in (True, None, False):
        reading = prepare(tokenizer, name, thinking)
        for sample in samples(reading):
            ids = trained(reading, sample, thinking)
            prediction = predicted(encode(sample, reading, 4096), ids, reading)
            wanted, case = as_wanted(sample, prediction), (sample.id, thinking)
            assert prediction.output == wanted.target, case
            assert exact_match(wanted, prediction) == 100, case
            is_cut = any(kind in sample.id for kind in ENDLESS.get(name, ()))
            assert prediction.finish == ("length" if is_cut else "stop"), case
            check(reading, name, sample, prediction, thinking)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_measured_is_the_target_after_the_prompt(blank: Any, name: str) -> None:
    """Of several turns too, and where a template has the ends of earlier answers labelled."""
    tokenizer = tokenizer_of(blank, name)
    for thinking in (True, False):
        reading = prepare(tokenizer, name, thinking)
        talk = Sample(id="talk", messages=(*TURNS, *ANSWER, *TURNS[1:]), target="The lamp is on.")
        for sample in (talk, *samples(reading)):
            ids, labels = encoded(reading, sample, thinking, mask_history=True)
            prompt, target = pair(sample, reading)
            assert ids == prompt + target, (sample.id, thinking)
            assert target_of(labels) == slice(len(prompt) - 1, len(ids) - 1), (sample.id, thinking)


@pytest.mark.parametrize("name", ["qwen3", "llama3", "glm4_moe", "mistral", "smollm2"])
@pytest.mark.parametrize("cutoff", [40, 90, 140, 150, 160, 170, 200])
def test_prompts_are_cut_where_llamafactory_cuts_them(blank: Any, name: str, cutoff: int) -> None:
    from llamafactory.data.processor.unsupervised import UnsupervisedDatasetProcessor
    from llamafactory.hparams import DataArguments

    reading = prepare(blank, name, True)
    processor = UnsupervisedDatasetProcessor(
        template=reading.template,
        tokenizer=reading.tokenizer,
        processor=None,
        data_args=DataArguments(template="empty", cutoff_len=cutoff),
    )
    for sample in samples(reading):
        theirs, _ = processor._encode_data_example(*conversation(sample), [], [], [])
        assert encode(sample, reading, cutoff).tokens == theirs, sample.id


def test_a_call_that_a_template_cannot_write_is_named_by_its_id(blank: Any) -> None:
    both = f"[{CALL}, {CALL}]"
    sample = Sample(id="s1", messages=USER, target=both, target_role="function_call", tools=TOOLS)
    with pytest.raises(InputError, match=r"id=s1: .* GLM-4 does not support parallel functions"):
        encode(sample, prepare(blank, "glm4", True), 4096)


def check(
    reading: Reader, name: str, sample: Sample, prediction: Prediction, thinking: bool | None
) -> None:
    """Check thought and answer against what stands in the sample."""
    case, lead = (sample.id, thinking), LEADS.get(name, "")
    assert prediction.wanted_thought == prediction.thought, case
    thought, output = (
        text.strip().removeprefix(lead).strip() for text in (prediction.thought, prediction.output)
    )
    if "thought" in sample.id and reading.marks is None:
        assert thought == "", case
        assert THOUGHT in (prediction.written or prediction.output), case
        return
    is_thought = "thought" in sample.id and thinking is not False
    assert thought == (THOUGHT if is_thought else ""), case
    if "call" in sample.id:
        assert (output == SORTED) == (name not in UNREADABLE), case
        assert "nursery/lamp" in output, case
    else:
        answer = sample.target.removeprefix(THOUGHT.join(reading.template.thought_words))
        assert output == answer, case


@pytest.fixture(name="qwen3", scope="module")
def read_as_qwen3(blank: Any) -> Callable[..., ParsedAnswer]:
    """Return what reads a text as an answer under qwen3."""
    reading = prepare(tokenizer_of(blank, "qwen3"), "qwen3", None)
    return lambda text, calls=False: read(reading, reading.tokenizer.encode(text), calls)


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>\nHm.\n</think>\n\nOn.", "Hm.", "On."),
        ("<think>\n\n</think>\n\nOn.", "", "On."),
        ("Hm.\n</think>\n\nOn.", "Hm.", "On."),  # the prompt had the opening mark
        ("\n</think>\n\nOn.", "", "On."),
        ("<think>Hm.</think>On.", "Hm.", "On."),
        ("<think>Hm.</think>", "Hm.", ""),
        ("<think>a</think>The mark is </think>.", "a", "The mark is </think>."),
        ("On.", "", "On."),
        ("Say <think> first.", "", "Say <think> first."),
    ],
)
def test_thought_and_answer_are_apart(
    qwen3: Callable[..., ParsedAnswer], text: str, thought: str, answer: str
) -> None:
    assert qwen3(text) == ParsedAnswer(text=answer, thought=thought)


@pytest.mark.parametrize("text", ["<think>\nHm, the", "<think>", "\n<think>\nOn."])
def test_a_thought_that_never_ended_has_no_answer(
    qwen3: Callable[..., ParsedAnswer], text: str
) -> None:
    found = qwen3(text)
    assert (found.text, found.unanswered) == ("", "thought_unended")
    assert found.thought == text.strip().removeprefix("<think>").strip()


def written(reading: Reader, text: str, ended: bool, target: str) -> Prediction:
    """Return what a model's `text` comes to, where the sample's target is `target`."""
    prompt = encode(Sample(id="s", messages=USER, target=target), reading, 4096)
    ids = reading.tokenizer.encode(text, add_special_tokens=False)
    return predicted(prompt, [*ids, *sorted(reading.ends)[:ended]], reading)


@pytest.mark.parametrize("name", ["qwen3", "deepseekr1", "glm4_moe", "gpt_oss", "seed_oss"])
def test_the_tokens_of_a_thought_are_counted(blank: Any, name: str) -> None:
    reading = prepare(tokenizer_of(blank, name), name, True)
    lead = THOUGHT.join(reading.template.thought_words).strip()
    length = len(reading.tokenizer.encode(lead, add_special_tokens=False))
    answered = written(reading, f"{lead}\n\nIt is on.", True, "On.")
    assert answered.thought == THOUGHT
    assert (
        length <= answered.thought_tokens <= length + 1
    )  # a mark's end and what follows may be one
    assert answered.thought_tokens < answered.output_tokens
    unended = written(reading, reading.template.thought_words[0] + THOUGHT, False, "On.")
    assert unended.unanswered == "thought_unended"
    assert unended.thought_tokens == unended.output_tokens > 0
    assert written(reading, "It is on.", True, "On.").thought_tokens == 0


def test_data_without_opening_marks_make_an_answer_without_marks_a_thought(blank: Any) -> None:
    """But only where it was cut: a model that has not learnt to think answers at once."""
    reading = prepare(tokenizer_of(blank, "qwen3"), "qwen3", None)
    unopened = "Hm.\n</think>\n\nOn."
    cut = written(reading, "Hm, the left", False, unopened)
    assert (cut.unanswered, cut.thought) == ("thought_unended", "Hm, the left")
    assert cut.thought_tokens == cut.output_tokens
    assert written(reading, "On.", True, unopened).output == "On."
    assert written(reading, "On and", False, "On.").output == "On and"


@pytest.mark.parametrize("thinking", [True, None, False])
def test_the_whole_is_scored_where_that_is_asked_for(blank: Any, thinking: bool | None) -> None:
    apart = prepare(tokenizer_of(blank, "qwen3"), "qwen3", thinking)
    whole = replace(apart, whole=True)
    for sample in samples(apart):
        assert encode(sample, whole, 4096).thought == ""
        ids = trained(whole, sample, thinking)
        prediction = predicted(encode(sample, whole, 4096), ids, whole)
        wanted = as_wanted(sample, prediction)
        assert exact_match(wanted, prediction) == 100, sample.id
        assert prediction.output == wanted.target
        assert prediction.thought == ""
        has_thought = sample.id.startswith("thought") and thinking is not False
        assert (THOUGHT in prediction.output) == has_thought
        assert ("<think>" in prediction.output) == has_thought, "an empty thought is none"
        assert (prediction.thought_tokens > 0) == has_thought
    unended = written(whole, "<think>\nHm, the", False, "On.")
    assert (unended.output, unended.unanswered) == ("<think>\nHm, the", "")


def test_without_a_reasoning_template_marks_are_text(blank: Any) -> None:
    text = "<think>\nHm.\n</think>\n\nOn."
    for name in ("qwen3_nothink", "smollm2"):
        reading = prepare(tokenizer_of(blank, name), name, None)
        assert read(reading, reading.tokenizer.encode(text), False) == ParsedAnswer(text=text)


@pytest.mark.parametrize("name", ["gpt_oss", "gemma4"])
def test_marks_may_be_special_tokens(blank: Any, name: str) -> None:
    from llamafactory.data.template import TEMPLATES

    tokenizer = copy.deepcopy(blank)
    words = "".join(TEMPLATES[name].thought_words)
    marks = ["<|channel|>", "<|message|>", "<|end|>", "<|start|>", "<|channel>", "<channel|>"]
    tokenizer.add_tokens([mark for mark in marks if mark in words], special_tokens=True)
    reading = prepare(tokenizer, name, True)
    text = f"{THOUGHT.join(reading.template.thought_words)}On.<|im_end|>"
    found = read(reading, tokenizer.encode(text), False)
    assert found == ParsedAnswer(text="On.", thought=THOUGHT)


def test_added_special_tokens_are_words_and_the_others_are_left_out(blank: Any) -> None:
    tokenizer = copy.deepcopy(blank)
    tokenizer.add_tokens(["<|on|>"], special_tokens=True)
    ids = tokenizer.encode("<|im_start|>lamp <|on|>")
    template, ends = prepare(tokenizer, "smollm2", True).template, [tokenizer.eos_token_id]

    def said(added: list[str], skip_special: bool) -> str:
        return read(reader(tokenizer, template, ends, added, skip_special), ids, False).text

    assert said(["<|on|>"], True) == "lamp <|on|>"
    assert said([], True) == "lamp "
    assert said([], False) == "<|im_start|>lamp <|on|>"


def test_calls_are_alike_whatever_their_order_of_arguments_and_spaces(
    qwen3: Callable[..., ParsedAnswer],
) -> None:
    text = '<tool_call>\n{"arguments": {"b":1, "a": "é"},  "name": "f"}\n</tool_call>'
    found = qwen3(text, calls=True)
    assert found.text == '{"name": "f", "arguments": {"a": "é", "b": 1}}'
    assert (found.is_call, found.written) == (True, text)
    both = qwen3(f"{text}\n{text}", calls=True)
    assert both.text == f"[{found.text}, {found.text}]"
    assert qwen3(text).text == text, "where no call is wanted it is text"


FORMATS = ["qwen", "llama3", "glm4", "mistral", "lfm2", "minimax1", "minimax2", "seed_oss"]
HOSTILE = [
    "<tool_call>5</tool_call>",
    "<tool_call>[]</tool_call>",
    '<tool_call>{"name": "f", "arguments": "\\ud800"}</tool_call>',
    f"<tool_call>{'[' * 5000}</tool_call>",
    '<tool_calls>{"name": "f"}</tool_calls>',
    "<|tool_call_start|>[f(**{'a': 1})]<|tool_call_end|>",
    '"name"',
    '["name"]',
    "[5]",
    '{"name": {}, "parameters": 1}',
    "call\n5",
]


@pytest.mark.parametrize("name", [*FORMATS, "gemma4", "qwen3_5", "phi4_mini", "smollm2"])
def test_what_only_looks_like_a_call_is_read_without_an_error(blank: Any, name: str) -> None:
    reading = prepare(tokenizer_of(blank, name), name, True)
    pieces = st.sampled_from([*HOSTILE, "Action: f\nAction Input: ", "{", '"', "</tool_call>"])

    @settings(max_examples=60, deadline=None)
    @given(st.lists(pieces | st.text(max_size=8), max_size=4).map("".join))
    def reads(text: str) -> None:
        found = read(reading, reading.tokenizer.encode(text), True)
        found.text.encode()

    for text in HOSTILE:
        found = read(reading, reading.tokenizer.encode(text), True)
        assert found.is_call or found.text.strip() == text.strip()
    reads()
