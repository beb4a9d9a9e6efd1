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


@pytest.mark.parametrize("asked", [["status"], ["logs"], ["schedule", "list"]])
def test_a_reader_who_goes_away_is_no_error(
    server: KfpServer, config_file: Path, tmp_path: Path, asked: list[str]
) -> None:
    applied = tmp_path / "schedule.yaml"
    applied.write_text(yaml.safe_dump(SCHEDULE))
    main(["schedule", "apply", str(applied)])
    main(["submit", str(config_file)])
    (run,) = server.runs
    server.task(run, "preflight", "FAILED", "9 samples\nKilled\n")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "assay", *asked, *([] if "list" in asked else [run])],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
