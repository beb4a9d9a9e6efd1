"""The likelihood of each target is that of the target alone, as PyTorch and LLaMA-Factory's own
evaluation have it; a model that has none is evaluated and reported all the same."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from assay import dataset, process, progress, store
from assay.demo.base_model import TEMPLATE
from assay.errors import StageError
from assay.folder import LIKELIHOOD, PREDICTIONS, SAMPLES, SCORES
from assay.gate import Bound, GatePolicy
from assay.generate import GenerateSettings, generate
from assay.metrics import MetricsSettings, compute_metrics
from assay.records import Likelihood, Message, Prediction, Role, Sample
from assay.report import report
from tests.end_to_end.two_layers import cut

CUTOFF = 160
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face."


def turns(*texts: str, system: str = "") -> tuple[Message, ...]:
    roles: tuple[Role, ...] = ("user", "assistant") * len(texts)
    spoken = [Message(role=role, content=text) for role, text in zip(roles, texts, strict=False)]
    return (*([Message(role="system", content=system)] if system else []), *spoken)


WHOLE = [
    Sample(id="one turn", messages=turns("Name a colour."), target="Red is a colour."),
    Sample(
        id="long history, short target",
        messages=turns("Name a colour.", "Blue, as the sea and the sky are. " * 3, "Another?"),
        target="Red.",
    ),
    Sample(
        id="three turns and a system prompt",
        messages=turns("A?", "Alpha.", "B?", "Beta.", "C?", system="You spell letters."),
        target="Gamma, the third letter.",
    ),
]
CUT = [
    Sample(
        id="history beyond the cutoff",
        messages=turns("Tell me.", "The sea is blue. " * 60, "Another?"),
        target="Red.",
    ),
    Sample(id="target beyond the cutoff", messages=turns("Again?"), target="Again. " * 200),
    Sample(
        id="history and target beyond the cutoff",
        messages=turns("Tell me.", "The sea is blue. " * 60, "Again?"),
        target="Again. " * 200,
    ),
    Sample(id="blank", messages=turns("Say nothing."), target=" "),
]
UNSCORED = {
    "target beyond the cutoff": "target_cut",
    "history and target beyond the cutoff": "target_cut",
    "blank": "no_target",
}


def evaluated(
    model: Path, samples: Sequence[Sample], out: Path, batch_size: int, **settings: Any
) -> dict[str, Likelihood]:
    path = out.with_name(f"{out.name}.jsonl")
    store.write_rows(path, samples)
    wanted = GenerateSettings(
        template=TEMPLATE,
        max_new_tokens=2,
        cutoff_len=CUTOFF,
        batch_size=batch_size,
        **settings,
    )
    generate(str(model), path, out, wanted)
    rows = list(store.read_rows(out / LIKELIHOOD, Likelihood))
    assert [row.id for row in rows] == [sample.id for sample in samples]
    return {row.id: row for row in rows}


@pytest.fixture(name="kept", scope="module")
def evaluate_once(
    smollm2: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Likelihood]:
    out = tmp_path_factory.mktemp("kept") / "out"
    return evaluated(smollm2, [*WHOLE, *CUT], out, batch_size=4)


def test_a_target_is_measured_alone(kept: Mapping[str, Likelihood], smollm2: Path) -> None:
    """By PyTorch, of a prompt that the tokenizer's own chat template writes."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    model = AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32)
    for sample in WHOLE:
        spoken = sample.messages
        if spoken[0].role != "system":  # LLaMA-Factory's has a full stop more than the tokenizer's
            spoken = (Message(role="system", content=SYSTEM), *spoken)
        chat = [{"role": turn.role, "content": turn.content} for turn in spoken]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer.encode(text)
        target = tokenizer.encode(f"{sample.target}<|im_end|>\n")
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + target])).logits[0, len(prompt) - 1 : -1]
        wanted = torch.tensor(target)
        row = kept[sample.id]
        assert row.tokens == len(target)
        assert row.values == {
            "eval_loss": pytest.approx(
                float(torch.nn.functional.cross_entropy(logits, wanted)), rel=1e-4
            ),
            "accuracy": pytest.approx(float((logits.argmax(-1) == wanted).float().mean())),
        }, sample.id


def test_with_the_cutoff_reached_history_is_not_measured(kept: Mapping[str, Likelihood]) -> None:
    assert {row.id: row.unscored["eval_loss"] for row in kept.values() if row.unscored} == UNSCORED
    beyond, within = kept["history beyond the cutoff"], kept["long history, short target"]
    assert beyond.tokens == within.tokens
    assert beyond.values["eval_loss"] != pytest.approx(within.values["eval_loss"])


