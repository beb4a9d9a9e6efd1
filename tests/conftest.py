"""Fixtures that several areas share."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from assay import hub, intervals
from assay.demo.base_model import base_model
from assay.demo.judge_model import judge_model as judge_model_file
from assay.engine.vllm import environment
from assay.stats import comparison, metrics
from tests import minio
from tests.needs import need

BUCKETS = itertools.count()
OF_THE_MODEL = {"smollm2", "judge_model", "llamafactory", "vllm"}  # fixtures
OWN_VLLM = os.environ.get(environment.VARIABLE, "")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as Assay's child processes have it
# a shell's background jobs ignore it, and so would all that the tests start
signal.signal(signal.SIGINT, signal.default_int_handler)


# how long an example takes is the machine's business
hypothesis.settings.register_profile("assay", deadline=None)
hypothesis.settings.load_profile("assay")


def pytest_xdist_auto_num_workers() -> int:
    """Two a core, as many tests wait; each takes as long to start as 30 tests to run."""
    return min(8, 2 * (os.cpu_count() or 1))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the model, or LLaMA-Factory with PyTorch: `make test` leaves it out."""
    for item in items:
        if OF_THE_MODEL & set(getattr(item, "fixturenames", ())):
            item.add_marker("model")


@pytest.fixture(autouse=True)
def _no_llamafactory_unasked(request: pytest.FixtureRequest) -> Iterator[None]:
    """What loads it asks for one of the fixtures above, or `make test` takes long again."""
    before = "llamafactory" in sys.modules
    yield
    if not before and not request.node.get_closest_marker("model"):
        assert "llamafactory" not in sys.modules, f"the test needs a fixture: {OF_THE_MODEL}"


@pytest.fixture(autouse=True)
def _no_vllm_unasked(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Who answers does not depend on whether this machine has vLLM."""
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path_factory.getbasetemp() / "no-vllm"))


@pytest.fixture(autouse=True)
def _no_hub_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks the world's hub, nor waits for one that is away."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "_WAIT_SECONDS", 0)


@pytest.fixture(name="any_hub")
def make_any_hub(monkeypatch: pytest.MonkeyPatch) -> str:
    """A hub that has every model, each at this commit."""
    monkeypatch.setattr(hub, "_found", lambda *_: "1" * 40)
    return "1" * 40


@pytest.fixture(name="vllm")
def make_vllm(_no_vllm_unasked: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vLLM of this machine."""
    monkeypatch.setenv(environment.VARIABLE, OWN_VLLM)
    need(environment.python() is not None, "needs vLLM: make setup-vllm")


def once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of an array that computes what it returns once for each array."""

    @functools.lru_cache(maxsize=4096)
    def computed(values: bytes, scale: Any, clusters: bytes | None, how: Any) -> Any:
        numbers = None if clusters is None else np.frombuffer(clusters, dtype=np.int64)
        return function(np.frombuffer(values), scale, clusters=numbers, **dict(how))

    def remembered(values: Any, scale: Any = None, *, clusters: Any = None, **how: Any) -> Any:
        numbers = None if clusters is None else clusters.tobytes()
        return computed(values.tobytes(), scale, numbers, tuple(how.items()))

    return remembered


@pytest.fixture(autouse=True, scope="session")
def _the_same_scores_have_the_same_intervals() -> Iterator[None]:
    """Most tests report on the run in tests/data: what is computed of its scores is kept. The
    tests of intervals call the functions themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "interval", once(intervals.interval))
        patch.setattr(comparison, "interval", once(intervals.interval))
        patch.setattr(comparison, "detectable", once(intervals.detectable))
        yield


@pytest.fixture(autouse=True)
def _no_judge_is_known(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier test's endpoint refused is none of the next one's, at the same port."""
    folder = tmp_path_factory.getbasetemp() / f"judges-{next(BUCKETS)}"
    monkeypatch.setattr("assay.judge.learned.cache_folder", lambda: folder)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The directory of SmolLM2-135M-Instruct, converted once on this machine."""
    return base_model()


@pytest.fixture(scope="session")
def judge_model() -> Path:
    """The same model as llama.cpp loads it, for the demo's judge."""
    return judge_model_file()


@pytest.fixture(scope="session")
def llamafactory() -> None:
    """LLaMA-Factory, to be imported by the test itself."""
    installed = importlib.util.find_spec("llamafactory") is not None
    need(installed, "needs LLaMA-Factory: pip install 'assay[finetune]'")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[minio.Minio]:
    """A MinIO, one for all tests that need any."""
    with minio.serve(tmp_path_factory.mktemp("minio")) as running:
        yield running


@pytest.fixture(name="bucket")
def make_bucket(server: minio.Minio, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of a new bucket, which the environment leads to."""
    from assay.store import s3

    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{next(BUCKETS)}"
    s3.client("minio").create_bucket(Bucket=name)
    return f"minio://{name}"
