"""`assay accept`, and what later runs make of the last accepted model: report and gate."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import config, report, store, task
from assay.cli.main import main
from assay.errors import InputError, SettingsError
from assay.gate import Gate
from assay.report import Report, accept, check_history, objects
from assay.report.history import KEPT

DATA = Path(__file__).parents[2] / "data" / "run"
RULES = {"overall": {"max_drop": 1.0}, "rouge-l": {"max_drop": 30}}


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def a_run(folder: Path, history: str, **policy: Any) -> Path:
    """A run with a gate whose candidate is a model of its own, by the folder's name."""
    shutil.copytree(DATA, folder)
    asked = yaml.safe_load((folder / "config.yaml").read_text()) | {"history": history}
    asked["gate"] = {"rules": RULES, "min_pairs": 10, "max_unscored": 0.2} | policy
    (folder / "config.yaml").write_text(yaml.safe_dump(asked))
    digest = store.hash_rows([folder.name])
    edit(folder / "candidate/generation.json", digest=digest, model=f"models/{folder.name}")
    edit(folder / "model/manifest.json", digest=digest)
    return folder


def lower(run: Path, side: str, by: float) -> None:
    """The judge gives each answer of one side so much less."""
    path = run / side / "verdicts.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["values"] = {name: max(1, value - by) for name, value in row["values"].items()}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def told(run: Path, history: str) -> Report:
    return report.report_in(history, run)


def ruled(gate: Gate | None, metric: str, against: str = " vs accepted") -> tuple[str, str]:
    """The decision of the rule on a metric, and its reason."""
    assert gate is not None
    (ruling,) = (one for one in gate.rulings if one.rule.startswith(f"{metric}{against}:"))
    return ruling.decision, ruling.reason


