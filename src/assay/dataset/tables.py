"""Tables -> rows: csv, parquet and arrow files."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from assay.dataset.content import check_separator
from assay.dataset.validity import MAX_CHARACTERS
from assay.errors import DatasetError, MissingExtraError

# A table may unpack to this many bytes, or to this many times its file, whichever is more.
UNPACKED_BYTES, UNPACKED_TIMES = 512 << 20, 50
_BATCH_ROWS, _FEW_ROWS = 256, 16


@dataclass(frozen=True, kw_only=True)
class Invalid:
    """A row that has no value, and the `cause`."""

    cause: str


def csv_rows(name: str, text: TextIO) -> Iterator[dict[str, str] | Invalid | None]:
    """Yield the rows of a csv file's `text`, None for one without cells. Raises DatasetError."""
    csv.field_size_limit(MAX_CHARACTERS + 1)
    check_separator(name, text.readline())
    text.seek(0)
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader)
        _check_columns(name, header)
        for cells in reader:
            if not cells:
                yield None
            elif len(cells) == len(header):
                yield dict(zip(header, cells, strict=True))
            else:
                yield Invalid(cause=f"the row has {len(cells)} cells under {len(header)} columns")
    except csv.Error as error:
        raise DatasetError(
            f"{name}:{reader.line_num} is not csv: {error}", "Correct its quotes and commas"
        ) from None


def _check_columns(name: str, columns: Sequence[str]) -> None:
    """Refuse a column whose cells another one's would hide."""
    twice = [column for column, count in Counter(columns).items() if column and count > 1]
    if twice:
        raise DatasetError(f"{name}: two of its columns are {twice[0]!r}", "Rename or remove one")


def parquet_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a parquet file. Raises DatasetError where it unpacks to far too much."""
    pyarrow = _pyarrow()
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as table:
            _check_columns(str(file), table.schema_arrow.names)
            groups = range(table.metadata.num_row_groups)
            _limit(file, sum(table.metadata.row_group(group).total_byte_size for group in groups))
            yield from _rows(file, table.iter_batches(_BATCH_ROWS, use_threads=False))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _unreadable(file, "parquet", error) from None


def arrow_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of an arrow file, of the stream or the file format."""
    pyarrow = _pyarrow()
    from pyarrow import ipc

    try:
        with pyarrow.memory_map(str(file)) as source:
            if source.read(6) == b"ARROW1":
                reader = ipc.open_file(source)
                batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
            else:
                source.seek(0)
                reader = ipc.open_stream(source)
                batches = iter(reader)
            _check_columns(str(file), reader.schema.names)
            yield from _rows(file, batches)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _unreadable(file, "arrow", error) from None


def _rows(file: Path, batches: Iterable[Any]) -> Iterator[dict[str, Any]]:
    unpacked = 0
    for batch in batches:
        # A few rows at a time, because a value that is stored once may be in every row.
        for start in range(0, batch.num_rows, _FEW_ROWS):
            rows = batch.slice(start, _FEW_ROWS).to_pylist()
            unpacked += sum(map(_characters, rows))
            _limit(file, unpacked)
            yield from rows


def _characters(value: object) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list) else 8


def _limit(file: Path, unpacked: int) -> None:
    size = file.stat().st_size
    if unpacked > max(UNPACKED_BYTES, UNPACKED_TIMES * size):
        raise DatasetError(
            f"{file} has {size:,} bytes and unpacks to more than {unpacked:,}",
            "Check where it comes from; write it as jsonl if it is what you want",
        )


def _unreadable(file: Path, format_name: str, error: Exception) -> DatasetError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DatasetError(f"{file} is not {format_name}: {reason}", "Write or copy the file again")


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise MissingExtraError("pyarrow", "dataset") from None
    return pyarrow
