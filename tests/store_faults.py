"""A MinIO of its own that a test may kill, freeze and start again, at the same address."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from assay.demo.minio_server import PASSWORD, USER, environment
from tests import minio
from tests.loopback import free_address


class MortalMinio:
    """A running MinIO whose data stays in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.host = free_address().removeprefix("http://")
        self.start()

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that lead a client to it."""
        return environment(f"http://{self.host}")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [minio.binary(), "server", str(self.folder / "data"), "--quiet"]
        secret = {"MINIO_ROOT_USER": USER, "MINIO_ROOT_PASSWORD": PASSWORD, "MINIO_BROWSER": "off"}
        with (self.folder / "minio.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--address", self.host],
                stdout=log,
                stderr=log,
                env={**os.environ, **secret},
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"http://{self.host}/minio/health/live", timeout=5).close()
                return
            time.sleep(0.1)
        raise AssertionError("MinIO did not start")

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Have it answer nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def mortal(folder: Path) -> Iterator[MortalMinio]:
    """Run such a MinIO until the block ends."""
    server = MortalMinio(folder)
    try:
        yield server
    finally:
        server.kill()
