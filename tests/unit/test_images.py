"""The images hold what the lock says, and what the stages that run in them import."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from assay import __version__
from components.images import CPU_IMAGE, GPU_IMAGE

ROOT = Path(__file__).parents[2]
IMAGES = ("cpu", "gpu", "minio", "vllm")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def instructions(image: str) -> list[tuple[str, str]]:
    """Return (instruction, arguments) of the Containerfile, continued lines joined."""
    text = (ROOT / "images" / image / "Containerfile").read_text()
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.partition(" ")[2]) for line in lines if line.strip()]


def last_stage(image: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, arguments in instructions(image):
        if name == "FROM":
            found = last_stage("gpu") if arguments == "${GPU}" else {}
            found.pop("LABEL", None)
        found.setdefault(name, []).append(arguments)
    return found


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_a_numeric_user_with_a_home(image: str) -> None:
    stage = last_stage(image)
    assert stage["USER"][-1] == "65532:65532"  # KFP's runAsNonRoot cannot check a name
    assert any("useradd --uid 65532 --create-home" in command for command in stage["RUN"])


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_says_what_it_is(image: str) -> None:
    (labels,) = last_stage(image)["LABEL"]
    found = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', labels))
    assert found["title"] == f"assay-{image}"
    assert (found["version"], found["source"], found["revision"]) == (
        "${VERSION}",
        "${SOURCE}",
        "${REVISION}",
    )
    assert found["licenses"] == ("AGPL-3.0-only" if image == "minio" else "Apache-2.0")


@pytest.mark.parametrize("image", IMAGES)
def test_bases_are_named_by_tag(image: str) -> None:
    names = [value for name, value in instructions(image) if name == "FROM"]
    defaults = dict(
        value.split("=") for name, value in instructions(image) if name == "ARG" and ":" in value
    )
    for name in names:
        base = defaults[name.split()[0].strip("${}")]
        assert re.fullmatch(r"[a-z-]+:(?!latest)[\w.-]+", base), base


@pytest.mark.parametrize("image", ["cpu", "gpu"])
def test_whatever_pip_downloads_is_checked_by_its_hash(image: str) -> None:
    commands = " && ".join(value for name, value in instructions(image) if name == "RUN")
    pips = re.findall(r"tools/bin/pip [^&]*", commands)
    assert len(pips) == 4
    assert all("--require-hashes" in pip or "--no-index" in pip for pip in pips)


def test_the_vllm_image_is_the_gpu_image_with_an_environment_more() -> None:
    names = dict(instructions("vllm"))
    assert ("ARG", f"GPU=assay-gpu:{__version__}") in instructions("vllm")
    commands = " && ".join(value for name, value in instructions("vllm") if name == "RUN")
    pips = re.findall(r"tools/bin/pip [^&]*", commands)
    assert len(pips) == 2
    assert all("--require-hashes" in pip and "--no-deps" in pip for pip in pips)
    stage = last_stage("vllm")
    assert "--from=build /opt/vllm /opt/vllm" in stage["COPY"]
    assert any("ASSAY_VLLM=/opt/vllm" in values for values in stage["ENV"])
    assert names["CMD"] == '["assay", "--help"]'


def test_the_vllm_image_is_built_of_the_gpu_image_of_its_version(tmp_path: Path) -> None:
    """The build tool is one that says what it was asked."""
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\necho "$@"\n')
    tool.chmod(0o755)
    given = {**os.environ, "ASSAY_BUILD_TOOL": str(tool), "ASSAY_IMAGE_REGISTRY": "team/"}
    script = [str(ROOT / "images/build.sh"), "gpu", "vllm"]
    done = subprocess.run(script, env=given, capture_output=True, text=True, check=True)
    gpu, _, vllm, _ = done.stdout.splitlines()
    assert f"GPU=team/assay-gpu:{__version__}" in vllm
    assert "GPU=" not in gpu


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_lock_of_vllm_is_of_what_is_asked_for(device: str) -> None:
    """And of nothing that LLaMA-Factory would meet: it has an environment of its own."""
    folder = ROOT / "images" / "vllm"
    text = (folder / f"{device}.lock").read_text()
    assert "://" not in text
    assert "--index" not in text
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in block for block in blocks)
    pins = {block.split(" ", 1)[0] for block in blocks}
    asked = [(folder / f"{device}.{kind}").read_text().splitlines() for kind in ("in", "override")]
    assert {line for lines in asked for line in lines if not line.startswith("#")} <= pins
    assert "llamafactory" not in {pin.split("==")[0] for pin in pins}


@pytest.mark.parametrize("image", ["cpu", "gpu"])
def test_an_image_has_all_that_its_extra_needs(image: str) -> None:
    named = set((ROOT / "images/packages" / f"{image}.txt").read_text().split())
    needed = closure(list(own_requirements(image)))
    assert needed <= named, f"make lock: {sorted(needed - named)}"


def test_the_cpu_image_has_no_torch() -> None:
    named = (ROOT / "images/packages/cpu.txt").read_text().split()
    assert not {"torch", "transformers", "llamafactory", "triton"} & set(named)


@pytest.mark.parametrize("packages", ["build", "cpu", "gpu"])
def test_the_lock_gives_each_package_its_version_and_hashes(packages: str) -> None:
    file = ROOT / "images/packages" / f"{packages}.txt"
    done = locked(file)
    assert done.returncode == 0, done.stderr
    blocks = re.split(r"\n(?=\S)", done.stdout.strip())
    assert {block.split("==")[0] for block in blocks} == set(file.read_text().split())
    assert all("--hash=sha256:" in block for block in blocks)
    assert set(blocks) <= set(re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text()))


def test_a_package_that_is_not_locked_is_refused(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("numpy\nnot-there\n")
    done = locked(tmp_path / "some.txt")
    assert done.returncode == 1
    assert done.stderr.strip() == "requirements.lock lacks not-there: make lock"


def test_the_components_name_the_images_that_are_built() -> None:
    assert f"assay-cpu:{__version__}" == CPU_IMAGE
    assert f"assay-gpu:{__version__}" == GPU_IMAGE


def locked(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "images/locked.py"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def own_requirements(extra: str) -> Iterator[Requirement]:
    """Yield what the package and its `extra` require, extras of its own resolved."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    yield from map(Requirement, project["dependencies"])
    for text in EXTRAS[extra]:
        requirement = Requirement(text)
        if requirement.name == "assay":
            for inner in requirement.extras:
                yield from own_requirements(inner)
        else:
            yield requirement


def closure(requirements: list[Requirement]) -> set[str]:
    """Return the names of all that `requirements` need here, as the installed packages say."""
    seen: set[tuple[str, str]] = set()
    while requirements:
        requirement = requirements.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in importlib.metadata.requires(name) or []:
                inner = Requirement(text)
                if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                    requirements.append(inner)
    return {name for name, _ in seen}
