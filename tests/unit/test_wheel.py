"""The wheel carries everything that a run needs: no checkout is needed beside it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED = (
    "assay/pipelines/evaluate.yaml",
    "assay/pipelines/finetune_and_evaluate.yaml",
    "assay/demo/data/train.json",
    "assay/demo/data/dataset_info.json",
    "assay/llamafactory/names.json",
    "assay/metrics/wordnet/synonyms.txt.z",
    "assay/metrics/wordnet/LICENSE",
    "assay/judge/rubrics/default-en.yaml",
    "assay/report/page.html",
    "assay/report/schema.json",
    "assay/py.typed",
)


def test_the_wheel_is_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in NEEDED:
            assert name in names
        for pipeline in (ROOT / "pipelines").glob("*.yaml"):
            assert archive.read(f"assay/pipelines/{pipeline.name}") == pipeline.read_bytes()
    assert not [name for name in names if "make" in name], "what makes the data is no part of it"
    assert not [name for name in names if not name.startswith(("assay/", "assay-"))]
