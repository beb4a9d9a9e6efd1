"""Samples with words that a tokenizer has and its model does not: LLaMA-Factory gives them to the
model all the same, whose embedding has no such row, and no other sample is looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from assay import store
from assay.errors import DatasetError
from assay.llamafactory.answer import Reader
from assay.llamafactory.prompts import system, turns, writable
from assay.llamafactory.vocabulary import Vocabulary
from assay.records import UNKNOWN_WORD, Likelihood, Sample

_PLACE = tuple[int, Sample, str]


def part(kind: Any, given: Mapping[str, Any]) -> Any:
    """Return those arguments of LLaMA-Factory's that are of one kind."""
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in given.items() if name in known})


def check(samples: Path, words: Vocabulary, data: Any, name: str) -> None:
    """Raise DatasetError where a file has samples to train the model `name` on with words that it
    does not know, by the first of them."""
    found = list(places(store.read_rows(samples, Sample), words, data))
    for place, row, word in found[:1]:
        others = f", and so have {len(found) - 1} other samples" if len(found) > 1 else ""
        raise DatasetError(
            f"{samples.name}:{place + 1}, id={row.id}: its text has the word {word} of the "
            f"tokenizer, for which the vocabulary of {name} has no place{others}",
            "Leave the sample out, restore the tokenizer's files, or set "
            "finetune.llamafactory.resize_vocab to have the word learned",
        )


def places(rows: Iterable[Sample], words: Vocabulary | Reader, data: Any) -> Iterator[_PLACE]:
    """Yield the place of each row, as LLaMA-Factory cuts it by its arguments `data`, that has words
    unknown to the model, with the row and the first of the words. Where the tokenizer has none, no
    row is looked at."""
    if not words.unknown:
        return
    encode = _encoder(words, data)
    for place, row in enumerate(rows):
        strange = next((id_ for id_ in encode(row) if id_ in words.unknown), None)
        if strange is not None:
            yield place, row, str(words.tokenizer.convert_ids_to_tokens(strange))


def unscored(row: Sample) -> Likelihood:
    """Return the row of a sample that the model cannot be evaluated on."""
    causes = dict.fromkeys(("eval_loss", "accuracy"), UNKNOWN_WORD)
    return Likelihood(id=row.id, values={}, unscored=causes, tokens=0)


@contextmanager
def without(left_out: Collection[int]) -> Iterator[None]:
    """Have LLaMA-Factory evaluate, in the body, no row of the data at the places `left_out`."""
    from llamafactory.train.sft import workflow

    read = workflow.get_dataset

    def get_dataset(*given: Any, **named: Any) -> Any:
        module = read(*given, **named)
        rows = module["eval_dataset"]
        kept = [place for place in range(len(rows)) if place not in left_out]
        return {**module, "eval_dataset": rows.select(kept)}

    workflow.get_dataset = get_dataset if left_out else read
    try:
        yield
    finally:
        workflow.get_dataset = read


def _encoder(words: Vocabulary | Reader, data: Any) -> Any:
    """Return what gives the ids of a whole sample as LLaMA-Factory gives them to the model."""
    from llamafactory.data.processor import SupervisedDatasetProcessor

    made = SupervisedDatasetProcessor(
        template=words.template, tokenizer=words.tokenizer, processor=None, data_args=data
    )

    def encode(row: Sample) -> list[int]:
        *prompt, target = turns(row)
        with writable(row):
            ids, _ = made._encode_data_example(
                prompt, [target], system(row), row.tools, images=[], videos=[], audios=[]
            )
        return list(ids)

    return encode
