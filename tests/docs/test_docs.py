"""The documents tell the truth: code runs, commands parse, links lead somewhere."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from assay import config, settings
from assay.cli.main import parser
from assay.kubeflow.connection import Connection
from assay.kubeflow.schedule import Schedule

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    """Return (page, code) of every block whose fence says exactly `language`."""
    return [
        (page.name, code)
        for page in PAGES
        for found, code in BLOCK.findall(page.read_text())
        if found == language
    ]


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_runs(page: str, code: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "data" / "run", tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{page}:\n{code}\n{done.stderr}"


@pytest.mark.parametrize(("page", "code"), blocks("python no-run"))
def test_python_that_needs_more_compiles(page: str, code: str) -> None:
    compile(code, page, "exec")


@pytest.mark.parametrize(("page", "code"), blocks("yaml"))
def test_yaml_is_a_configuration(page: str, code: str) -> None:
    values = yaml.safe_load(code)
    if {"dataset", "predictions"} & set(values):
        assert config.parse(values)
        return
    if "cron" in values:
        assert settings.build(Schedule, values, "schedule")
        return
    if "endpoint" in values:
        assert settings.build(Connection, values, "connection")
        return
    for section in set(values) & set(config.SECTIONS):
        assert settings.build(config.SECTIONS[section], values[section], section)


JUDGES = re.findall(
    r"^## (.*?)\n\n```yaml\n(.*?)```", (ROOT / "docs/judges.md").read_text(), re.M | re.S
)
SERVERS = [
    "OpenAI",
    "Azure",
    "Anthropic",
    "Gemini",
    "Mistral",
    "DeepSeek",
    "Qwen",
    "GLM",
    "Kimi",
    "OpenRouter",
    "vLLM",
    "SGLang",
    "Ollama",
    "LM-Studio",
    "llama.cpp",
    "LiteLLM",
    "NIM",
]


@pytest.mark.parametrize(("name", "code"), JUDGES, ids=[name for name, _ in JUDGES])
def test_every_judge_of_the_page_is_one(name: str, code: str) -> None:
    parsed = config.parse({"model": "a/b", "dataset": {"eval": "x.json"}, **yaml.safe_load(code)})
    assert parsed.judge
    assert parsed.judge.endpoint.startswith("http"), name


@pytest.mark.parametrize("server", SERVERS)
def test_the_page_has_a_block_for_each(server: str) -> None:
    assert any(server.replace("-", " ") in name for name, _ in JUDGES)


@pytest.mark.parametrize(("page", "code"), blocks("sh"))
def test_commands_exist(page: str, code: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in code.strip().splitlines():
        words = [word for word in shlex.split(line, comments=True) if "=" not in word.split("/")[0]]
        if words[:1] == ["make"]:
            assert set(words[1:2]) <= set(targets), f"{page}: {line}"
        elif words[:1] == ["assay"]:
            parser().parse_args(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_file_map_names_what_is_there() -> None:
    readme = (ROOT / "README.md").read_text()
    for path in sorted((ROOT / "src" / "assay").iterdir()):
        if path.name.startswith("__") or path.name == "py.typed":
            continue
        assert path.name in readme, f"README's file map lacks {path.name}"


def test_the_map_of_the_tests_names_what_is_there() -> None:
    tests = ROOT / "tests"
    page = (tests / "README.md").read_text()
    for path in tests.iterdir():
        if path.is_dir() and path.name != "__pycache__":
            assert f"`{path.name}/`" in page, f"tests/README.md lacks {path.name}"


def test_the_tables_are_those_of_the_code() -> None:
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    for path, text in tables["pages"]().items():
        assert path.read_text() == text, f"{path.name} is out of date: python docs/tables.py"
