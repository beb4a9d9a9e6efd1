"""Text from elsewhere on a terminal: it gives no orders, and no line of it passes for ours."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import process
from assay.cli.main import main
from assay.errors import AssayError, InputError, KfpError, ProblemsError, StageError, StoreError
from assay.kubeflow.client import _told
from assay.progress import Progress, to_lines
from assay.store.s3 import explained
from assay.text import flat, indented, plain

FAKED = "assay: GO"
SECRET = "sk-proj-abcdefghijklmnop1234"
BAD = (
    "\x1b]0;owned\x07\x9b31m\u202egnp\u2066\ud83d"
    f"\n{FAKED}\r\n{FAKED}\r{FAKED}\u2028{FAKED}\x85{FAKED}\x0b{FAKED}\x1e{FAKED}"
)
OBEYED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def check(shown: str) -> None:
    assert not OBEYED.search(shown)
    assert not re.search(rf"^{FAKED}", shown, re.MULTILINE)


ARGUMENT = BAD.replace("\ud83d", "")  # no argument of a process has one
ROWS = [{"instruction": f"q {BAD}", "output": "a", f"language {BAD}": 1}] * 3
FILES: dict[str, object] = {
    "rows.json": ROWS,
    "ids.json": [{**row, "id": f"{BAD}{number}"} for number, row in enumerate(ROWS)],
    "missing.json": [*ROWS, {"instruction": BAD}],
    "columns.json": [{BAD: 1}],
    "roles.json": [{"conversations": [{"from": BAD, "value": BAD}]}],
    "types.json": [{"instruction": 5, "output": [BAD]}],
    "dataset_info.json": {
        BAD: {"file_name": BAD},
        "x": {"file_name": "rows.json", "columns": {BAD: BAD}},
        "y": {"file_name": "rows.json", "formatting": BAD},
        "z": {"hf_hub_url": BAD},
    },
    "mode.yaml": {"mode": BAD},
    "name.yaml": {BAD: 1},
    "model.yaml": {"mode": "auto", "dataset": {"eval": "rows.json"}, "model": BAD},
    "data.yaml": {"mode": "auto", "dataset": {"eval": BAD}, "model": "m"},
    "judge.yaml": {
        "mode": "judge",
        "dataset": {"eval": "rows.json"},
        "model": "m",
        "judge": {"endpoint": f"http://127.0.0.1:9{BAD}", "model": BAD, "rubric": BAD},
    },
    "several.yaml": {
        "mode": "auto",
        "dataset": {"eval": "ids.json"},
        "model": BAD,
        "metrics": {"metrics": [BAD]},
        "generate": {"template": BAD, "llamafactory": {BAD: 1}},
        "gate": {"rules": {BAD: {"max_drop": 1}}},
    },
}
COMMANDS = [
    *(["dataset", "check", name] for name in FILES if name.endswith(".json")),
    *(
        ["dataset", "check", f"dataset_info.json#{name}"]
        for name in ("x", "y", "z", "no", ARGUMENT)
    ),
    ["dataset", "check", "rows.json", "--cluster", ARGUMENT],
    *(["run", name, "--out", "run"] for name in FILES if name.endswith(".yaml")),
    *([name, ARGUMENT] for name in ("judge", "metrics", "generate", "report", "gate")),
    ["accept", ARGUMENT, "--why", ARGUMENT],
    ["run", "mode.yaml", "--set", ARGUMENT],
    ["run", "mode.yaml", "--set", f"{ARGUMENT}=1"],
    ["judge", f"s3://{ARGUMENT}"],
    ["judge", "s3://[bucket/run"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command)[:40])
def test_what_a_command_prints_gives_no_orders_and_fakes_no_line(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).write_text(json.dumps(content))
    assert main(command) == 2
    told = capsys.readouterr()
    check(told.out)
    check(told.err)
    assert told.out or told.err.startswith("assay: ")


@given(st.text(), st.text())
def test_an_error_is_one_line_of_what_can_be_seen(what: str, remedy: str) -> None:
    assert len(f"{InputError(what, remedy)}.".splitlines()) == 1
    assert not OBEYED.search(str(InputError(what, remedy)))
    several = ProblemsError([InputError(what, remedy), InputError(remedy)])
    assert str(several).count("\n") == 1


@pytest.mark.parametrize("kind", [AssayError, StageError])
@given(st.text(), st.text())
def test_further_lines_of_an_error_are_indented(
    kind: Callable[[str, str], AssayError], what: str, remedy: str
) -> None:
    _, *others = str(kind(what, remedy)).split("\n")
    assert all(line.startswith("  ") for line in others)
    assert not OBEYED.search(str(kind(what, remedy)))


def test_text_is_kept_as_far_as_it_can_be_shown() -> None:
    assert flat("my  file\nof 数据.json") == "my  file of 数据.json"
    assert plain("a\tb\r\nc") == "a\tb\r\nc"
    assert indented("first\n    second\nthird") == "first\n    second\n  third"
    check(flat(BAD))
    check(indented(BAD))


def test_a_line_of_progress_is_one_line() -> None:
    stream = io.StringIO()
    to_lines(stream)(Progress(stage="judge", side=f"candidate, {BAD}", note=BAD, state="failed"))
    assert stream.getvalue().count("\n") == 1
    check(stream.getvalue())


class AnsweredError(Exception):
    """What KFP's client raises: a status, its reason and the body."""

    def __init__(self, body: str, reason: str = "") -> None:
        self.status, self.reason, self.body = 400, reason, body


@pytest.mark.parametrize(
    "body",
    [
        *(json.dumps({name: f"{BAD} {SECRET}"}) for name in ("message", "error_message", "error")),
        json.dumps({"message": {"nested": [BAD, SECRET]}}),
        json.dumps({"message": f"{'x' * 290} {SECRET}"}),
        json.dumps([BAD]),
        json.dumps({"message": " \n "}),
        "[" * 200_000,
        "<html>",
        "",
    ],
)
def test_what_kfp_says_is_one_line_without_secrets(body: str) -> None:
    for reason in ("", BAD, f"{BAD} {SECRET}"):
        error = KfpError(f"it says {_told(AnsweredError(body, reason))}")
        check(str(error))
        assert "sk-" not in str(error)
        assert len(str(error).splitlines()) == 1


def test_what_a_store_says_is_one_line_without_secrets() -> None:
    from botocore.exceptions import ClientError

    for message in (BAD, f"no such key {SECRET}"):
        told = {"Error": {"Code": BAD, "Message": message}}
        with pytest.raises(StoreError) as caught, explained("s3://b/k"):
            raise ClientError(told, "GetObject")
        check(str(caught.value))
        assert "sk-" not in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_the_end_of_a_childs_log_is_indented_and_without_secrets(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    log.write_text(f"{plain(BAD)}\n{'x' * 290} {SECRET}\n{FAKED}\n")
    with pytest.raises(StageError) as caught:
        process.run([sys.executable, "-c", "exit(3)"], log=log, what="A child")
    check(str(caught.value))
    assert "sk-" not in str(caught.value)
