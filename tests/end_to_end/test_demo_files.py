"""Rows of LLaMA-Factory's demo files come to the token ids that its own loader makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from assay import dataset
from assay.llamafactory.prompts import encode, pair
from assay.records import Sample
from tests.end_to_end.templates import prepare, tokenizer_of

FOLDER = Path("tests/data/llamafactory")
FILES = (
    "identity",
    "alpaca_en_demo",
    "alpaca_zh_demo",
    "glaive_toolcall_en_demo",
    "glaive_toolcall_zh_demo",
)
TEMPLATES = (
    "alpaca",
    "chatml",
    "deepseekr1",
    "default",
    "gemma3",
    "glm4_moe",
    "gpt_oss",
    "llama3",
    "mistral",
    "phi4",
    "qwen3",
    "smollm2",
)
REASONING = ("deepseekr1", "glm4_moe", "gpt_oss", "qwen3")
CASES = [(name, True) for name in TEMPLATES] + [
    (name, thinking) for name in REASONING for thinking in (None, False)
]
LONG, SHORT = 4096, 512
ROWS = 10

Ids = tuple[list[int], list[int]]
Read = tuple[list[Sample], Any, int]


@pytest.fixture(name="blank", scope="module")
def load_blank(smollm2: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(smollm2)


@pytest.fixture(name="files", scope="module")
def read_both_ways(
    blank: Any,  # which marks the tests as the model's
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Read]:
    """The samples of each file, and of all turns in it, as read here and as read there, with the
    cutoff to try them at: by that of the turns some calls are cut."""
    folder = tmp_path_factory.mktemp("turns")
    both = []
    for name in FILES:
        samples = dataset.load(f"{FOLDER}/dataset_info.json#{name}")
        assert len(samples) == ROWS
        both.append((samples, theirs(FOLDER, name), LONG))
        turns = dataset.load(f"{FOLDER}/dataset_info.json#{name}", every_turn=True)
        dataset.to_llamafactory(turns, folder / name, name)
        both.append((turns, theirs(folder / name, name), SHORT))
    return both


def theirs(folder: Path, name: str) -> Any:
    """Return what LLaMA-Factory's loader makes of a dataset before it has a template."""
    from llamafactory.data.loader import _get_merged_dataset
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    arguments = DataArguments(dataset_dir=str(folder), overwrite_cache=True)
    model, training = ModelArguments(model_name_or_path="none"), Seq2SeqTrainingArguments("none")
    return _get_merged_dataset([name], model, arguments, training, "sft")[:]


def encoded(rows: Any, tokenizer: Any, template: Any, cutoff: int) -> list[Ids]:
    """Return what LLaMA-Factory's do_predict makes of them: prompts and labels."""
    from llamafactory.data.processor import UnsupervisedDatasetProcessor
    from llamafactory.hparams import DataArguments

    processor = UnsupervisedDatasetProcessor(
        template=template,
        tokenizer=tokenizer,
        processor=None,
        data_args=DataArguments(template="empty", cutoff_len=cutoff),
    )
    made = processor.preprocess_dataset(rows)
    return list(zip(made["input_ids"], made["labels"], strict=True))


@pytest.mark.parametrize(("name", "thinking"), CASES)
def test_demo_rows_are_the_ids_of_llamafactorys_loader(
    blank: Any, files: Sequence[Read], name: str, thinking: bool | None
) -> None:
    reading = prepare(tokenizer_of(blank, name), name, thinking)
    for samples, rows, cutoff in files:
        expected = encoded(rows, reading.tokenizer, reading.template, cutoff)
        assert len(expected) == len(samples)
        for sample, (prompt, labels) in zip(samples, expected, strict=True):
            assert encode(sample, reading, cutoff).tokens == prompt, sample.id
            assert pair(sample, reading)[1][: len(labels)] == labels, sample.id


def test_the_files_have_calls_that_are_cut(blank: Any, files: Sequence[Read]) -> None:
    """Or the test above would hold whatever role the target is given."""
    reading = prepare(tokenizer_of(blank, "qwen3"), "qwen3", None)
    calls = [row for samples, *_ in files for row in samples if row.target_role == "function_call"]
    cut = [row for row in calls if encode(row, reading, SHORT).truncated]
    assert len(calls) >= ROWS
    assert cut
