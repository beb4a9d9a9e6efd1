"""A real MinIO on the loopback, for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.needs import need

USER, PASSWORD = "assay-test", "assay-test-password"


@dataclass(frozen=True, kw_only=True)
class Minio:
    """A running server: its `address`, and the `environment` that leads a client to it."""

    address: str
    environment: Mapping[str, str]


def binary() -> str:
    """Return the path of `minio`, or skip the test."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    found = shutil.which("minio") or shutil.which("minio", path=cache / "assay/bin")
    need(found is not None, "needs MinIO: run tests/minio.sh, which builds it with Go")
    return str(found)


@contextmanager
def serve(folder: Path, *, certificates: Path | None = None) -> Iterator[Minio]:
    """Run MinIO on `folder` until the block ends; with TLS where there are `certificates`."""
    program = binary()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    secrets = {"MINIO_ROOT_USER": USER, "MINIO_ROOT_PASSWORD": PASSWORD, "MINIO_BROWSER": "off"}
    command = [program, "server", "--quiet", "--address", host, str(folder / "data")]
    command += ["--certs-dir", str(certificates or folder / "no-certificates")]
    with (folder / "minio.log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **secrets}, start_new_session=True
        )
    address = f"{'https' if certificates else 'http'}://{host}"
    try:
        _wait(server, host)
        yield Minio(address=address, environment=environment(address))
    finally:
        server.kill()
        server.wait()


def environment(address: str) -> dict[str, str]:
    """Return the environment variables of a client of the server at `address`."""
    return {
        "AWS_ENDPOINT_URL_S3": address,
        "AWS_ACCESS_KEY_ID": USER,
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _wait(server: subprocess.Popen[bytes], host: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{host}/minio/health/ready", timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code == 400:  # an HTTPS server, asked by HTTP
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError("MinIO did not start")
