"""A source, as a user names it -> the rows to read, and the layout where one is stated."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import store
from assay.dataset import tables
from assay.dataset.layout import Layout, from_entry
from assay.dataset.remote import INFO
from assay.dataset.rows import READERS, Row, read_file
from assay.errors import DatasetError, InputError
from assay.settings import check_mapping

HUB = "hf://"


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A dataset of the Hugging Face hub."""

    name: str
    subset: str = ""
    split: str = "train"
    folder: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows of one layout, in files or on the hub; `layout` is None where the rows themselves must
    show it. `num_samples` is the entry's own limit, 0 for none."""

    name: str
    files: tuple[Path, ...] = ()
    hub: Hub | None = None
    layout: Layout | None = None
    num_samples: int = 0

    def rows(self) -> Iterator[Row]:
        """Yield the rows. Raises DatasetError for a file that cannot be read."""
        for file in self.files:
            yield from read_file(file)
        if self.hub:
            one = self.hub
            found = tables.hub_rows(one.name, one.subset, one.split, one.folder)
            for number, value in enumerate(found, 1):
                yield Row(source=HUB + one.name, number=number, value=value)


def resolve(source: str) -> list[Part]:
    """Return the parts of `source`: a file, a folder, "folder#name,..." for entries of the
    folder's dataset_info.json, or hf://owner/name[/subset][:split]. Raises DatasetError."""
    if source.startswith(HUB):
        return [Part(name=source, hub=_hub(source))]
    path, names = split(source)
    if path.name == INFO and path.is_file() and _is_info(path):
        return _entries(path, names)
    if path.is_dir() and (path / INFO).is_file() and _is_info(path / INFO):
        return _entries(path / INFO, names)
    if names:
        raise DatasetError(f"{path} has no {INFO}", f"Name a folder that has one before #{names}")
    return [Part(name=str(path), files=_files(path))]


def split(source: str) -> tuple[Path, str]:
    """Return the path in `source` and the names behind its #, if it has any."""
    name, _, names = source.partition("#")
    return (Path(name), names) if names and not Path(source).exists() else (Path(source), "")


def _hub(source: str) -> Hub:
    name, _, chosen = source.removeprefix(HUB).partition(":")
    owner, _, rest = name.partition("/")
    dataset, _, subset = rest.partition("/")
    if not owner or not dataset:
        raise DatasetError(f"{source} names no dataset", "Write hf://owner/name[/subset][:split]")
    return Hub(name=f"{owner}/{dataset}", subset=subset, split=chosen or "train")


def _is_info(path: Path) -> bool:
    """Whether it is LLaMA-Factory's file, not the one of that name that `datasets` saves."""
    return not ((path.parent / "state.json").is_file() and "features" in _read_info(path))


def _read_info(path: Path) -> dict[str, Any]:
    try:
        return check_mapping(store.read_json(path), str(path))
    except InputError as error:
        raise DatasetError(error.what, error.remedy) from None


def _entries(info: Path, names: str) -> list[Part]:
    entries = _read_info(info)
    if not names and len(entries) != 1:
        raise DatasetError(
            f"{info} has {len(entries)} datasets",
            f"Name one as {info.parent}#NAME, of {', '.join(sorted(entries)) or 'none'}",
        )
    chosen = [name.strip() for name in names.split(",")] if names else list(entries)
    return [_entry(info, name, entries) for name in chosen]


def _entry(info: Path, name: str, entries: Mapping[str, Any]) -> Part:
    if name not in entries:
        raise DatasetError(
            f"{info} has no dataset {name!r}", f"Use one of {', '.join(sorted(entries))}"
        )
    where = f"{info}#{name}"
    try:
        entry = check_mapping(entries[name], where)
        layout = from_entry(entry, where)
    except InputError as error:
        raise DatasetError(error.what, error.remedy) from None
    limit = entry.get("num_samples") or 0
    if not isinstance(limit, int) or limit < 0:
        raise DatasetError(f"{where}: num_samples is {limit!r}", "Write a whole number")
    hub = _entry_hub(entry)
    files = () if hub else _entry_files(entry, info.parent, where)
    return Part(name=where, files=files, hub=hub, layout=layout, num_samples=limit)


def _entry_hub(entry: Mapping[str, Any]) -> Hub | None:
    if "hf_hub_url" not in entry:
        return None
    given = {name: str(entry[name]) for name in ("subset", "split", "folder") if entry.get(name)}
    return Hub(name=str(entry["hf_hub_url"]), **given)


def _entry_files(entry: Mapping[str, Any], folder: Path, where: str) -> tuple[Path, ...]:
    name = entry.get("file_name")
    if not isinstance(name, str) or not name:
        raise DatasetError(
            f"{where} has neither file_name nor hf_hub_url", "Name a file beside dataset_info.json"
        )
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(os.path.normpath(folder)):
        raise DatasetError(
            f"{where}: file_name {name!r} leads out of {folder}", "Put the file into that folder"
        )
    return _files(path)


def _files(path: Path) -> tuple[Path, ...]:
    """The data files that `path` stands for: itself, or those directly in it, of one format."""
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise DatasetError(
            f"{path} does not exist",
            "Check the path and where it starts from; a dataset of the hub is hf://owner/name",
        )
    kinds: dict[str, list[Path]] = {}
    for file in sorted(path.iterdir()):
        if file.suffix.lower() in READERS and file.name not in (INFO, "state.json"):
            kinds.setdefault(file.suffix.lower().removesuffix("l"), []).append(file)
    if len(kinds) != 1:
        held = f"files of {', '.join(kinds)}" if kinds else "no data file"
        raise DatasetError(f"{path} holds {held}", "Name one file, or keep one format in a folder")
    return tuple(next(iter(kinds.values())))
