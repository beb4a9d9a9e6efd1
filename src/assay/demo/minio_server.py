"""A real MinIO on the loopback, for the demo and the tests.

`python -m assay.demo.minio_server COMMAND ...` runs the command, and ends it with its own parent.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay import process
from assay.errors import InputError, StageError

USER, PASSWORD = "assay", secrets.token_hex(16)
START_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Minio:
    """A running server: its `address`, and the `environment` that leads a client to it."""

    address: str
    environment: Mapping[str, str]


def program() -> str:
    """Return the path of `minio`. Raises InputError where there is none on PATH."""
    path = shutil.which("minio")
    if not path:
        raise InputError(
            "there is no minio on PATH", "Install MinIO, or run: make demo STORE=minio"
        )
    return path


@contextmanager
def serve(minio: str, folder: Path, *, certificates: Path | None = None) -> Iterator[Minio]:
    """Run the program `minio` on `folder` until the block ends; with TLS where there are
    `certificates`. Raises StageError where it does not start."""
    folder.mkdir(parents=True, exist_ok=True)
    host, log = f"{process.LOOPBACK}:{process.free_port()}", folder / "minio.log"
    command = process.python("assay.demo.minio_server", minio, "server", str(folder / "data"))
    command += ["--quiet", "--address", host]
    command += ["--certs-dir", str(certificates or folder / "no-certificates")]
    secret = {"MINIO_ROOT_USER": USER, "MINIO_ROOT_PASSWORD": PASSWORD, "MINIO_BROWSER": "off"}
    with process.background(command, log=log, environment=secret) as server:
        _wait(server, host, log)
        address = f"{'https' if certificates else 'http'}://{host}"
        yield Minio(address=address, environment=environment(address))


def environment(address: str) -> dict[str, str]:
    """Return the environment variables of a client of the server at `address`."""
    return {
        "AWS_ENDPOINT_URL_S3": address,
        "AWS_ACCESS_KEY_ID": USER,
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _wait(server: subprocess.Popen[bytes], host: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
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
    raise StageError("MinIO did not start", f"See {log}")


if __name__ == "__main__":
    process.end_with_parent()
    sys.exit(subprocess.call(sys.argv[1:]))
