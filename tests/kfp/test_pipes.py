"""What the commands of the cluster print may be read by whoever stops reading it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from assay.cli.main import main
from tests.kfp.kfp_server import KfpServer

SCHEDULE = {"name": "nightly-eval", "cron": "30 3 * * *", "config": "nightly.yaml"}


RUN = "RUN"  # in the place of the run's id


@pytest.mark.parametrize(
    ("asked", "gone", "code"),
    [
        (["status", RUN], "stdout", 141),
        (["logs", RUN], "stdout", 141),
        (["schedule", "list"], "stdout", 141),
        (["watch", RUN], "both", 141),
        (["watch", RUN], "stderr", 141),  # which has its progress
        (["status", RUN], "stderr", 1),  # which has nothing: as the run ended
    ],
)
def test_a_reader_who_goes_away_is_no_error(
    server: KfpServer, config_file: Path, tmp_path: Path, asked: list[str], gone: str, code: int
) -> None:
    applied = tmp_path / "schedule.yaml"
    applied.write_text(yaml.safe_dump(SCHEDULE))
    main(["schedule", "apply", str(applied)])
    main(["submit", str(config_file)])
    (run,) = server.runs
    server.task(run, "preflight", "FAILED", "9 samples\nKilled\n")
    server.end(run, "FAILED")
    done = unread(["-m", "assay", *(run if part == RUN else part for part in asked)], gone)
    assert done.returncode == code, done
    assert "Traceback" not in f"{done.stdout}{done.stderr}"
    assert "BrokenPipe" not in f"{done.stdout}{done.stderr}"


def test_nor_is_it_where_an_error_is_not_read() -> None:
    assert unread(["-m", "assay", "metrics", "none"], "both").returncode == 141


def unread(command: list[str], gone: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a command whose output, or part of it, nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    output, errors = (
        writing if gone in (name, "both") else subprocess.PIPE for name in ("stdout", "stderr")
    )
    arguments = [sys.executable, *command]
    done = subprocess.run(arguments, stdout=output, stderr=errors, text=True, check=False)
    os.close(writing)
    return done
