"""Datasets of the Hugging Face hub: which one is meant, and its rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from assay.errors import DatasetError, MissingExtraError

HUB = "hf://"
_BATCH_ROWS = 16
_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A dataset of the Hugging Face hub, and the `folder` of its own that is read ("": all)."""

    name: str
    subset: str = ""
    split: str = "train"
    folder: str = ""


def from_source(source: str) -> Hub:
    """Return what hf://owner/name[/subset][:split] names. Raises DatasetError."""
    name, _, split = source.removeprefix(HUB).partition(":")
    owner, _, rest = name.partition("/")
    dataset, _, subset = rest.partition("/")
    if not _is_name(f"{owner}/{dataset}"):
        raise DatasetError(f"{source} names no dataset", "Write hf://owner/name[/subset][:split]")
    return Hub(name=f"{owner}/{dataset}", subset=subset, split=split or "train")


def from_entry(entry: Mapping[str, Any], where: str) -> Hub:
    """Return what the hf_hub_url of one entry of a dataset_info.json names; `where` names the
    entry. Raises DatasetError for anything but owner/name: the name of a file format, a path or an
    address would make `datasets` read other files as samples."""
    name = entry["hf_hub_url"]
    if not isinstance(name, str) or not _is_name(name):
        raise DatasetError(
            f"{where}: hf_hub_url is {name!r}, not owner/name",
            "Name a dataset of the hub, or put its file beside dataset_info.json as file_name",
        )
    given = {key: entry[key] for key in ("subset", "split", "folder") if entry.get(key)}
    for key, value in given.items():
        if not isinstance(value, str) or not value.isprintable():
            raise DatasetError(f"{where}: {key} is {value!r}, not a name", f"Write {key} as text")
    if not _is_inside(given.get("folder", "")):
        raise DatasetError(
            f"{where}: folder {given['folder']!r} leads out of the dataset",
            "Write the path of a folder in it, without ..",
        )
    return Hub(name=name, **given)


def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and ".." not in name


def _is_inside(folder: str) -> bool:
    path = PurePosixPath(folder)
    return not path.is_absolute() and ".." not in path.parts and "://" not in folder


def rows(hub: Hub) -> Iterator[dict[str, Any]]:
    """Yield the rows of a dataset of the hub, as they are stored: images stay undecoded.

    Raises DatasetError where it cannot be loaded, and where it would read files that are not its
    own: those that its README names elsewhere, or a folder here that has its name.
    """
    try:
        from datasets import load_dataset_builder
        from datasets.exceptions import DatasetsError
    except ImportError:
        raise MissingExtraError("datasets", "finetune") from None
    try:
        builder = load_dataset_builder(hub.name, hub.subset or None, data_dir=hub.folder or None)
        _check_files(hub, builder)
        builder.download_and_prepare()
        table = builder.as_dataset(split=hub.split).with_format("arrow")
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        reason = str(error).strip() or type(error).__name__
        raise DatasetError(
            f"{HUB}{hub.name} cannot be loaded: {reason.splitlines()[0].rstrip('.')}",
            "Check its name, subset and split, and that the hub can be reached (HF_ENDPOINT)",
        ) from None
    for batch in table.iter(_BATCH_ROWS):
        yield from batch.to_pylist()


def _check_files(hub: Hub, builder: Any) -> None:
    """A builder without files reads what an earlier load of this dataset left in the cache."""
    own = tuple(f"{HUB}datasets/{hub.name}{mark}" for mark in "@/")
    for files in (builder.config.data_files or {}).values():
        for file in files:
            if not file.startswith(own):
                raise DatasetError(
                    f"{HUB}{hub.name} would read {file}, which is not in that dataset",
                    "Name that file itself as the dataset, if it is what you want",
                )
