"""The notebooks run from the first cell to the last, and are kept without their outputs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.report import report
from tests.kfp.kfp_server import KfpServer
from tests.kfp.served import serve

ROOT = Path(__file__).parents[2]
NBCLIENT = "from nbclient.cli import main; main()"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CONFIG = {"mode": "auto", "dataset": {"eval": "s3://b/eval.json"}, "model": "s3://b/model"}


def execute(number: int, folder: Path, **environment: str) -> str:
    """Run a notebook in `folder` and return what its cells printed and showed."""
    (path,) = (path for path in NOTEBOOKS if path.name.startswith(f"{number}-"))
    done = folder / path.name
    shutil.copy(path, done)
    command = [sys.executable, "-c", NBCLIENT, str(done), "--inplace", "--timeout=300"]
    here = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}", "IPYTHONDIR": str(folder)} | environment
    ran = subprocess.run(command, cwd=folder, env=here, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    cells = json.loads(done.read_text())["cells"]
    return json.dumps([output for cell in cells for output in cell.get("outputs", [])])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("first", "second", "third"):
        report(Path(shutil.copytree(ROOT / "tests" / "data" / "run", tmp_path / "runs" / name)))
    return tmp_path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_no_output_is_kept(path: Path) -> None:
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert cell["metadata"] == {}
    assert path.read_text() == json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def test_one_evaluates_on_this_machine(runs: Path) -> None:
    shown = execute(1, runs)
    assert "report.html" in shown
    assert "length-ratio" in shown
    metrics = json.loads((runs / "runs" / "first" / "metrics.json").read_text())["metrics"]
    assert {"bleu-4", "exact-match"} <= {row["name"] for row in metrics}


def test_one_goes_on_with_a_run_that_was_interrupted(tmp_path: Path) -> None:
    answers = [{"prompt": f"Say {n}.", "output": f"{n}", "label": f"{n}"} for n in range(12)]
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    files = dict.fromkeys(("candidate", "baseline"), "answers.json")
    setup = {"mode": "auto", "predictions": files, "metrics": {"metrics": ["exact-match"]}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(setup))
    (tmp_path / "runs" / "first").mkdir(parents=True)
    assert "report.html" in execute(1, tmp_path)


def test_two_submits_and_follows(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    with serve() as server:
        cluster = threading.Thread(target=run_it, args=(server,), daemon=True)
        cluster.start()
        shown = execute(2, tmp_path, ASSAY_KFP_ENDPOINT=server.url)
        cluster.join(10)
    assert "SUCCEEDED" in shown
    assert "Preflight, done in" in shown
    assert "64 samples are usable" in shown


def run_it(server: KfpServer) -> None:
    """Be the cluster: take the run that appears to its end."""
    while not server.runs:
        time.sleep(0.05)
    (run,) = server.runs
    server.task(run, "preflight", "SUCCEEDED", "64 samples are usable\n")
    server.end(run, "SUCCEEDED")


def test_three_reads_many_runs(runs: Path) -> None:
    shown: Any = execute(3, runs)
    for name in ("first", "second", "third", "overall", "application/vnd.plotly.v1+json"):
        assert name in shown
    assert "timeout" in shown
