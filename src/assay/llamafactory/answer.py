"""What a template makes of an answer: token ids -> the thought and the answer, or the call in it.

A target goes the same way as an output, from the ids that LLaMA-Factory trains: whatever the
template adds stands on both sides, so a model that has learnt its data by heart is right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from assay.llamafactory.thought import Marks, split
from assay.records import THOUGHT_UNENDED

# what LLaMA-Factory's extractors raise on text that only looks like a call, or have no code for
_NO_CALL = (
    AttributeError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How answers are read: LLaMA-Factory's `tokenizer` and `template`, the ids that end an answer
    and the special ones that are no part of its text. `marks` are the template's thought words,
    None where it is no reasoning template. With `whole` a thought is scored with its answer. The
    ids that are `unknown` to the model are words of the tokenizer alone."""

    tokenizer: Any
    template: Any
    ends: frozenset[int]
    dropped: frozenset[int]
    marks: Marks
    whole: bool = False
    unknown: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ParsedAnswer:
    """An answer apart from the thought before it. `is_call` says that `text` is the JSON of the
    function calls in what was `written`; `unanswered` is why there is none, or ""."""

    text: str
    thought: str = ""
    is_call: bool = False
    written: str = ""
    unanswered: Literal["", "thought_unended"] = ""


def reader(
    tokenizer: Any,
    template: Any,
    ends: Sequence[int],
    added: Sequence[str],
    skip_special: bool,
    *,
    whole: bool = False,
    given: Sequence[str] = (),
) -> Reader:
    """Return how to read answers. Special tokens are left out where `skip_special`, but not those
    that the settings `added` (they are the data's own words) nor the marks of a thought: a
    reasoning template's, or those `given`."""
    from llamafactory.data.template import ReasoningTemplate

    special = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
    kept = set(tokenizer.convert_tokens_to_ids(list(added))) - set(ends)
    words = given or (template.thought_words if isinstance(template, ReasoningTemplate) else ())
    marks = (words[0].strip(), words[1].strip()) if words else None
    if marks:
        kept |= set(tokenizer.encode("".join(marks), add_special_tokens=False))
    dropped = special - kept if skip_special else set()
    return Reader(
        tokenizer=tokenizer,
        template=template,
        ends=frozenset(ends),
        dropped=frozenset(dropped),
        marks=marks,
        whole=whole,
    )


def until_end(ids: Sequence[int], ends: frozenset[int]) -> list[int]:
    """Return the ids before the first one that ends an answer."""
    length = next((at for at, id_ in enumerate(ids) if id_ in ends), len(ids))
    return list(ids[:length])


def read(reader: Reader, ids: Sequence[int], calls: bool, *, opened: bool = False) -> ParsedAnswer:
    """Return what `ids` say; with `calls` function calls are read as the template writes them.

    A thought stands apart, unless it is scored with its answer (see thought.split); one that never
    ended has no answer."""
    whole = decode(reader, ids)
    thought, text, unended = split(whole, reader.marks, opened=opened)
    lead = whole.removesuffix(text) if reader.whole and thought else ""
    thought = "" if lead else thought
    if unended and not lead:
        return ParsedAnswer(text="", thought=thought, unanswered=THOUGHT_UNENDED)
    call = _calls(reader, ids, text) if calls else None
    if call is None:
        return ParsedAnswer(text=lead + text, thought=thought)
    return ParsedAnswer(text=lead + call, thought=thought, is_call=True, written=lead + text)


def decode(reader: Reader, ids: Sequence[int]) -> str:
    """Return the text of ids, without those that are no part of it."""
    kept = [id_ for id_ in ids if id_ not in reader.dropped]
    text: str = reader.tokenizer.decode(kept, skip_special_tokens=False)
    return text


def _calls(reader: Reader, ids: Sequence[int], text: str) -> str | None:
    """Return the calls in an answer, None where the template finds none. Its marks of a call may
    be special tokens, which `text` lacks."""
    whole = reader.tokenizer.decode(ids, skip_special_tokens=False)
    for written in (text, split(whole, reader.marks)[1]):
        try:
            calls = reader.template.extract_tool(written)
            if not isinstance(calls, str) and calls:
                written = canonical(calls)
                written.encode()  # a lone surrogate is no text
                return written
        except _NO_CALL:
            continue
    return None


def canonical(calls: Sequence[tuple[str, str]]) -> str:
    """Return the calls as JSON with sorted arguments: a list where they are several."""
    texts = [
        f'{{"name": {_json(name)}, "arguments": {_arguments(arguments)}}}'
        for name, arguments in calls
    ]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _arguments(text: str) -> str:
    """Return arguments as JSON, those that are none, or nested too deeply, as the text they are."""
    try:
        return _json(json.loads(text))
    except (ValueError, RecursionError):
        return _json(text)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
