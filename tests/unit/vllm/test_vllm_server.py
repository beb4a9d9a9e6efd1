"""The server's life: started on a free port, watched, and gone with whoever started it."""

from __future__ import annotations

import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from assay import process
from assay.engine.vllm import causes, environment, server
from assay.engine.vllm import window as windows
from assay.errors import SettingsError, StageError
from tests import processes
from tests.unit.vllm.conftest import Lines
from tests.unit.vllm.test_vllm_answers import answered, job, prompt

PROMPTS = [prompt(f"p{length}", length) for length in range(1, 9)]
TRACEBACK = """\
(APIServer pid=1) INFO vLLM version 0.32.0
(EngineCore pid=2) ERROR [core.py:1] EngineCore failed to start.
(EngineCore pid=2) ERROR [core.py:1]   File "x.py", line 3, in f
(EngineCore pid=2) ERROR [core.py:1] {}
(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.
"""
SAYINGS = [
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "take more GPUs"),
    (
        "ValueError: Free memory on device (3/80 GiB) on startup is less than desired GPU memory "
        "utilization",
        "Something else holds memory",
    ),
    ("ValueError: No available memory for the cache blocks.", "VLLM_CPU_KVCACHE_SPACE"),
    (
        "ValueError: To serve at least one request, 9 GiB KV cache is needed, which is larger",
        "or lower generate.cutoff_len",
    ),
    ("AssertionError: 9 must be divisible by tensor parallel size 2", "tensor_parallel_size to a"),
    ("safetensors._safetensors_rust.SafetensorError: Error while deserializing", "restore them"),
    ("ValueError: LoRA rank 99 is greater than max_lora_rank 64.", "engine: transformers"),
    ("KeyError: 'new_architecture'", "See its log; the same again asks only what is left"),
]


@pytest.mark.parametrize(("saying", "remedy"), SAYINGS)
def test_what_a_start_fails_of_is_told_with_a_remedy(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saying: str, remedy: str
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "fail:" + TRACEBACK.format(saying))
    with pytest.raises(StageError) as told:
        answered(job(), tmp_path, *PROMPTS)
    assert (
        f"vLLM ended with exit code 1 because of {saying}; the end of {tmp_path}" in told.value.what
    )
    assert remedy in told.value.remedy
    assert "See root cause above" in told.value.what, "the log's end is quoted"
    assert (tmp_path / "vllm/vllm.log").is_file(), "what it said stays"


INVALID = """pydantic_core.ValidationError: 1 validation error for SchedulerConfig
max_num_seqs
  Input should be greater than or equal to 1 [type=greater_than_equal, input_value=-1]"""


@pytest.mark.parametrize(
    ("saying", "told"),
    [
        ("serve: error: argument --block-size: invalid choice: '7'", "block-size: invalid choice"),
        (INVALID, "for SchedulerConfig max_num_seqs Input should be greater than or equal to 1"),
    ],
)
def test_a_setting_that_it_refuses_is_the_users_to_mend(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saying: str, told: str
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "fail:" + TRACEBACK.format(saying))
    with pytest.raises(SettingsError, match=r"vLLM refuses generate\.vllm") as refused:
        answered(job(), tmp_path, *PROMPTS)
    assert told in refused.value.what
    assert refused.value.remedy.startswith("Correct generate.vllm")
    assert len(lines("start")) == 1


def test_an_argument_that_it_refuses_is_named() -> None:
    line = "api_server.py: error: argument --max-num-seqs: invalid int value: 'many'"
    assert causes.cause(f"usage: api_server.py [-h]\n{line}\n") == line.partition(": ")[2]


def test_a_port_that_somebody_took_meanwhile_is_left_to_them(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "taken once")
    assert answered(job(), tmp_path, PROMPTS[2]) == {"p3": [3, 40, 7, 5]}
    first, second = lines("start")
    assert first[first.index("--port") + 1] != second[second.index("--port") + 1]


