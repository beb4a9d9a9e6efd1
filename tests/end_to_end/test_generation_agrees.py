"""What Assay generates is, to the character, what LLaMA-Factory's do_predict generates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay import dataset, store
from assay.demo.base_model import TEMPLATE
from assay.demo.run import DATA
from assay.generate import GenerateSettings, generate
from assay.records import Message, Prediction, Sample
from tests.end_to_end.do_predict import predicted

NEW_TOKENS = 12


def samples() -> list[Sample]:
    """Return samples of unlike length: demo rows, several turns, a prompt that is cut off."""
    rows = dataset.load(f"{DATA / 'dataset_info.json'}#smart_home_eval")[:4]
    turns = ("user", "Name a colour."), ("assistant", "Blue."), ("user", "And another one.")
    talk = tuple(Message(role=role, content=text) for role, text in turns)  # type: ignore[arg-type]
    long = (Message(role="user", content="Repeat after me. " * 60),)
    return [
        *rows,
        Sample(id="talk", messages=talk, target="Red."),
        Sample(id="long", messages=long, target="Repeat after me."),
    ]


def test_greedy_answers_and_evaluation_are_llamafactorys(smollm2: Path, tmp_path: Path) -> None:
    rows = samples()
    store.write_rows(tmp_path / "dataset.jsonl", rows)
    settings = GenerateSettings(
        template=TEMPLATE, max_new_tokens=NEW_TOKENS, cutoff_len=128, batch_size=3
    )
    done = generate(str(smollm2), tmp_path / "dataset.jsonl", tmp_path / "ours", settings)
    ours = list(store.read_rows(tmp_path / "ours" / "predictions.jsonl", Prediction))

    theirs = predicted(smollm2, rows, tmp_path, NEW_TOKENS)
    assert [row.id for row in ours] == [row.id for row in rows]
    assert [row.output for row in ours] == theirs
    assert [row.prompt_truncated for row in ours] == [False] * 5 + [True]
    assert {row.finish for row in ours} == {"length", "stop"}
    assert done.results == json.loads((tmp_path / "ours" / "all_results.json").read_text())
    assert done.results["eval_loss"] > 0
    assert 0 < done.results["eval_accuracy"] < 1
    reference = token_loss(smollm2, tmp_path / "data")
    assert done.results["eval_token_loss"] == pytest.approx(reference, rel=1e-4)
    assert done.results["eval_loss"] != pytest.approx(reference, rel=1e-3)


def token_loss(model_directory: Path, data: Path) -> float:
    """Return the loss over all tokens of the targets, sample by sample, by PyTorch itself."""
    import torch
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import AutoModelForCausalLM, AutoTokenizer, Seq2SeqTrainingArguments

    tokenizer = AutoTokenizer.from_pretrained(model_directory)
    arguments = DataArguments(
        dataset_dir=str(data),
        eval_dataset="eval",
        template=TEMPLATE,
        cutoff_len=128,
        mask_history=True,
    )
    module = get_dataset(
        get_template_and_fix_tokenizer(tokenizer, arguments),
        ModelArguments(model_name_or_path=str(model_directory), cache_dir=str(data / "cache")),
        arguments,
        Seq2SeqTrainingArguments(output_dir=str(data), report_to=[], do_eval=True),
        stage="sft",
        tokenizer=tokenizer,
    )
    model = AutoModelForCausalLM.from_pretrained(model_directory, dtype=torch.float32)
    loss, count = 0.0, 0
    for row in module["eval_dataset"]:
        labels = torch.tensor(row["labels"][1:])
        with torch.inference_mode():
            logits = model(torch.tensor([row["input_ids"]])).logits[0, :-1]
        loss += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
        count += int((labels != -100).sum())
    return loss / count
