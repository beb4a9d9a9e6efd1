"""Which columns of a file of answers hold what, by the names that are in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assay.dataset.naming import shown
from assay.errors import DatasetError

PROMPTS = ("prompt", "input", "instruction", "question", "messages", "conversations")
OUTPUTS = ("output", "response", "predict", "prediction", "answer", "completion")
REFERENCES = ("reference", "label", "target", "expected", "ground_truth")
LLAMA_FACTORY = "LLaMA-Factory"
_ALPACA = ["instruction", "input"]  # of one prompt, in this order


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of a file's columns, "" for none; a `prompt` may be in two. `format` says which
    these are, or that they are LLaMA-Factory's."""

    output: str
    prompt: tuple[str, ...]
    reference: str
    id: str
    format: str

    @property
    def templated(self) -> bool:
        """Whether the prompts are as a chat template writes them."""
        return self.format == LLAMA_FACTORY


def columns_of(names: Iterable[str], source: str) -> Columns:
    """Return what the columns of these names hold, in whatever case they are written. Raises
    DatasetError where none holds answers, or several may hold the same."""
    own: dict[str, list[str]] = {}
    for name in names:
        own.setdefault(name.strip().lower(), []).append(name)
    output = _one(own, OUTPUTS, source, "answers")
    if not output:
        every = ", ".join(name for column in own.values() for name in column)
        raise DatasetError(
            f"{source}: none of its columns, {shown(every, 200) or 'none'}, holds answers",
            f"Call it {', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]}",
        )
    prompt, reference = _prompt(own, source), _one(own, REFERENCES, source, "references")
    theirs = {"prompt", "predict", "label"} <= set(own)
    id_ = _one(own, ("id",), source, "ids")
    used = [name for name in (id_, *prompt, output, reference) if name]
    return Columns(
        output=output,
        prompt=prompt,
        reference=reference,
        id=id_,
        format=LLAMA_FACTORY if theirs else ", ".join(used),
    )


def _prompt(own: Mapping[str, Sequence[str]], source: str) -> tuple[str, ...]:
    if not any(name in own for name in PROMPTS if name not in _ALPACA):
        parts = (_one(own, (name,), source, "prompts") for name in _ALPACA)
        return tuple(filter(None, parts))
    return (_one(own, PROMPTS, source, "prompts"),)


def _one(own: Mapping[str, Sequence[str]], names: Iterable[str], source: str, what: str) -> str:
    present = [column for name in names for column in own.get(name, ())]
    if len(present) > 1:
        raise DatasetError(
            f"{source}: each of its columns {' and '.join(present)} may hold the {what}",
            "Rename or remove all but one: what is compared with is called reference",
        )
    return present[0] if present else ""
