"""The images, built from their Containerfiles by buildah, and programs run in them.

No registry is asked: the bases are a Debian that debootstrap unpacks, with what the official images
of those names leave out left out of it too. Built layers are kept for the next time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "assay" / "images"
BASE = "localhost/python:3.11-slim"
AUTHORITIES = "etc/ssl/certs/ca-certificates.crt"
LEFT_OUT = (
    *("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man"),
    *("var/cache/apt", "var/lib/apt/lists"),
)
# a read-only root with a /tmp of its own, in which $2 is where $3 lies outside
ENTER = """
mount --bind "$1" "$1" && mount --rbind /dev "$1/dev" && mount --bind /proc "$1/proc"
mount -t tmpfs tmpfs "$1/tmp" && chmod 1777 "$1/tmp"
if [ -n "$2" ]; then mkdir "$1$2" && mount --bind "$3" "$1$2"; fi
mount -o remount,bind,ro "$1"
root="$1" user="$4"; shift 4
exec chroot --userspec="$user" "$root" env -i "$@"
"""


def missing() -> list[str]:
    """Return what this machine lacks for building images."""
    programs = [name for name in ("buildah", "debootstrap") if not shutil.which(name)]
    if sys.platform != "linux" or os.geteuid() != 0:
        return ["Linux and root", *programs]
    return programs


def build(name: str) -> str:
    """Build images/`name` and return what it is tagged as."""
    if BASE not in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        _make_base()
    environment = _environment() | {"ASSAY_BUILD_OPTIONS": "--layers --pull-never --network host"}
    done = subprocess.run(
        [str(ROOT / "images/build.sh"), name],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def configuration(image: str) -> dict[str, Any]:
    """Return User, Env, Labels and so on of an image."""
    found: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", image))
    return dict(found["OCIv1"]["config"])


@contextmanager
def unpacked(image: str) -> Iterator[Path]:
    """Yield the root file system of an image."""
    container = buildah("from", "--pull-never", image).strip()
    try:
        yield Path(buildah("mount", container).strip())
    finally:
        buildah("rm", container)


def run(
    root: Path, image: str, *command: str, folder: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as Kubernetes would with a read-only root: as the image's user, in its
    environment and `variables`, with `folder` at /tmp/work."""
    said = configuration(image)
    environment = [*said["Env"], *(f"{name}={value}" for name, value in variables.items())]
    inside, outside = ("/tmp/work", str(folder)) if folder else ("", "")  # noqa: S108
    enter = ["unshare", "--mount", "sh", "-euc", ENTER, "sh", str(root), inside, outside]
    return subprocess.run(
        [*enter, said["User"], *environment, *command], capture_output=True, text=True, check=False
    )


def buildah(*arguments: str) -> str:
    """Run buildah on the store of these tests and return what it prints."""
    command = ["buildah", *arguments]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _environment() -> dict[str, str]:
    """Everything that buildah keeps lies in the cache, apart from the user's own images."""
    CACHE.mkdir(parents=True, exist_ok=True)
    settings = CACHE / "storage.conf"
    driver = os.environ.get("STORAGE_DRIVER", "overlay")
    settings.write_text(
        f'[storage]\ndriver = "{driver}"\ngraphroot = "{CACHE}/store"\nrunroot = "{CACHE}/run"\n'
    )
    own = {"CONTAINERS_STORAGE_CONF": str(settings), "BUILDAH_ISOLATION": "chroot"}
    # a docker or podman that runs here builds elsewhere
    return {**os.environ, **own, "ASSAY_BUILD_TOOL": "buildah"}


def _make_base() -> None:
    """Commit a Debian with Python under the name that the Containerfiles start from."""
    root = CACHE / "debian"
    shutil.rmtree(root, ignore_errors=True)
    packages = "--include=python3,python3-venv,ca-certificates"
    command = ["debootstrap", "--variant=minbase", packages, "bookworm", str(root)]
    subprocess.run(command, check=True, capture_output=True)
    for folder in LEFT_OUT:
        shutil.rmtree(root / folder, ignore_errors=True)
    # what this machine trusts, the build trusts
    shutil.copy(Path("/") / AUTHORITIES, root / AUTHORITIES)
    container = buildah("from", "scratch").strip()
    buildah("copy", "--quiet", container, str(root), "/")
    trusted = f"PIP_CERT=/{AUTHORITIES}"
    buildah("config", "--env", trusted, "--cmd", "python3", container)
    buildah("commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(root)
