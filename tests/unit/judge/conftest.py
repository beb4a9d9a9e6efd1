"""What the judge's tests share: a dataset, its predictions, and the real llama.cpp server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assay import store
from assay.demo.judge_model import MODEL
from assay.judge import JudgeSettings
from assay.records import Message, Prediction, Sample

Make = Callable[[int], tuple[Path, Path]]


def sample(id: str, question: str = "What is 2 + 2?", target: str = "4") -> Sample:  # noqa: A002
    return Sample(id=id, messages=(Message(role="user", content=question),), target=target)


def prediction(id: str, output: str = "It is 4.") -> Prediction:  # noqa: A002
    return Prediction(id=id, output=output, finish="stop", prompt_tokens=9, output_tokens=4)


@pytest.fixture
def files(tmp_path: Path) -> Make:
    """Write dataset.jsonl and predictions.jsonl with so many rows."""

    def make(count: int) -> tuple[Path, Path]:
        names = [f"s{number}" for number in range(count)]
        samples, predictions = tmp_path / "dataset.jsonl", tmp_path / "predictions.jsonl"
        store.write_rows(samples, (sample(name, f"What is {name}?") for name in names))
        store.write_rows(predictions, (prediction(name, f"It is {name}.") for name in names))
        return samples, predictions

    return make


@pytest.fixture(scope="session")
def judge_server(
    judge_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JudgeSettings]:
    """Run the demo's llama.cpp server; the value are settings that ask it."""
    port_file = tmp_path_factory.mktemp("judge") / "port"
    module = [sys.executable, "-m", "assay.demo.judge_server"]
    command = [*module, "--port-file", str(port_file), "--slots", "2", "--threads", "1"]
    with subprocess.Popen(command) as server:
        try:
            for _ in range(600):
                if port_file.exists() or server.poll() is not None:
                    break
                time.sleep(0.1)
            yield JudgeSettings(
                endpoint=f"http://127.0.0.1:{port_file.read_text()}/v1",
                model=MODEL,
                api_key_env="",
                self_test=False,
                flip_sample=0,
                max_tokens=320,  # 200 characters of commentary may be as many tokens
                concurrency=2,
                timeout_s=300,
            )
        finally:
            server.terminate()
