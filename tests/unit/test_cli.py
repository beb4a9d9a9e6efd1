"""What a user types wrong: one clear line, exit code 2, nothing begun."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import __version__
from assay.cli.main import main, parser

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def setup(tmp_path: Path) -> dict[str, Any]:
    """A configuration that could run, beside its data and a directory that looks like a model."""
    rows = [{"instruction": f"Say {word}.", "output": f"{word}!"} for word in ("Hi", "Ho")]
    (tmp_path / "data.json").write_text(json.dumps(rows))
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    (base / "model.safetensors").write_bytes(b"weights")
    return {
        "mode": "auto",
        "dataset": {"train": "data.json", "eval": "data.json"},
        "finetune": {"base_model": "base", "template": "qwen3"},
    }


def commands(
    of: argparse.ArgumentParser,
) -> Iterator[tuple[argparse.ArgumentParser, list[argparse.Action]]]:
    """Yield each command below `of`, with what it takes."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for found in action.choices.values():
                yield found, found._actions
                yield from commands(found)


def test_every_commands_own_help_says_what_it_does_and_what_each_argument_is() -> None:
    found = list(commands(parser()))
    assert {"assay run", "assay schedule apply"} <= {command.prog for command, _ in found}
    for command, arguments in found:
        assert command.description, command.prog
        for argument in arguments:
            if not isinstance(argument, argparse._SubParsersAction):
                assert argument.help, f"{command.prog}: {argument.dest}"


def run(folder: Path, values: dict[str, Any], *more: str) -> int:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return main(["run", str(path), "--out", str(folder / "run"), *more])


def changed(values: dict[str, Any], section: str, **settings: Any) -> dict[str, Any]:
    return {**values, section: {**values.get(section, {}), **settings}}


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        ("dataset", {"eval": "none.json"}, "none.json"),
        ("dataset", {"eval": "empty.json"}, "empty.json"),
        ("dataset", {"eval": "text.json"}, "text.json"),
        ("finetune", {"template": "qwen33"}, "Did you mean qwen3?"),
        ("finetune", {"base_model": "./nowhere"}, "model ./nowhere does not exist"),
        ("finetune", {"learning_rat": 1}, "Did you mean learning_rate?"),
        ("finetune", {"llamafactory": {"lora_alhpa": 1}}, "Did you mean lora_alpha?"),
        ("finetune", {"epochs": 0}, "finetune.epochs = 0"),
        ("generate", {"top_p": 1.5}, "generate.top_p = 1.5"),
    ],
)
def test_a_wrong_input_is_one_line_before_anything_runs(
    tmp_path: Path,
    setup: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    section: str,
    settings: dict[str, Any],
    message: str,
) -> None:
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "text.json").write_text("hello")
    assert run(tmp_path, changed(setup, section, **settings)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("assay: ")
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run" / "model.partial").exists()


def test_a_judge_without_key_or_server_is_refused_before_training(
    tmp_path: Path,
    setup: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ASSAY_JUDGE_API_KEY", raising=False)
    judged = {**setup, "mode": "both", "judge": {"endpoint": "http://127.0.0.1:9/v1", "model": "m"}}
    assert run(tmp_path, judged) == 2
    assert "ASSAY_JUDGE_API_KEY" in capsys.readouterr().err
    assert run(tmp_path, judged, "--set", "judge.api_key_env=''") == 2
    error = capsys.readouterr().err
    assert "127.0.0.1:9" in error
    assert len(error.splitlines()) == 1


def test_every_problem_has_its_line(
    tmp_path: Path, setup: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = changed(setup, "finetune", template="qwen33")
    judge = {"endpoint": "http://127.0.0.1:9/v1", "model": "m", "api_key_env": ""}
    assert run(tmp_path, {**wrong, "mode": "both", "judge": judge}) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "Did you mean qwen3?" in first
    assert "127.0.0.1:9" in second


def test_a_folder_with_another_run_is_not_overwritten(
    tmp_path: Path, setup: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from assay import config
    from assay.run import begin

    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(setup))
    begin(config.load(path), tmp_path / "run")
    assert run(tmp_path, changed(setup, "finetune", epochs=9)) == 2
    assert "another finetune.epochs" in capsys.readouterr().err


def test_stages_say_what_they_miss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for stage in ("finetune", "generate", "metrics", "judge"):
        assert main([stage, str(tmp_path / "none")]) == 2
        assert "config.yaml does not exist" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_an_override_without_value_is_refused(
    tmp_path: Path, setup: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, setup, "--set", "judge.model") == 2
    assert "--set judge.model has no value" in capsys.readouterr().err


SCRIPT = "from assay.__main__ import main; main()"


@pytest.mark.parametrize("command", [["-m", "assay"], ["-c", SCRIPT]])
def test_the_command_starts(command: list[str]) -> None:
    asked = [sys.executable, *command, "--version"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"assay {__version__}"


CHECK = ["dataset", "check", "data.json"]


@pytest.mark.parametrize(
    ("asked", "unbuffered"),
    [(["--help"], ""), (["--version"], ""), (CHECK, ""), (CHECK, "1"), (["report", "run"], "")],
)
def test_a_reader_who_goes_away_is_no_error(
    tmp_path: Path, setup: dict[str, Any], asked: list[str], unbuffered: str
) -> None:
    shutil.copytree(DATA / "run", tmp_path / "run")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "assay", *asked],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_another_pipe_that_breaks_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> int:
        raise BrokenPipeError("of something else")

    monkeypatch.setattr("assay.cli.main._run", broken)
    monkeypatch.setattr("assay.cli.main._reader_is_gone", lambda: False)
    with pytest.raises(BrokenPipeError, match="of something else"):
        main(["--version"])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_a_terminal_cannot_show_ends_no_command(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "日本.json").write_text(json.dumps([{"instruction": "Say Hi.", "output": "Hi"}]))
    ended = subprocess.run(
        [sys.executable, "-m", "assay", "dataset", "check", "日本.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.startswith("日本.json: alpaca".encode(encoding, "backslashreplace"))
