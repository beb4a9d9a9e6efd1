from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.store import outage, s3
from tests.unit.store.time_of_its_own import Time


@pytest.fixture
def raw(bucket: str) -> Any:
    """The client itself, to look behind the library's back."""
    return s3.client("minio")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model directory: small files, an empty one, and one of several parts."""
    path = tmp_path / "model"
    (path / "nested").mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "nested" / "empty.txt").write_bytes(b"")
    (path / "model.safetensors").write_bytes(os.urandom(40 << 20))
    return path


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    patience = outage.Patience(clock=lambda: found.now, sleep=found.sleep)
    monkeypatch.setattr(outage, "patience", patience)
    # botocore's own pauses, up to 20 s of them before each of ours
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    return found


@pytest.fixture
def nothing_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(outage, "_watches", {})
    monkeypatch.setenv("AWS_REGION", tmp_path.name)  # no client of another test
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