@pytest.fixture(params=["folder", "store"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty history, in a folder and in a real MinIO."""
    if request.param == "folder":
        return str(tmp_path / "history")
    return f"{request.getfixturevalue('bucket')}/team/nightly"


@pytest.fixture
def accepted(tmp_path: Path) -> tuple[Path, str]:
    """A second run, unreported, after a first one that was accepted; and their history."""
    history = str(tmp_path / "history")
    first = a_run(tmp_path / "first", history)
    told(first, history)
    accept(str(first), by="Ada", why="the first that is fit", anyway=True)
    return a_run(tmp_path / "second", history), history


def test_who_when_and_why_are_kept_and_later_runs_are_compared(
    history: str, tmp_path: Path
) -> None:
    first = a_run(tmp_path / "first", history)
    told(first, history)
    acceptance, new = accept(str(first), by=" Ada\n", why="fit for\nus", anyway=True)
    assert new
    assert (acceptance.by, acceptance.why, acceptance.name) == (
        "Ada",
        "fit for us",
        "SmolLM2-135M-Instruct + LoRA",
    )
    second = a_run(tmp_path / "second", history)
    lower(second, "candidate", 3)
    written = told(second, history)
    assert written.accepted is not None
    assert written.accepted.acceptance == acceptance
    assert written.accepted.samples == 24
    (overall,) = (one for one in written.accepted.movements if one.name == "overall")
    assert overall.moved
    assert overall.difference < -2
    for name in ("report.md", "report.html"):
        page = (second / name).read_text()
        assert "Against the last accepted" in page
        assert "accepted by Ada on" in page
        assert "fit for us" in page
        assert ", worse" in page
    assert ruled(written.gate, "overall")[0] == "NO_GO"
    assert written.gate is not None
    assert written.gate.decision == "NO_GO"
    assert ruled(written.gate, "rouge-l")[0] == "GO"
    assert "overall vs accepted" in (second / "report.junit.xml").read_text()


def test_without_an_acceptance_nothing_changes(tmp_path: Path) -> None:
    history = str(tmp_path / "history")
    told(a_run(tmp_path / "first", history), history)
    written = told(a_run(tmp_path / "second", history), history)
    assert written.accepted is None
    assert written.gate is not None
    assert not [one.rule for one in written.gate.rulings if "vs accepted" in one.rule]
    assert "last accepted" not in (tmp_path / "second/report.md").read_text()


def test_the_rules_hold_against_what_the_policy_says(accepted: tuple[Path, str]) -> None:
    run, history = accepted
    both = told(run, history).gate
    alone = told(a_run(run.parent / "third", history, against=["baseline"]), history).gate
    only = told(a_run(run.parent / "fourth", history, against=["accepted"]), history).gate
    assert both is not None
    assert alone is not None
    assert only is not None
    assert {one.rule for one in alone.rulings} | {one.rule for one in only.rulings} == {
        one.rule for one in both.rulings
    }
    assert all("vs accepted" in one.rule for one in only.rulings)


def test_rules_against_the_accepted_alone_prove_nothing_before_there_is_one(
    tmp_path: Path,
) -> None:
    history = str(tmp_path / "history")
    written = told(a_run(tmp_path / "run", history, against=["accepted"]), history)
    decision, reason = ruled(written.gate, "overall")
    assert decision == "INCONCLUSIVE"
    assert "no model has been accepted" in reason
    assert written.gate is not None
    assert written.gate.decision == "INCONCLUSIVE"


def another_judge(run: Path) -> None:
    for side in ("baseline", "candidate"):
        edit(run / side / "judge.json", model="Other-70B", identity="1")


def another_way_to_judge(run: Path) -> None:
    for side in ("baseline", "candidate"):
        edit(run / side / "judge.json", identity="1")


def a_judge_that_drifts(run: Path) -> None:
    lower(run, "baseline", 3)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (another_judge, "The judge has changed"),
        (another_way_to_judge, "The judge is asked otherwise"),
        (a_judge_that_drifts, "The judge has drifted"),
    ],
)
def test_what_a_judge_that_has_changed_says_proves_nothing(
    accepted: tuple[Path, str], change: Callable[[Path], None], why: str
) -> None:
    run, history = accepted
    change(run)
    written = told(run, history)
    decision, reason = ruled(written.gate, "overall")
    assert decision == "INCONCLUSIVE"
    assert why in reason
    assert ruled(written.gate, "rouge-l")[0] == "GO", "it is not the judge's"
    assert written.gate is not None
    assert written.gate.decision != "GO"
    assert why in (run / "report.md").read_text()


def other_samples(run: Path, history: str) -> None:
    path = run / "dataset.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["target"] += "!"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def gone(run: Path, history: str) -> None:
    for path in Path(history).glob("2*"):
        path.unlink()


def torn_scores(run: Path, history: str) -> None:
    next(Path(history).glob("*.gz")).write_bytes(b"torn")


def torn_acceptance(run: Path, history: str) -> None:
    next(Path(history).glob("accepted-*")).write_text("{")


@pytest.mark.parametrize(
    ("spoil", "why", "refused"),
    [
        (other_samples, "only 0 of its samples are among those of this run", ""),
        (gone, "its record is gone from the history", ""),
        (torn_scores, "is no scores of a run", "is no scores of a run"),
        (torn_acceptance, "is no acceptance", "is no acceptance"),
    ],
)
def test_what_cannot_be_compared_with_is_said_and_proves_nothing(
    accepted: tuple[Path, str], spoil: Callable[[Path, str], None], why: str, refused: str
) -> None:
    run, history = accepted
    spoil(run, history)
    if refused:
        with pytest.raises(InputError, match=refused):
            check_history(history)
    else:
        check_history(history)
    written = told(run, history)
    assert written.accepted is not None
    assert why in written.accepted.problem
    assert any(why in caution.text for caution in written.cautions)
    for metric in RULES:
        decision, reason = ruled(written.gate, metric)
        assert decision == "INCONCLUSIVE"
        assert why in reason
    assert written.gate is not None
    assert written.gate.decision != "GO"
    assert "is not compared with" in (run / "report.html").read_text()


def test_the_accepted_model_itself_is_not_held_to_rules_against_it(
    accepted: tuple[Path, str],
) -> None:
    run, history = accepted
    first = store.read_json(run.parent / "first/candidate/generation.json")
    edit(run / "candidate/generation.json", digest=first["digest"], seconds=1.5)
    edit(run / "model/manifest.json", digest=first["digest"])
    written = told(run, history)
    assert written.accepted is not None
    assert written.accepted.same
    assert written.gate is not None
    assert not [one.rule for one in written.gate.rulings if "vs accepted" in one.rule]
    assert "is the accepted model itself" in (run / "report.md").read_text()


def test_it_may_be_older_than_what_the_trend_shows(accepted: tuple[Path, str]) -> None:
    run, history = accepted
    (name,) = objects.names(history).records
    record = objects.read_record(history, name)
    for number in range(KEPT + 1):
        later = replace(record, id=f"{number:016x}", time=f"2030-01-01T00:00:{number:02}.000Z")
        store.write_json(Path(history) / f"20300101T0000{number:02}000Z-{later.id}.json", later)
    written = told(run, history)
    assert written.trend is not None
    assert record.id not in {one.id for one in written.trend.runs}
    assert written.accepted is not None
    assert written.accepted.movements


def test_a_run_is_compared_with_what_was_accepted_before_it(accepted: tuple[Path, str]) -> None:
    run, history = accepted
    before = told(run, history)
    accept(str(run), by="Bo", why="better", anyway=True)
    again = told(run, history)
    assert before.accepted is not None
    assert again.accepted == before.accepted, "not with itself, nor with what came later"
    after = told(a_run(run.parent / "third", history), history)
    assert after.accepted is not None
    assert after.accepted.acceptance is not None
    assert after.accepted.acceptance.by == "Bo"


def test_the_same_folder_gives_the_same_report_without_the_history(
    accepted: tuple[Path, str],
) -> None:
    run, history = accepted
    told(run, history)
    names = ("report.json", "report.md", "report.html")
    first = {name: (run / name).read_bytes() for name in names}
    shutil.rmtree(history)
    report.report(run)
    assert {name: (run / name).read_bytes() for name in names} == first


def test_accepting_the_same_again_says_so(
    accepted: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run, history = accepted
    first = str(run.parent / "first")
    count = len(list(Path(history).glob("accepted-*")))
    assert main(["accept", first, "--by", "Bo", "--why", "again", "--anyway"]) == 0
    assert "Accepted already" in (said := capsys.readouterr().out)
    assert "by Ada at" in said
    assert len(list(Path(history).glob("accepted-*"))) == count


def test_two_that_accept_at_once_lose_nothing(tmp_path: Path) -> None:
    history = str(tmp_path / "history")
    runs = [a_run(tmp_path / name, history) for name in ("first", "second")]
    for run in runs:
        told(run, history)
    command = [sys.executable, "-m", "assay", "accept", "--why", "fit", "--anyway", "--by"]
    started = [subprocess.Popen([*command, run.name, str(run)]) for run in runs]
    assert [process.wait() for process in started] == [0, 0]
    names = objects.names(history).acceptances
    assert {objects.read_acceptance(history, name).by for name in names} == {"first", "second"}


def no_report(run: Path) -> None:
    (run / "report.json").unlink()


def no_history(run: Path) -> None:
    (run / "config.yaml").write_text("mode: auto\n")


def no_config(run: Path) -> None:
    (run / "config.yaml").unlink()


def no_record(run: Path) -> None:
    shutil.rmtree(run.parent / "history")


def no_scores(run: Path) -> None:
    next((run.parent / "history").glob("*.gz")).unlink()


def another_report(run: Path) -> None:
    (run / "report.json").write_text("[]")


def nothing(run: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (no_report, [], "report.json is not there"),
        (another_report, [], "is no report of a run"),
        (no_history, [], "names no history"),
        (no_config, [], "config.yaml is not there"),
        (no_record, ["--anyway"], "has no record of"),
        (no_scores, ["--anyway"], "has no scores of"),
        (nothing, [], "says INCONCLUSIVE. See its report, or accept it all the same with --anyway"),
        (nothing, ["--anyway", "--why", " "], "--why has 0 characters"),
        (nothing, ["--anyway", "--by", ""], "--by has 0 characters"),
    ],
)
def test_what_cannot_be_accepted_is_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    options: list[str],
    message: str,
) -> None:
    history = tmp_path / "history"
    run = a_run(tmp_path / "run", str(history), min_pairs=1000)
    told(run, str(history))
    spoil(run)
    assert main(["accept", str(run), "--why", "fit", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not list(history.glob("accepted-*"))


def test_rules_against_the_accepted_alone_need_a_history() -> None:
    values: dict[str, Any] = {"dataset": {"eval": "e.json"}, "model": "org/model", "mode": "auto"}
    values["gate"] = {"rules": {"rouge-l": {"max_drop": 1}}, "against": ["accepted"]}
    assert config.parse(values | {"history": "runs/history"})
    with pytest.raises(SettingsError, match="accepted alone, and there is no history"):
        config.parse(values)


def test_who_accepts_has_to_be_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert main(["accept", str(tmp_path), "--why", "fit"]) == 2
    assert capsys.readouterr().err == "assay: who accepts it is not known. Give --by NAME\n"


def test_a_run_of_a_pipeline_is_accepted_where_its_artifact_lies(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {"model": "org/model", "dataset": {"eval": "e.json"}, "mode": "auto"}
    given |= {"history": f"{bucket}/nightly"}
    given["gate"] = {"rules": {"rouge-l": {"max_drop": 30}}, "min_pairs": 10}
    for number in range(2):
        source = Path(shutil.copytree(DATA, tmp_path / f"source-{number}"))
        edit(source / "candidate/generation.json", digest=f"{number:064}")
        parts = {side: [str(source / side)] for side in ("baseline", "candidate")}
        (tmp_path / f"samples-{number}").mkdir()
        shutil.copy(source / "dataset.jsonl", tmp_path / f"samples-{number}")
        folder = tmp_path / f"run-{number}"
        task.report(given, parts | {"": [str(tmp_path / f"samples-{number}")]}, folder)
        if number == 0:
            store.publish(folder, f"{bucket}/artifacts/run")
            code = main(["accept", f"{bucket}/artifacts/run/", "--why", "fit", "--by", "Ada"])
            assert code == 0
            assert "Accepted: house-log/model (000000000000)" in capsys.readouterr().out
    gate = task.decided(folder)
    assert gate["decision"] == "GO"
    assert [one["rule"].partition(":")[0] for one in gate["rulings"]] == [
        "rouge-l",
        "rouge-l vs accepted",
    ]


def test_a_go_by_other_rules_than_the_runs_own_is_no_go_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = tmp_path / "history"
    run = a_run(tmp_path / "run", str(history), min_pairs=1000)
    told(run, str(history))
    looser = tmp_path / "looser.yaml"
    looser.write_text("rules: {bleu-4: {max_drop: 90}}\nmin_pairs: 10\n")
    assert main(["gate", str(run), "--policy", str(looser)]) == 0
    assert capsys.readouterr().out.startswith(
        "GO: 1 of 1 rule holds, by other rules than the run's own"
    )
    command = ["accept", str(run), "--why", "fit", "--by", "Ada"]
    assert main(command) == 2
    refused = f"the gate of {run} says GO, by other rules than the run's own. See its report"
    assert refused in capsys.readouterr().err
    assert main(["gate", str(run), "--policy", str(run / "config.yaml")]) == 3
    assert capsys.readouterr().out.startswith("INCONCLUSIVE: 2 of 2 rules not proven\n")
    assert main(["gate", str(run), "--policy", str(looser)]) == 0
    assert main([*command, "--anyway"]) == 0
