from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from assay.store import s3


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
