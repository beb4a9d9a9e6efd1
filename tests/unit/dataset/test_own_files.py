"""A dataset that came from elsewhere has no say over other files of this machine."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.dataset import load
from assay.errors import DatasetError
from tests import hub
from tests.needs import need

ROWS = b'{"instruction": "q", "input": "", "output": "a"}\n'
LEADS_OUT = "leads out of"
NOT_A_NAME = "not owner/name"


def describe(data: Path, **entry: Any) -> str:
    """Write a dataset_info.json with this one entry; return the source that names it."""
    data.mkdir()
    (data / "dataset_info.json").write_text(json.dumps({"d": entry}))
    return f"{data}#d"


@pytest.fixture(name="secret")
def make_secret(tmp_path: Path) -> Path:
    """A folder beside the dataset's, whose file the dataset wants."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "rows.jsonl").write_bytes(ROWS)
    return tmp_path / "secret"


HUB_NAMES = [
    *["text", "json", "csv", "parquet", "arrow", "imagefolder", "squad"],
    *["/etc", "{secret}", "./secret", "../secret", "a/../secret", "..", "a/..", "a/b/c", "~/b"],
    *["https://host/rows.json", "s3://bucket/rows", "hf://owner/name", "owner/name\n", "owner/"],
    *["owner/n\u00e4me", "\u0661/b", "", None, 7, ["owner/name"], {"a": 1}],
]


@pytest.mark.parametrize("name", HUB_NAMES, ids=repr)
def test_the_hub_is_asked_for_owner_and_name_only(
    name: Any, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = name.format(secret=secret) if isinstance(name, str) else name
    source = describe(
        tmp_path / "data",
        hf_hub_url=named,
        folder=str(secret),
        columns={"prompt": "text", "response": "text"},
    )
    with pytest.raises(DatasetError, match=NOT_A_NAME) as caught:
        load(source)
    assert "hf_hub_url" in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        *[("folder", path, LEADS_OUT) for path in ("/etc", "..", "a/../../b", "file:///etc")],
        *[(key, value, f"{key} is") for key in ("subset", "split") for value in (7, ["a"], "a\n")],
        ("folder", {"a": 1}, "folder is"),
    ],
)
def test_a_part_of_a_hub_dataset_is_a_part_of_it(
    key: str, value: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=message):
        load(describe(tmp_path / "data", hf_hub_url="owner/name", **{key: value}))


@pytest.mark.parametrize("key", ["script_url", "ms_hub_url", "om_hub_url", "cloud_file_name"])
def test_what_llamafactory_would_read_instead_of_the_file_is_refused(
    key: str, tmp_path: Path
) -> None:
    source = describe(tmp_path / "data", file_name="rows.jsonl", **{key: "x"})
    (tmp_path / "data" / "rows.jsonl").write_bytes(ROWS)
    with pytest.raises(DatasetError, match=f"{key} is not supported") as caught:
        load(source)
    assert "file" in caught.value.remedy


