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
from collections.abc import Mapping, Sequence
from pathlib import Path

LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
USER = "65532"
PYTHON = """#!/bin/sh
[ -z "$SCRIPT" ] && exec {python} "$@"
exec sh -c "$SCRIPT"
"""


def write(name: str, path: Path, environment: Mapping[str, str]) -> None:
    """Write the image of the tests' pods, an archive that `ctr images import` takes."""
    python = PYTHON.format(python=Path(sys.prefix).resolve() / "bin/python")
    files = {
        "python/python": python.encode(),
        "etc/passwd": f"assay:x:{USER}:{USER}::/tmp:/bin/sh\n".encode(),
    }
    write_archive(name, path, files, ["/bin/sh"], environment)


def write_archive(
    name: str,
    path: Path,
    files: Mapping[str, bytes],
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Write the archive of an image with these files, all executable, and an empty root."""
    layer = _layer(files)
    digest = hashlib.sha256(layer).hexdigest()
    variables = [f"{key}={value}" for key, value in (environment or {}).items()]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"User": USER, "Cmd": list(command), "Env": variables},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        _add(archive, "config.json", json.dumps(config).encode())
        _add(archive, "manifest.json", json.dumps(manifest).encode())
        _add(archive, "layer.tar", layer)


def _layer(files: Mapping[str, bytes]) -> bytes:
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
        for name, bytes_ in files.items():
            _add(layer, name, bytes_, 0o755)
    return content.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
