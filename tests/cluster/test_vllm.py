"""The real vLLM in the pods of a Volcano Job, an adapter beside its base: the answers are those of
transformers here, though the server of one pod is killed in the middle."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.engine.vllm import environment
from assay.folder import GENERATION, PREDICTIONS, SAMPLES
from assay.generate import GenerateSettings, generate
from assay.queues import Work
from assay.records import Message, Sample
from tests.cluster import kube
from tests.cluster.kube import Object, Space
from tests.cluster.launchers import Start, eventually, last_line
from tests.end_to_end.two_layers import adapter, cut

PODS, COUNT = 2, 24
ASKED: dict[str, Any] = {"template": TEMPLATE, "max_new_tokens": 32, "evaluate_loss": False}
# its servers compile nothing, and do not take the same core
QUICK = {"TORCHDYNAMO_DISABLE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
# one at a time, so that there is a middle to be killed in
WITH_VLLM = {**ASKED, "engine": "vllm", "vllm": {"max_num_seqs": 1}}


@pytest.fixture(name="samples")
def written_samples(tmp_path: Path) -> Path:
    """A folder with what is asked."""
    texts = [f"Count from {number} to {number + 9}." for number in range(COUNT)]
    rows = [
        Sample(id=str(at), messages=(Message(role="user", content=text),), target="One.")
        for at, text in enumerate(texts)
    ]
    store.write_rows(tmp_path / "samples" / SAMPLES, rows)
    return tmp_path / "samples"


@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("vllm")
def test_pods_with_vllm_answer_as_transformers_does(
    space: Space, root: str, start: Start, smollm2: Path, samples: Path, tmp_path: Path
) -> None:
    base = cut(smollm2, tmp_path / "base")
    tuned = adapter(base, tmp_path / "tuned")
    for folder in (samples, base, tuned):
        store.publish(folder, f"{root}/{folder.name}")
    arguments = {
        "side": "candidate",
        "model": f"{root}/tuned",
        "base_model": f"{root}/base",
    }
    work = Work(
        stage="generate",
        samples=f"{root}/samples",
        outputs={"predictions": f"{root}/predictions"},
        arguments={**arguments, "settings": WITH_VLLM},
    )
    there = {environment.VARIABLE: str(environment.folder().resolve()), **QUICK}
    pods = {"replicas": PODS, "retries": 1, "memory": "6Gi"}
    launcher = start(work, environment=there, task=with_vllm(), **pods)
    answered = re.compile(r"^generate \(candidate\): (\d+)/", re.MULTILINE)
    both = COUNT // PODS + 2  # no pod has that many: each has answered two
    eventually(
        lambda: any(int(done) >= both for done in answered.findall(launcher.output)), "answers", 600
    )
    os.kill(a_server(), signal.SIGKILL)
    settings, ours = GenerateSettings(**ASKED, engine="transformers"), tmp_path / "ours"
    generate(str(tuned), samples / SAMPLES, ours, settings, base_model=str(base))
    assert launcher.wait(600) == 0, launcher.output

    theirs = store.fetch(work.key, tmp_path / "theirs")
    assert (theirs / PREDICTIONS).read_bytes() == (ours / PREDICTIONS).read_bytes()
    record = store.read_json(theirs / GENERATION)
    assert (record["engine"], record["samples"]) == ("vllm", COUNT)
    assert record["digest"] == last_line(launcher)["digest"]
    assert "vLLM ended with signal SIGKILL" in launcher.output
    assert "going on from what an earlier try has done" in launcher.output
    assert [name for name in store.listed(root) if ".partial" in name] == []


def with_vllm() -> dict[str, list[Object]]:
    """Return what puts vLLM's environment into a pod, too."""
    folder = environment.folder().resolve()
    return kube.mounted(folder, (folder / "bin" / "python").resolve().parents[1])


def a_server() -> int:
    """Return the process of a pod's server, which has not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(environment.KEEPER).encode() in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    assert found, "no server runs"
    return min(found)