def test_ports_that_are_all_taken_are_told(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "fail:OSError: [Errno 98] Address already in use")
    with pytest.raises(StageError, match=r"vLLM found 3 ports of 127\.0\.0\.1 taken"):
        answered(job(), tmp_path, *PROMPTS)
    assert len(lines("start")) == 3


@pytest.mark.parametrize(
    ("mode", "because"),
    [("die", r"ValueError: einsum\(\): the batch"), ("dead engine", "RuntimeError: CUDA error")],
)
def test_one_that_dies_while_it_answers_is_told_by_its_log(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, because: str
) -> None:
    """What it had answered was yielded before."""
    monkeypatch.setenv("FAKE_VLLM", mode)
    with pytest.raises(StageError, match=rf"vLLM ended with exit code 1 because of {because}"):
        answered(job(vllm={"max_num_seqs": 1}), tmp_path, *PROMPTS)
    assert 3 <= len(lines("request")) < len(PROMPTS)


def test_a_request_that_it_refuses_is_told(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "refuse")
    with pytest.raises(StageError, match=r"id=p\d: vLLM refused its \d tokens: .*out of vocab"):
        answered(job(), tmp_path, *PROMPTS)
    assert processes.using(tmp_path) == []


def command() -> list[str]:
    return [str(environment.python()), str(environment.KEEPER)]


@pytest.mark.parametrize("mode", ["hang", "mute"])
def test_one_that_hangs_is_not_waited_for(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("FAKE_VLLM", mode)
    monkeypatch.setattr(windows, "_LOOK_SECONDS", 0.01)
    clock = itertools.count(0, 40)
    asked = [(row, {"prompt": row.tokens, "model": "base"}) for row in PROMPTS]
    given: dict[str, Any] = {"log": tmp_path / "log", "environment": {}}
    with server.running(command(), **given, clock=lambda: next(clock)) as running:
        if mode == "mute":  # it does not count its tokens: who can say that it hangs?
            for _ in range(40):
                running.check()
            return
        with pytest.raises(StageError, match="vLLM has written no token for 300 s; the end of"):
            list(windows.answers(running, asked, 4))
    assert processes.using(tmp_path) == []


@pytest.mark.parametrize("begun", [True, False])
def test_a_connection_that_was_ended_is_opened_no_more(begun: bool) -> None:
    """Whoever was about to ask on it would wait for a server that hangs, and be waited for."""
    with socket.create_server((process.LOOPBACK, 0)) as listening:
        connections = windows.ServerConnections(listening.getsockname()[1])
        connection = connections.here() if begun else None
        connections.close()
        with pytest.raises((http.client.NotConnected, ConnectionAbortedError)):
            (connection or connections.here()).request("POST", "/v1/completions", "{}")
        assert connection is None or connection.sock is None


def test_one_that_never_starts_is_not_waited_for(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "silent")
    monkeypatch.setattr(process, "POLL_SECONDS", 0.01)
    clock = itertools.count(0, 100)
    given: dict[str, Any] = {"log": tmp_path / "log", "environment": {}}
    with (
        pytest.raises(StageError, match="vLLM has said nothing for 900 s"),
        server.running(command(), **given, clock=lambda: next(clock)),
    ):
        pass
    assert processes.using(tmp_path) == []


STAGE = """
import sys, time
from pathlib import Path
from assay.engine.vllm import environment, server
command = [str(environment.python()), str(environment.KEEPER), "--name", sys.argv[1]]
with server.running(command, log=Path(sys.argv[1]) / "log", environment={}) as running:
    print(running.port, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to see processes: Linux")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_it_is_gone_with_whoever_started_it(
    lines: Lines, tmp_path: Path, number: signal.Signals
) -> None:
    stage = subprocess.Popen(
        [sys.executable, "-c", STAGE, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert stage.stdout
    with stage, stage.stdout:
        assert stage.stdout.readline()
        assert len(processes.using(tmp_path)) >= 2
        os.kill(stage.pid, number)
    deadline = time.monotonic() + 30
    while processes.using(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes.using(tmp_path) == []
