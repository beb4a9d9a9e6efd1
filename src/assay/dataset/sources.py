"""A source, as a user names it -> the rows to read, and the layout where one is stated."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import store
from assay.dataset import hub
from assay.dataset.layout import Layout, from_entry
from assay.dataset.remote import INFO
from assay.dataset.rows import READERS, SourceRow, read_file
from assay.errors import DatasetError, InputError
from assay.settings import check_mapping

# Where LLaMA-Factory would read an entry from, before it looks for a file_name.
_ELSEWHERE = {
    "ms_hub_url": "Name a dataset of the Hugging Face hub as hf_hub_url, or a file as file_name",
    "om_hub_url": "Name a dataset of the Hugging Face hub as hf_hub_url, or a file as file_name",
    "script_url": "Nothing runs its code: write its rows to a file and name that as file_name",
    "cloud_file_name": "Name the file itself as the dataset, such as s3://bucket/rows.jsonl",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows of one layout, in files or on the hub; `layout` is None where the rows themselves must
    show it. `num_samples` is the entry's own limit, 0 for none, and `entry` its name."""

    name: str
    files: tuple[Path, ...] = ()
    hub: hub.Hub | None = None
    layout: Layout | None = None
    num_samples: int = 0
    entry: str = ""

    def rows(self) -> Iterator[SourceRow]:
        """Yield the rows. Raises DatasetError for a file that cannot be read."""
        for file in self.files:
            yield from read_file(file)
        if self.hub:
            for number, value in enumerate(hub.rows(self.hub), 1):
                yield SourceRow(source=hub.HUB + self.hub.name, number=number, value=value)


def is_file(path: Path) -> bool:
    """Return whether there is such a file; the name of none may be too long for pathlib."""
    return os.path.isfile(path)  # noqa: PTH113


def resolve(source: str) -> list[Part]:
    """Return the parts of `source`: a file, a folder, "folder#name,..." for entries of the
    folder's dataset_info.json, or hf://owner/name[/subset][:split]. Raises DatasetError."""
    if source.startswith(hub.HUB):
        return [Part(name=source, hub=hub.from_source(source))]
    if "://" in source:
        raise DatasetError(
            f"{source} lies where no dataset is read from",
            "Name a file or folder here, or one by s3://, minio:// or hf://owner/name",
        )
    path, names = split(source)
    if path.name == INFO and path.is_file() and _is_info(path):
        return _entries(path, names)
    if is_file(path / INFO) and _is_info(path / INFO):
        return _entries(path / INFO, names)
    if names:
        raise DatasetError(f"{path} has no {INFO}", f"Name a folder that has one before #{names}")
    return [Part(name=str(path), files=_own_files(path))]


def split(source: str) -> tuple[Path, str]:
    """Return the path in `source` and the names behind its #, if it has any."""
    name, _, names = source.partition("#")
    return (Path(name), names) if names and not Path(source).exists() else (Path(source), "")


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
    remote = _entry_hub(entry, where)
    files = () if remote else _entry_files(entry, info.parent, where)
    return Part(name=where, files=files, hub=remote, layout=layout, num_samples=limit, entry=name)


def _entry_hub(entry: Mapping[str, Any], where: str) -> hub.Hub | None:
    if "hf_hub_url" in entry:
        return hub.from_entry(entry, where)
    for name, remedy in _ELSEWHERE.items():
        if name in entry:
            raise DatasetError(f"{where}: {name} is not supported", remedy)
    return None


def _entry_files(entry: Mapping[str, Any], folder: Path, where: str) -> tuple[Path, ...]:
    """Return the files of an entry, none of which lies, or is a link that leads, out of `folder`:
    a dataset that came from elsewhere has no say over other files here."""
    name = entry.get("file_name")
    if not isinstance(name, str) or not name or "\0" in name:
        raise DatasetError(
            f"{where} has neither file_name nor hf_hub_url", "Name a file beside dataset_info.json"
        )
    path = Path(os.path.normpath(folder / name))
    # itself first: nothing is said of what it leads to
    if not _is_inside(path, folder) or not all(_is_inside(file, folder) for file in _files(path)):
        raise DatasetError(
            f"{where}: file_name {name!r} leads out of its folder",
            "Put the file into that folder, or name it itself as the dataset",
        )
    return _files(path)


def _own_files(path: Path) -> tuple[Path, ...]:
    """Return the files that a name stands for. A link that the user names is the user's own word;
    one in a folder, which may have come from elsewhere, has no say over other files here."""
    files = _files(path)
    for file in files if os.path.isdir(path) else ():  # noqa: PTH112
        if not _is_inside(file, path):
            raise DatasetError(
                f"{file} is a link that leads out of its folder",
                "Name that file itself as the dataset, if it is what you want",
            )
    return files


def _is_inside(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _files(path: Path) -> tuple[Path, ...]:
    """The data files that `path` stands for: itself, or those directly in it, of one format."""
    if is_file(path):
        return (path,)
    if not os.path.isdir(path):  # noqa: PTH112
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
