from __future__ import annotations

from pathlib import Path

import pytest

from assay import demo, store
from assay.dataset import (
    DatasetSettings,
    DatasetSummary,
    Tokens,
    check,
    describe_summary,
    load,
    prepare,
    sum_up,
    to_llamafactory,
)
from assay.dataset.lengths import count_tokens
from assay.errors import DatasetError, InputError, ModelError
from assay.records import Message, Sample

DATA = f"{Path(demo.__file__).parent}/data#smart_home_eval"


@pytest.fixture(name="model")
def make_model(llamafactory: None, tmp_path: Path) -> str:
    """A directory with a small tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "<eos>": 1}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<eos>", pad_token="<eos>"
    )
    fast.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def llamafactory_counts(model: str, folder: Path, name: str) -> list[int]:
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import AutoTokenizer, Seq2SeqTrainingArguments

    tokenizer = AutoTokenizer.from_pretrained(model)
    arguments = DataArguments(dataset_dir=str(folder), dataset=name, template="qwen")
    template = get_template_and_fix_tokenizer(tokenizer, arguments)
    module = get_dataset(
        template,
        ModelArguments(model_name_or_path=model, cache_dir=str(folder / "cache")),
        arguments,
        Seq2SeqTrainingArguments(output_dir=str(folder), report_to=[], do_train=True),
        stage="sft",
        tokenizer=tokenizer,
    )
    return [len(row) for row in module["train_dataset"]["input_ids"]]


def test_tokens_are_those_that_llamafactory_trains_on(model: str, tmp_path: Path) -> None:
    to_llamafactory(load(DATA), tmp_path / "data", "samples")
    counts = llamafactory_counts(model, tmp_path / "data", "samples")
    limit = sorted(counts)[len(counts) // 2]
    result = check(DATA, model=model, template="qwen", cutoff_len=limit)
    assert result.tokens is not None
    assert (result.tokens.least, result.tokens.most) == (min(counts), max(counts))
    [finding] = result.findings
    assert finding.count == sum(count > limit for count in counts)
    assert f"more than cutoff_len = {limit} tokens" in finding.cause


@pytest.mark.parametrize(("model_name", "template"), [("", "nonsense"), ("/nowhere", "qwen")])
def test_a_model_or_template_that_is_not_there_is_named(
    model_name: str, template: str, model: str
) -> None:
    with pytest.raises(ModelError, match="no usable tokenizer or template"):
        check(DATA, model=model_name or model, template=template)


@pytest.mark.usefixtures("llamafactory")  # which is asked, where the file tells nothing
@pytest.mark.parametrize(
    "written", ["{}", "[]", "x", '{"added_tokens": [], "model": 5}'], ids=["{}", "[]", "x", "model"]
)
def test_a_tokenizer_whose_file_holds_anything_is_named(written: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text(written)
    with pytest.raises(ModelError, match="no usable tokenizer or template"):
        check(DATA, model=str(tmp_path), template="qwen")


def test_a_run_knows_what_would_be_cut(model: str, tmp_path: Path) -> None:
    limit = 30
    result = check(DATA, model=model, template="qwen", cutoff_len=limit)
    how = Tokens(model=model, template="qwen", cutoff_len=limit)
    summary = prepare(DatasetSettings(eval=DATA), tmp_path / "run", eval_tokens=how)
    assert store.read_record(tmp_path / "run/dataset.json", DatasetSummary) == summary
    lengths = summary.eval.lengths
    assert lengths is not None
    assert lengths.tokens == result.tokens
    assert (lengths.measured, lengths.cutoff_len) == (64, limit)
    assert lengths.truncated == result.findings[-1].count > 0
    text = describe_summary(summary)
    assert f"{lengths.truncated} of 64 measured are longer than cutoff_len = 30" in text
    assert f"{lengths.truncated} longer than cutoff_len" in sum_up(summary)


@pytest.mark.parametrize("model_name", [".", "data.json"])
def test_lengths_that_cannot_be_told_are_named_not_invented(
    model_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_that_none_are_told(model_name, tmp_path, monkeypatch)


@pytest.mark.parametrize("model_name", ["nobody/no-such-model", "list", "text"])
def test_what_transformers_cannot_read_is_named_too(
    model_name: str, llamafactory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_that_none_are_told(model_name, tmp_path, monkeypatch)


def check_that_none_are_told(
    model_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, config in (("list", "[1]"), ("text", '"llama"')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(config)
        (tmp_path / name / "tokenizer.json").write_text("{}")
    (tmp_path / "data.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    how = Tokens(model=model_name, template="qwen", cutoff_len=8)
    summary = prepare(DatasetSettings(eval=DATA), tmp_path / "run", eval_tokens=how)
    assert summary.eval.lengths is None
    assert "tokenizer" in summary.eval.no_lengths
    assert f"tokens were not counted: {summary.eval.no_lengths}" in describe_summary(summary)


@pytest.mark.parametrize("arguments", ['"on"', "[1]", "null"])
@pytest.mark.parametrize("template", ["qwen3_5", "glm4_moe", "seed_oss", "lfm2", "minimax2"])
def test_a_call_that_the_template_cannot_write_is_named(
    template: str, arguments: str, model: str
) -> None:
    from llamafactory.data import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments
    from transformers import AutoTokenizer

    from assay.llamafactory.answer import reader
    from assay.llamafactory.prompts import encode

    call = f'{{"name": "switch", "arguments": {arguments}}}'
    turn = Message(role="user", content="Hi.")
    sample = Sample(id="s-1", messages=(turn,), target=call, target_role="function_call")
    with pytest.raises(DatasetError, match="id=s-1: the template cannot write this function call"):
        count_tokens([sample], model, template)
    tokenizer = AutoTokenizer.from_pretrained(model)
    form = get_template_and_fix_tokenizer(tokenizer, DataArguments(template=template))
    reading = reader(tokenizer, form, [tokenizer.eos_token_id], [], skip_special=True)
    with pytest.raises(InputError, match="id=s-1: the template cannot write this function call"):
        encode(sample, reading, 512)
