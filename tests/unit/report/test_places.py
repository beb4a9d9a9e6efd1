"""A report that travels names no folder of the machine that it was made on, unless asked to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from assay.cli.main import main
from assay.report import report
from assay.report.places import last

DATA = Path(__file__).parents[2] / "data" / "run"
HOME = "/home/alice/secret-project"
WRITTEN = ("report.html", "report.md", "report.json", "metrics.json", "report.junit.xml")
ORIGIN = {
    "entry": f"{HOME}/cache/5f-cpu.zip",
    "place": f"{HOME}/runs/first/baseline",
    "made": "2026-11-25T03:31:07Z",
    "seconds": 3725.0,
    "runner": "here",
}


def edit(path: Path, **values: Any) -> None:
    held = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(held | values))


@pytest.fixture(name="run")
def make_run(tmp_path: Path) -> Path:
    """A run whose models, data, cache, settings and left out rows lie in HOME."""
    run = Path(shutil.copytree(DATA, tmp_path / "run"))
    settings = {"llamafactory": {"cache_dir": f"{HOME}/hub", "default_system": "/no_think"}}
    for side, name in (("baseline", "base"), ("candidate", "runs/first/model")):
        path, own = run / side / "generation.json", dict(settings)
        own = json.loads(path.read_text())["settings"] | settings
        edit(path, model=f"{HOME}/{name}", base_model=f"{HOME}/base", settings=own)
    edit(run / "baseline" / "generation.json", origin=ORIGIN)
    for part in ("eval", "train"):
        held = json.loads((run / "dataset.json").read_text())
        if held.get(part):
            source = f"{HOME}/data/{part}.json"
            invalid = [f"{source}:3: output is missing"]
            edit(
                run / "dataset.json", **{part: held[part] | {"source": source, "invalid": invalid}}
            )
    asked = {"model": f"{HOME}/runs/first/model", "dataset": {"eval": f"{HOME}/data/eval.json"}}
    (run / "config.yaml").write_text(
        json.dumps(asked | {"gate": {"rules": {"rouge-l": {"min": 1}}}})
    )
    return run


def test_a_report_names_no_folder_of_this_machine(run: Path) -> None:
    report(run)
    written = [run / name for name in WRITTEN if (run / name).is_file()]
    assert len(written) == len(WRITTEN)
    for path in written:
        assert "secret-project" not in path.read_text(), path.name
    page = (run / "report.html").read_text()
    for name in ("first/model", "eval.json", "eval.json:3: output is missing", "/no_think"):
        assert name in page


def test_it_does_where_it_is_asked_to(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "--paths"]) == 0
    document = json.loads((run / "report.json").read_text())
    assert document["sides"][1]["model"] == f"{HOME}/runs/first/model"
    assert main(["report", str(run)]) == 0
    document = json.loads((run / "report.json").read_text())
    assert document["sides"][1]["model"] == "first/model"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("/a/b/c", "c"),
        ("/a/b/model/", "b/model"),
        ("owner/name", "name"),
        ("name", "name"),
        ("/a/data#one,two", "data#one,two"),
    ],
)
def test_the_last_part_of_a_name(name: str, short: str) -> None:
    assert last(name) == short


def test_what_is_no_path_of_this_machine_stays(run: Path) -> None:
    for side, name in (("baseline", "owner/base"), ("candidate", "s3://bucket/runs/model")):
        edit(run / side / "generation.json", model=name, base_model="models/base")
    sides = report(run).sides
    assert [side.model for side in sides] == ["owner/base", "s3://bucket/runs/model"]
    assert [side.base_model for side in sides] == ["models/base", "models/base"]
