"""A served model that has moved to another address keeps what it gave, and the report says so."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import yaml

from assay import resume, store
from assay.cli.main import main
from assay.errors import SettingsError, StageError
from assay.folder import GENERATION
from assay.records import Generation
from tests.faults.endpoint import Answer, Body, Handler, chat, error, serving
from tests.unit.served.conftest import answered, model_at, sample

ROWS = [sample(f"s{number}") for number in range(12)]
DYING = {"outage_s": 0.3, "retries": 0, "concurrency": 1}


def dying(after: int) -> Handler:
    """Return a handler that has no room after so many answers."""
    calls = itertools.count()
    return lambda _: chat("4") if next(calls) < after else error(503, "no room")


def right(_: Body) -> Answer:
    return chat("4")


def test_the_rest_is_asked_where_it_is_now(tmp_path: Path) -> None:
    with serving(dying(5)) as old, serving(right) as new:
        with pytest.raises(StageError) as ended:
            answered(model_at(old.url, **DYING), ROWS, tmp_path)
        assert "assay generate RUN --set model.endpoint=URL goes on" in ended.value.remedy
        done, rows = answered(model_at(new.url), ROWS, tmp_path)
        assert len(new.requests) == 7
    assert {row.output for row in rows.values()} == {"4"}
    assert done.served
    assert done.served.endpoint == new.url
    assert done.served.endpoints == {old.url: 5, new.url: 7}


@pytest.mark.parametrize("finished", [True, False])
def test_only_anew_asks_all_of_it_there(tmp_path: Path, *, finished: bool) -> None:
    with serving(right if finished else dying(5)) as old, serving(right) as new:
        if finished:
            answered(model_at(old.url), ROWS, tmp_path)
        else:
            with pytest.raises(StageError):
                answered(model_at(old.url, **DYING), ROWS, tmp_path)
        with resume.anew():
            done, _ = answered(model_at(new.url), ROWS, tmp_path)
        assert len(new.requests) == 12
    assert done.served
    assert done.served.endpoints == {new.url: 12}


def test_what_is_all_there_stays_and_says_where_it_came_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(right) as old, serving(right) as new:
        answered(model_at(old.url), ROWS, tmp_path)
        done, _ = answered(model_at(new.url), ROWS, tmp_path)
        assert new.requests == []
        told = f"has all answers, from {old.url}: {new.url} is asked nothing\n"
    assert told in capsys.readouterr().out
    assert done == store.read_record(tmp_path / "candidate" / GENERATION, Generation)
    assert done.served
    assert done.served.endpoint == old.url


def test_another_name_at_another_address_is_another_model(tmp_path: Path) -> None:
    with serving(right) as old, serving(right) as new:
        answered(model_at(old.url), ROWS, tmp_path)
        other = type(model_at(new.url))(endpoint=new.url, name="other")
        with pytest.raises(SettingsError, match=r"another .*model\.name: 'fake', not 'other'"):
            answered(other, ROWS, tmp_path)


@pytest.mark.parametrize("side", ["model", "baseline"])
def test_a_run_names_the_way_and_goes_on_by_it(
    side: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"instruction": f"What is {n}, if anything?", "output": "4"} for n in range(12)]
    (tmp_path / "eval.json").write_text(json.dumps(rows))
    out, file = tmp_path / "out", tmp_path / "run.yaml"
    with serving(dying(6)) as old, serving(right) as new, serving(right) as other:
        usual = {"name": "fake", "repeat_sample": 0, **DYING}
        sides = {name: {"endpoint": other.url, **usual} for name in ("model", "baseline")}
        metrics = {"metrics": ["exact-match"]}
        values = {"mode": "auto", "dataset": {"eval": str(tmp_path / "eval.json")}, **sides}

        def run(url: str) -> int:
            own = {side: {"endpoint": url, **usual}}
            file.write_text(yaml.safe_dump({**values, "metrics": metrics, **own}))
            return main(["run", str(file), "--out", str(out)])

        assert run(old.url) == 1
        assert run(new.url) == 2
        told = capsys.readouterr().err
        assert f"assay generate RUN --set {side}.endpoint=URL goes on with its answers" in told
        assert main(["generate", str(out), "--set", f"{side}.endpoint={new.url}"]) == 0
        assert len(new.requests) == 7  # one of the first six was preflight's
        assert run(old.url) == 0
        assert len(new.requests) == 7
    report = json.loads((out / "report.json").read_text())
    told = "\n".join(caution["text"] for caution in report["cautions"])
    name = "candidate" if side == "model" else side
    assert (
        f"The {name}'s endpoint has moved: 5 answers are from {old.url}, 7 from {new.url}." in told
    )
