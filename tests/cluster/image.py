"""The image of the tests' pods: no layers but the links of an empty root, into which the pods mount
this machine's programs and Python environment, to spare the disk a copy of torch.

Where the environment variable SCRIPT is set, its shell script runs in the place of a worker: for
what a worker does only when it fails.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
USER = "65532"
PYTHON = """#!/bin/sh
[ -z "$SCRIPT" ] && exec {python} "$@"
exec sh -c "$SCRIPT"
"""


def write(name: str, path: Path, environment: Mapping[str, str]) -> None:
    """Write a container image archive that `ctr images import` takes."""
    layer = _layer(PYTHON.format(python=Path(sys.prefix).resolve() / "bin/python"))
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"User": USER, "Env": [f"{key}={value}" for key, value in environment.items()]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        _add(archive, "config.json", json.dumps(config).encode())
        _add(archive, "manifest.json", json.dumps(manifest).encode())
        _add(archive, "layer.tar", layer)


def _layer(python: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as layer:
        for name, target in LINKS.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            layer.addfile(link)
        for name, mode in (("usr", 0o755), ("etc", 0o755), ("tmp", 0o1777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            layer.addfile(folder)
        _add(layer, "python/python", python.encode(), 0o755)
        _add(layer, "etc/passwd", f"assay:x:{USER}:{USER}::/tmp:/bin/sh\n".encode())
    return content.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
