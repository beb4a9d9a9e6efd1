"""A launcher goes on whatever the API server does, and relays every line once."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assay.volcano.api import Api
from tests.cluster import api_proxy
from tests.cluster.api_proxy import Answer, Proxy
from tests.cluster.kube import Space
from tests.cluster.launchers import DONE, Launcher, Start, last_line, work

MEGABYTE = 1_000_000


@pytest.fixture(name="proxy")
def running_proxy() -> Iterator[Proxy]:
    """A proxy before the API server."""
    with api_proxy.serve() as running:
        yield running


def through(proxy: Proxy, space: Space) -> Api:
    return replace(space.api, port=proxy.port)


def steps(number: int, seconds: float) -> str:
    return f"for i in $(seq {number}); do echo step $i; sleep {seconds}; done; {DONE}"


def assert_all_once(launcher: Launcher, number: int) -> None:
    """Fail where a line of `steps` is missing, doubled or in another place."""
    shown = [line for line in launcher.output.splitlines() if line.startswith("step")]
    assert shown == [f"step {i}" for i in range(1, number + 1)]
    assert last_line(launcher) == {"digest": "d"}


def test_the_api_server_is_gone_for_half_a_minute(space: Space, start: Start, proxy: Proxy) -> None:
    launcher = start(work(), script=steps(80, 0.5), api=through(proxy, space))
    launcher.until("step 5\n")
    proxy.leave()
    time.sleep(30)
    proxy.gone = False
    assert launcher.wait(180) == 0, launcher.output
    assert_all_once(launcher, 80)
    assert "the Job goes on, trying again" in launcher.output


def test_watches_expire_and_the_server_is_busy(space: Space, start: Start, proxy: Proxy) -> None:
    """Every third request gets 429, every watch 410 after its first change, and every log is cut
    again and again."""
    turn = itertools.count(1)
    busy = json.dumps({"message": "too many requests"}).encode()
    gone = {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}

    def refuse(request: str) -> Answer | None:
        return (429, busy) if next(turn) % 3 == 0 else None

    def spoil(path: str, data: bytes) -> bytes | None:
        if "watch=1" in path and data.endswith(b"\n"):
            return data + json.dumps(gone).encode() + b"\n"
        return None if "/log?" in path and next(turn) % 7 == 0 else data

    proxy.refuse, proxy.spoil = refuse, spoil
    launcher = start(work(), script=steps(100, 0.1), api=through(proxy, space))
    assert launcher.wait(180) == 0, launcher.output
    assert_all_once(launcher, 100)


def test_following_asks_little(space: Space, start: Start, proxy: Proxy) -> None:
    """However fast the worker is that it follows."""
    launcher = start(work(), script=steps(1000, 0.25), api=through(proxy, space))
    launcher.until("step 1\n")
    before, began = len(proxy.requests), time.monotonic()
    time.sleep(25)
    asked, seconds = len(proxy.requests) - before, time.monotonic() - began
    assert asked <= seconds, proxy.requests[before:]
    launcher.until("step 10\n")
    launcher.process.terminate()
    launcher.wait()


def test_a_log_of_100_megabytes(space: Space, start: Start) -> None:
    """Nothing is lost, and little memory is needed."""
    line = "x" * 90
    script = (
        f'python=$(command -v python3); $python -c "for i in range(1000000): '
        f"print(f'{{i:09}} {line}')\"; {DONE}"
    )
    launcher = start(work(), script=script)
    status = Path(f"/proc/{launcher.process.pid}/status")
    highest = 0
    while launcher.process.poll() is None:
        if found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text()):
            highest = int(found[1])
        time.sleep(0.2)
    assert launcher.wait() == 0, launcher.output[-2000:]
    expected, shown = hashlib.sha256(), hashlib.sha256()
    for number in range(1_000_000):
        expected.update(f"{number:09} {line}\n".encode())
    with launcher.log.open("rb") as log:
        for row in log:
            if row.rstrip().endswith(line.encode()):
                shown.update(row)
    assert launcher.log.stat().st_size > 100 * MEGABYTE
    assert shown.hexdigest() == expected.hexdigest()
    assert highest * 1000 < 150 * MEGABYTE