FILES = [
    *["../secret/rows.jsonl", "{secret}/rows.jsonl", "../secret", "{secret}", "..", "/"],
    *["link.jsonl", "link", "link/rows.jsonl", "inner", "inner/link.jsonl", "chain.jsonl"],
    *["inner/../../secret/rows.jsonl", "../data2/rows.jsonl"],
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("near", [True, False], ids=["from its own folder", "from elsewhere"])
def test_a_file_name_stays_in_its_folder(
    name: str, near: bool, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    source = describe(data, file_name=name.format(secret=secret))
    (tmp_path / "data2").mkdir()
    (tmp_path / "data2" / "rows.jsonl").write_bytes(ROWS)
    (data / "inner").mkdir()
    for link in (data / "link.jsonl", data / "inner" / "link.jsonl"):
        link.symlink_to(secret / "rows.jsonl")
    (data / "chain.jsonl").symlink_to("link.jsonl")
    (data / "link").symlink_to(secret)
    monkeypatch.chdir(data if near else tmp_path)
    with pytest.raises(DatasetError, match=LEADS_OUT) as caught:
        load("dataset_info.json#d" if near else source)
    assert "name it itself as the dataset" in caught.value.remedy


@pytest.mark.parametrize(
    "name", ["rows.jsonl", "./rows.jsonl", "inner", "inner/../rows.jsonl", "near.jsonl", "."]
)
def test_a_file_in_its_folder_is_read(name: str, tmp_path: Path) -> None:
    source = describe(tmp_path / "data", file_name=name)
    (tmp_path / "data" / "inner").mkdir()
    (tmp_path / "data" / "inner" / "rows.jsonl").write_bytes(ROWS)
    (tmp_path / "data" / "rows.jsonl").write_bytes(ROWS)
    (tmp_path / "data" / "near.jsonl").symlink_to("inner/rows.jsonl")
    (tmp_path / "linked").symlink_to("data")
    for start in (source, f"{tmp_path}/linked#d"):
        assert {sample.target for sample in load(start)} == {"a"}


@pytest.mark.parametrize(
    "target", ["{secret}/rows.jsonl", "../secret/rows.jsonl", "../chain/rows.jsonl"]
)
def test_a_link_in_a_folder_that_is_named_whole_stays_in_it(
    target: str, secret: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "own.jsonl").write_bytes(ROWS)
    (data / "near.jsonl").symlink_to("own.jsonl")
    (tmp_path / "linked").symlink_to("data")
    for start in (data, tmp_path / "linked"):
        assert {sample.target for sample in load(str(start))} == {"a"}
    (tmp_path / "chain").symlink_to(secret)
    link = data / "rows.jsonl"
    link.symlink_to(target.format(secret=secret))
    with pytest.raises(DatasetError, match=rf"rows\.jsonl is a link that {LEADS_OUT}") as caught:
        load(str(data))
    assert "Name that file itself" in caught.value.remedy
    load(str(link))  # by the user's own word


@pytest.mark.parametrize("name", ["n" * 5000 + ".jsonl", "rows\0.jsonl"])
def test_a_file_name_that_no_file_has_is_no_crash(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        load(describe(tmp_path / "data", file_name=name))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"hf_hub_url": "text", "folder": "{secret}"}, NOT_A_NAME),
        ({"file_name": "{secret}/rows.jsonl"}, LEADS_OUT),
        ({"file_name": "../secret/rows.jsonl"}, LEADS_OUT),
        ({"script_url": "x.py"}, "script_url is not supported"),
    ],
)
def test_a_description_in_a_store_has_no_more_say(
    entry: dict[str, str], message: str, bucket: str, secret: Path, tmp_path: Path
) -> None:
    given = {key: value.format(secret=secret) for key, value in entry.items()}
    describe(tmp_path / "data", **given)
    store.publish(tmp_path / "data", f"{bucket}/data")
    with pytest.raises(DatasetError, match=message) as caught:
        load(f"{bucket}/data#d")
    assert f"{bucket}/data/dataset_info.json#d" in caught.value.what


CHECK = """
import sys
from assay.cli.main import main
for source in sys.argv[1:]:
    sys.stderr.flush()
    print("=", source, main(["dataset", "check", source]), flush=True)
"""


def readme(**config: str) -> bytes:
    return f"---\nconfigs:\n- {json.dumps({'config_name': 'default', **config})}\n---\n".encode()


def test_a_dataset_of_the_hub_is_read_from_the_hub_and_names_no_file_here(
    secret: Path, tmp_path: Path
) -> None:
    """What `datasets` would follow: a README that names files of the machine that reads it, and a
    folder that has the dataset's name. Code of a dataset is not run."""
    found = importlib.util.find_spec("datasets") is not None
    need(found, "needs datasets: pip install 'assay[finetune]'")
    datasets = {
        "some.owner/a_name": {"test.jsonl": ROWS},
        "bad/file": {"x.jsonl": ROWS, "README.md": readme(data_files=f"{secret}/rows.jsonl")},
        "bad/folder": {"x.jsonl": ROWS, "README.md": readme(data_dir=str(secret))},
        "bad/script": {"script.py": b"print('it ran')"},
    }
    local = tmp_path / "local" / "name"
    local.mkdir(parents=True)
    (local / "rows.jsonl").write_bytes(ROWS)
    entry = describe(tmp_path / "data", hf_hub_url="local/name")
    ends = {
        "hf://some.owner/a_name:test": "alpaca, 1 rows, 1 samples",
        "hf://some.owner/a_name:gone": 'cannot be loaded: Unknown split "gone"',
        "hf://bad/file": f"would read {secret}/rows.jsonl, which is not in that dataset",
        "hf://bad/folder": f"would read {secret}/rows.jsonl, which is not in that dataset",
        "hf://bad/script": "cannot be loaded: Dataset scripts are no longer supported",
        "hf://local/name": f"would read {local}/rows.jsonl, which is not in that dataset",
        entry: f"would read {local}/rows.jsonl, which is not in that dataset",
        "hf://name": "names no dataset",
        "hf://../secret": "names no dataset",
    }
    with hub.serve(datasets) as address:
        environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache")}
        process = subprocess.run(
            [sys.executable, "-c", CHECK, *ends],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
            cwd=tmp_path,
            env=environment,
        )
    said = process.stdout
    for source, end in ends.items():
        told, _, said = said.partition(f"= {source} ")
        code, _, said = said.partition("\n")
        assert end in told
        assert int(code) == (0 if "samples" in end else 2)
    assert "it ran" not in process.stdout
