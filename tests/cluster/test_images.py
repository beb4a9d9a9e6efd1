"""The cpu image, built from its Containerfile: what it holds, and what runs in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import __version__
from components.images import CPU_IMAGE
from tests.cluster import built
from tests.needs import need

ROOT = Path(__file__).parents[2]
# the first one builds the image
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module", name="image")
def cpu_image() -> str:
    lacks = built.missing()
    need(not lacks, f"building an image needs {', '.join(lacks)}")
    return built.build("cpu")


@pytest.fixture(scope="module", name="root")
def cpu_root(image: str) -> Iterator[Path]:
    with built.unpacked(image) as root:
        yield root


@pytest.fixture(name="folder")
def writable_run(tmp_path: Path) -> Path:
    """A run with its answers, which the image's user may write."""
    folder = answered_run(tmp_path / "work")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    return folder


def test_it_has_at_most_500_megabytes(root: Path) -> None:
    files = {(s.st_ino, s.st_size) for s in map(Path.lstat, root.rglob("*"))}
    assert sum(size for _, size in files) <= 500e6


def test_it_has_no_torch_and_no_tools_to_build_with(root: Path) -> None:
    (packages,) = root.glob("opt/assay/lib/python3*/site-packages")
    for name in ("torch", "transformers", "llamafactory", "pip", "setuptools", "hatchling"):
        assert not (packages / name).exists(), name
    for name in ("cc", "gcc", "g++", "ld", "make", "git"):
        assert not list(root.glob(f"usr/*bin/{name}")), name


def test_its_user_home_and_labels(image: str, root: Path) -> None:
    said = built.configuration(image)
    assert said["User"] == "65532:65532"
    assert (root / "home/assay").stat().st_uid == 65532
    assert said["Labels"]["org.opencontainers.image.version"] == __version__
    assert image == CPU_IMAGE


def test_the_command_runs_with_a_read_only_root(root: Path, image: str) -> None:
    done = built.run(root, image, "assay", "--version")
    assert (done.returncode, done.stdout) == (0, f"assay {__version__}\n"), done.stderr
    done = built.run(root, image, "sh", "-c", "id -u; touch /home/assay/x")
    assert done.stdout == "65532\n"
    assert "Read-only" in done.stderr
    done = built.run(root, image, "sh", "-c", 'mkdir -p "$XDG_CACHE_HOME/huggingface"')
    assert done.returncode == 0, done.stderr


def test_it_measures_and_reports_as_this_machine_does(
    root: Path, image: str, folder: Path, tmp_path: Path
) -> None:
    for stage in ("metrics", "report"):
        done = built.run(root, image, "assay", stage, "/tmp/work", folder=folder)  # noqa: S108
        assert done.returncode == 0, done.stdout + done.stderr
    here = answered_run(tmp_path / "here")
    for stage in ("metrics", "report"):
        subprocess.run([sys.executable, "-m", "assay", stage, str(here)], check=True)
    assert totals(folder) == totals(here)
    assert totals(folder)[("candidate", "meteor")][0] is not None


def test_kfps_executor_runs_a_component_in_it(root: Path, image: str, folder: Path) -> None:
    command = component("auto-metrics", folder)
    done = built.run(root, image, *command, folder=folder, TMPDIR="/tmp")  # noqa: S108
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "out/candidate/scores.jsonl").is_file()


def answered_run(folder: Path) -> Path:
    shutil.copytree(ROOT / "tests/data/run", folder)
    for scores in folder.rglob("scores.jsonl"):
        scores.unlink()
    (folder / "config.yaml").write_text("mode: auto\nmodel: tuned\ndataset: {eval: eval.json}\n")
    return folder


def totals(folder: Path) -> dict[tuple[str, str], tuple[Any, Any]]:
    rows = json.loads((folder / "metrics.json").read_text())["metrics"]
    return {(row["side"], row["name"]): (row["value"], row["n"]) for row in rows}


def component(name: str, folder: Path) -> list[str]:
    """Return a component's command as KFP runs it, its artifacts in /tmp/work."""
    text = (ROOT / "pipelines/evaluate.yaml").read_text()
    specification = next(yaml.safe_load_all(text))
    container = specification["deploymentSpec"]["executors"][f"exec-{name}"]["container"]
    inputs = {"samples": "", "baseline": "baseline", "candidate": "candidate"}
    given = {
        "inputs": {
            "parameterValues": {"name": "metrics", "mode": "auto", "settings": {}},
            "artifacts": {key: artifact(path) for key, path in inputs.items()},
        },
        "outputs": {
            "artifacts": {"scores": artifact("out")},
            "outputFile": "/tmp/work/executor_output.json",  # noqa: S108
        },
    }
    arguments = [
        json.dumps(given) if part == "{{$}}" else part
        for part in [*container["command"], *container["args"]]
    ]
    assert re.search("executor_main", " ".join(arguments))
    return arguments


def artifact(path: str) -> dict[str, Any]:
    place = f"/tmp/work/{path}".rstrip("/")  # noqa: S108
    entry = {"name": "a", "uri": place, "type": {"schemaTitle": "system.Dataset"}, "metadata": {}}
    return {"artifacts": [entry]}
