"""`assay demo`: the whole pipeline through kfp.local, on real parts of a small size."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay import local, process, progress, store, terminal
from assay.demo import artifacts
from assay.demo.base_model import TEMPLATE, base_model
from assay.demo.judge_model import MODEL
from assay.engine import AUTO
from assay.errors import StageError
from assay.folder import REPORT_HTML

DATA = Path(__file__).parent / "data"
START_SECONDS = 60.0
JUDGED = 24  # of each side, by the demo's own judge: two cores take a second for each
TWICE = 6  # of these are judged a second time
ENDPOINT, JUDGE_MODEL = "ASSAY_JUDGE_ENDPOINT", "ASSAY_JUDGE_MODEL"
FINISHED = "finished"
CAUTION = (
    "The judge of this demo is the same 135M model: it shows the machinery on "
    f"{JUDGED} answers of each side, its scores mean little. "
    f"Set {ENDPOINT}, {JUDGE_MODEL} and ASSAY_JUDGE_API_KEY to use your own."
)


def run_demo(folder: Path, where: str = "", engine: str = AUTO) -> Path:
    """Fine-tune and evaluate SmolLM2-135M on the demo's data in `folder`; return the report.

    `where` is a store for the base model, the data and what comes of them: see artifacts.opened.
    `engine` is who answers, as generate.engine. An interrupted demo resumes at its first unfinished
    stage, a finished one starts anew.
    """
    started = time.monotonic()
    with store.held(folder), artifacts.opened(where, folder) as uri:
        with terminal.live() as listen:
            base = base_model(listen)
            _begin(folder, base, engine)
            run = _run(base, folder, uri, engine, listen)
        if uri:
            print(artifacts.describe(uri))
        (folder / FINISHED).touch()
    report = run / REPORT_HTML
    terminal.print_summary(run)
    if ENDPOINT not in os.environ:
        print(CAUTION)
    print(f"Done in {progress.clock(time.monotonic() - started)}. Report: {report}")
    return report


def _run(base: Path, folder: Path, uri: str, engine: str, listen: progress.Listener) -> Path:
    """Run the pipeline, from the store and into it where there is one; return the run folder."""
    model, data = str(base), str(DATA)
    if uri:
        model = artifacts.send(base, f"{uri}/base-model", listen)
        data = artifacts.send(DATA, f"{uri}/data", listen)
    with judge(folder) as judge_parameters:
        parameters = {**_parameters(model, data, engine), **judge_parameters}
        run = local.run_pipeline("finetune_and_evaluate", parameters, folder, listen)
    if uri:
        tuned = run.parents[1] / "finetune" / "model"
        artifacts.send_run(run, tuned, f"{uri}/run", listen)
    return run


@contextmanager
def judge(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the pipeline's parameters of the user's judge, or of one started on the loopback."""
    if endpoint := os.environ.get(ENDPOINT):
        yield {"judge_endpoint": endpoint, "judge_model": os.environ.get(JUDGE_MODEL, "")}
        return
    port = _port(folder)
    port_file = folder / "judge.port"
    port_file.unlink(missing_ok=True)
    log = folder / "judge.log"
    server = process.python(
        "assay.demo.judge_server", "--port-file", str(port_file), "--port", str(port)
    )
    with process.background(server, log=log) as child:
        deadline = time.monotonic() + START_SECONDS
        while not port_file.is_file():
            if child.poll() is not None or time.monotonic() > deadline:
                raise StageError("the demo's judge did not start", f"See {log}")
            time.sleep(process.POLL_SECONDS)
        yield {
            "judge_endpoint": f"http://{process.LOOPBACK}:{port}/v1",
            "judge_model": MODEL,
            "judge_max_tokens": 320,
            "judge_settings": {
                "api_key_env": "",
                "concurrency": 4,
                "timeout_s": 300,
                "max_samples": JUDGED,
                "flip_sample": TWICE,
            },
        }


def _port(folder: Path) -> int:
    """Return the same free port for each try in `folder`: a resumed run asks for the same judge,
    as it would anywhere else."""
    remembered = folder / "port"
    if remembered.is_file():
        return int(remembered.read_text())
    port = process.free_port()
    store.write_text(remembered, str(port))
    return port


def _parameters(model: str, data: str, engine: str) -> dict[str, Any]:
    return {
        "base_model": model,
        "template": TEMPLATE,
        "train_dataset": f"{data}/dataset_info.json#smart_home_train",
        "eval_dataset": f"{data}/dataset_info.json#smart_home_eval",
        "learning_rate": 5e-4,
        "num_epochs": 0.8,
        "batch_size": 8,
        "generate_settings": {"max_new_tokens": 32, "batch_size": 16, "engine": engine},
        "finetune_settings": {
            "lora_rank": 16,
            # checkpoints would save memory, which is plenty, and take a third more time; samples of
            # one length in a batch save a seventh
            "llamafactory": {
                "disable_gradient_checkpointing": True,
                "train_sampling_strategy": "group_by_length",
                **_precision(),
            },
        },
    }


def _precision() -> dict[str, Any]:
    """Return LLaMA-Factory's settings for training in bfloat16 on a CPU that computes in it, which
    is about three times as fast there; none elsewhere. A GPU is used as LLaMA-Factory finds it."""
    flags = Path("/proc/cpuinfo")
    native = flags.is_file() and re.search(r"\b(avx512_bf16|amx_bf16)\b", flags.read_text())
    return {"bf16": True, "use_cpu": True} if native and not shutil.which("nvidia-smi") else {}


def _begin(folder: Path, base: Path, engine: str) -> None:
    """Forget an earlier run unless it was interrupted and would be the same again."""
    identity = folder / "identity"
    wanted = _identity(base, engine)
    same = identity.is_file() and identity.read_text() == wanted
    if (folder / FINISHED).exists() or not same:
        local.forget(folder)
    (folder / FINISHED).unlink(missing_ok=True)
    store.write_text(identity, wanted)


def _identity(base: Path, engine: str) -> str:
    """Return the digest of everything that a resumed demo must share with the interrupted one."""
    digest = hashlib.sha256(f"{sys.version} {base} {engine}".encode())
    for path in sorted(Path(__file__).parents[1].rglob("*")):
        if path.is_file() and path.suffix not in (".pyc",):
            digest.update(path.read_bytes())
    return digest.hexdigest()
