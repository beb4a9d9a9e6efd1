"""The demo's artifacts in a MinIO of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assay import progress, store
from assay.demo import artifacts
from assay.errors import InputError, SettingsError
from tests import minio
from tests.processes import using


def make_run(folder: Path) -> tuple[Path, Path]:
    """A run folder as the report's task leaves it, and the tuned model beside it."""
    run, model = folder / "run", folder / "model"
    (run / "model").mkdir(parents=True)
    (run / "candidate").mkdir()
    model.mkdir()
    (run / "report.html").write_text("page")
    (run / "candidate" / "scores.jsonl").write_text("{}\n")
    for place in (run / "model", model):
        (place / "manifest.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    return run, model


def test_the_demo_starts_a_minio_and_lists_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(minio.binary()).parent}:{os.environ['PATH']}")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    run, model = make_run(tmp_path)
    with artifacts.opened("minio", tmp_path / "demo") as uri:
        artifacts.send_run(run, model, f"{uri}/run", progress.ignore)
        assert artifacts.describe(uri).splitlines() == [
            f"Objects of {uri}:",
            "            3  run/candidate/scores.jsonl",
            "            2  run/model/manifest.json",
            "            7  run/model/model.safetensors",
            "            4  run/report.html",
        ]
        with store.mirrored(f"{uri}/run") as mirror:
            assert (mirror.folder / "model" / "model.safetensors").read_bytes() == b"weights"
    assert "AWS_ENDPOINT_URL_S3" not in os.environ
    assert using(tmp_path / "demo") == []
    with artifacts.opened("minio", tmp_path / "demo") as uri:
        assert store.exists(f"{uri}/run/model"), "what was there is there again"


def test_a_store_of_ones_own_or_none_is_taken_as_it_is(tmp_path: Path) -> None:
    for where in ("", "s3://bucket/demo"):
        with artifacts.opened(where, tmp_path) as uri:
            assert uri == where


def test_what_is_no_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="Write minio"), artifacts.opened("maxio", tmp_path):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no minio on PATH"), artifacts.opened("minio", tmp_path):
        pass