def test_the_batch_does_not_matter(
    kept: Mapping[str, Likelihood], smollm2: Path, tmp_path: Path
) -> None:
    alone = evaluated(smollm2, [*reversed(CUT), *WHOLE], tmp_path / "alone", batch_size=1)
    for id_, row in kept.items():
        assert alone[id_].values == pytest.approx(row.values, rel=1e-4), id_
        assert alone[id_].unscored == row.unscored


def test_the_means_are_those_of_llamafactorys_evaluation(
    kept: Mapping[str, Likelihood], smollm2: Path, tmp_path: Path
) -> None:
    scored = [sample for sample in (*WHOLE, *CUT) if sample.id not in UNSCORED]
    dataset.to_llamafactory(scored, tmp_path / "data", "eval")
    own = {
        "stage": "sft",
        "do_eval": True,
        "compute_accuracy": True,
        "mask_history": True,
        "model_name_or_path": str(smollm2),
        "template": TEMPLATE,
        "eval_dataset": "eval",
        "dataset_dir": str(tmp_path / "data"),
        "output_dir": str(tmp_path / "theirs"),
        "cutoff_len": CUTOFF,
        "per_device_eval_batch_size": 1,
        "report_to": "none",
    }
    store.write_json(tmp_path / "evaluate.yaml", own)
    process.run(
        process.python("llamafactory.cli", "train", str(tmp_path / "evaluate.yaml")),
        log=tmp_path / "log",
        what="LLaMA-Factory's evaluation",
    )
    theirs = json.loads((tmp_path / "theirs" / "all_results.json").read_text())
    for name, their_name in (("eval_loss", "eval_loss"), ("accuracy", "eval_accuracy")):
        values = [kept[sample.id].values[name] for sample in scored]
        assert sum(values) / len(values) == pytest.approx(theirs[their_name], rel=1e-4)


@pytest.fixture(name="broken", scope="module")
def break_model(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose weights are not all numbers: what it says is none."""
    from transformers import AutoModelForCausalLM

    folder = cut(smollm2, tmp_path_factory.mktemp("broken") / "model")
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.model.layers[1].mlp.down_proj.weight.data.fill_(math.nan)
    model.save_pretrained(folder)
    return folder


def test_what_was_measured_is_kept_through_an_interruption(broken: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def listen(event: progress.Progress) -> None:
        seen.append(event.stage)
        if interrupting and event.stage == "generate" and "eval_loss" in seen:
            raise KeyboardInterrupt

    store.write_rows(tmp_path / SAMPLES, WHOLE)
    settings = GenerateSettings(
        template=TEMPLATE, max_new_tokens=2, cutoff_len=CUTOFF, max_unanswered=1.0
    )
    for interrupting in (True, False):
        seen.clear()
        with pytest.raises(KeyboardInterrupt) if interrupting else nullcontext():
            generate(str(broken), tmp_path / SAMPLES, tmp_path / "out", settings, listen=listen)
        assert ("eval_loss" in seen) == interrupting
    assert len(list(store.read_rows(tmp_path / "out" / LIKELIHOOD, Likelihood))) == len(WHOLE)


@pytest.mark.parametrize("do_sample", [False, True])
def test_a_model_whose_loss_is_nan_is_evaluated_and_reported(
    broken: Path, tmp_path: Path, do_sample: bool
) -> None:
    side = tmp_path / "candidate"
    refused = r"of 3 samples could not be answered \(\d not_finite\), the last one: id="
    with pytest.raises(StageError, match=refused):
        evaluated(broken, WHOLE, side, batch_size=2, do_sample=do_sample)
    asked = {"do_sample": do_sample, "max_unanswered": 1.0}
    rows = evaluated(broken, WHOLE, side, batch_size=2, **asked)
    answers = store.read_rows(side / PREDICTIONS, Prediction)
    assert {row.unanswered for row in answers} == {"not_finite"}
    for row in rows.values():
        assert row.unscored == dict.fromkeys(("eval_loss", "accuracy"), "not_finite")
    store.write_rows(tmp_path / SAMPLES, WHOLE)
    settings = MetricsSettings(metrics=("rouge-l",), processes=1)
    compute_metrics(tmp_path / SAMPLES, side / PREDICTIONS, side / SCORES, settings)
    policy = GatePolicy(rules={"eval_loss": Bound(max=5)})
    written = report(tmp_path, policy=policy)
    (loss,) = (row.candidate for row in written.summary if row.name == "eval_loss")
    assert loss
    assert loss.value is None
    assert loss.unscored == {"not_finite": len(WHOLE)}
    assert written.gate
    assert written.gate.decision == "NO_GO"
