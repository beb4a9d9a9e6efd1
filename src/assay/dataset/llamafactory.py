"""Samples -> a dataset directory that LLaMA-Factory reads back to the same conversations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

from assay import store
from assay.records import Role, Sample

# LLaMA-Factory's default tags of its sharegpt format.
_TAGS: Mapping[Role, str] = {
    "user": "human",
    "assistant": "gpt",
    "observation": "observation",
    "function_call": "function_call",
}


_AT_ONCE = 500  # rows


def to_llamafactory(samples: Iterable[Sample], directory: Path, name: str) -> None:
    """Write `samples` as the dataset `name` of `directory`: name.parquet in sharegpt format, and
    its dataset_info.json, in their order. Raises StageError where it cannot be written."""
    import pyarrow
    from pyarrow import parquet

    text = pyarrow.string()
    turn = pyarrow.struct([("from", text), ("value", text)])
    columns = {"conversations": pyarrow.list_(turn), "system": text, "tools": text}
    schema, rows = pyarrow.schema(columns), map(_row, samples)
    with (
        store.replacing(directory / f"{name}.parquet") as file,
        parquet.ParquetWriter(file, schema) as writer,
    ):
        while some := list(islice(rows, _AT_ONCE)):
            writer.write_table(pyarrow.Table.from_pylist(some, schema=schema))
    store.write_json(directory / "dataset_info.json", {name: _entry(name)})


def _entry(name: str) -> dict[str, object]:
    columns = {"messages": "conversations", "system": "system", "tools": "tools"}
    return {"file_name": f"{name}.parquet", "formatting": "sharegpt", "columns": columns}


def _row(sample: Sample) -> dict[str, object]:
    first = sample.messages[0]
    system, messages = "", sample.messages
    if first.role == "system":
        system, messages = first.content, messages[1:]
    turns = [{"from": _TAGS[turn.role], "value": turn.content} for turn in messages]
    turns.append({"from": _TAGS[sample.target_role], "value": sample.target})
    return {"conversations": turns, "system": system, "tools": sample.tools}
