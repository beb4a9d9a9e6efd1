"""Records and JSON in local files.

A file appears whole or not at all (write to a neighbour, then rename), except append-only logs,
whose torn last line (a kill in the middle of a write) is dropped by the reader and cut off before
the next append.
"""

from __future__ import annotations

import codecs
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from assay.errors import DatasetError, InputError, StoreError
from assay.text import whole

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

NumberedLine = tuple[int, bytes]
"""A line of a JSONL file behind its number."""

BLOCK = 1 << 16
WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".gguf")


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`. Raises InputError where it is missing or not JSON."""
    try:
        return _loaded(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}", "Restore the file or delete it") from None


def read_record(path: Path, cls: type[T]) -> T:
    """Return the one `cls` record in the JSON file `path`. Raises InputError."""
    return _records(cls, path)(read_json(path), 0)


def read_rows(path: Path, cls: type[T]) -> Iterator[T]:
    """Yield the `cls` records of a JSONL file. Raises InputError with file and line number."""
    parse = parser(path, cls)
    return (parse(line) for line in read_lines(path))


def parser(path: Path, cls: type[T]) -> Callable[[NumberedLine], T]:
    """Return what makes a `cls` record of a line of the JSONL file `path`. It raises InputError
    with file and line number."""
    from pydantic import ValidationError

    kind: Any = cls
    record, quickly = _records(cls, path), _adapter(kind).validate_json

    def parse(line: NumberedLine) -> T:
        try:
            row: T = quickly(line[1])
        except ValidationError:  # what is wrong with it, or half a character, is read step by step
            row = record(_json_in(line[1], path, line[0]), line[0])
        return row

    return parse


def tail(path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that gives the rows a JSONL file has gained since its last call; a file
    that does not exist yet has none."""
    position = 0

    def new_rows() -> list[dict[str, Any]]:
        nonlocal position
        if not path.is_file():
            return []
        with path.open("rb") as file:
            file.seek(position)
            whole, newline, _ = file.read().rpartition(b"\n")
        position += len(whole) + len(newline)
        return [json.loads(line) for line in whole.splitlines() if line]

    return new_rows


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically; a lone surrogate becomes U+FFFD."""
    with replacing(path) as file:
        file.write(whole(text).encode())


def write_json(path: Path, value: Any) -> None:
    """Write a record or JSON value to `path`, atomically."""
    with replacing(path) as file:
        file.write(to_json(value, indent=2) + b"\n")


def write_rows(path: Path, rows: Iterable[Any]) -> int:
    """Write records to a JSONL file, atomically; return how many."""
    count = 0
    with replacing(path) as file:
        for row in rows:
            file.write(to_json(row) + b"\n")
            count += 1
    return count


@contextmanager
def appending(path: Path) -> Iterator[IO[bytes]]:
    """Open an append-only JSONL file, its torn last line cut off. Write with `append`."""
    with disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            _cut_torn_line(path)
            yield file


def append(file: IO[bytes], row: Any) -> None:
    """Append one record and hand it to the operating system, so that a kill loses nothing."""
    file.write(to_json(row) + b"\n")
    file.flush()


def to_json(value: Any, indent: int | None = None) -> bytes:
    """Return a record or JSON value as JSON bytes; a lone surrogate becomes U+FFFD, NaN and
    infinity are refused (ValueError)."""
    text = _encoder(indent).encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return whole(text).encode()


def hash_rows(rows: Iterable[Any]) -> str:
    """Return the sha256 of the rows' JSON, independent of where they are stored."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(to_json(row) + b"\n")
    return digest.hexdigest()


def digest_weights(directory: Path) -> str:
    """Return the sha256 over names and contents of the weight files directly in `directory`, or
    "" where it has none. Two directories with the same weights have the same digest."""
    return _digest(directory, directory.glob("*"), lambda name: name.endswith(WEIGHT_SUFFIXES))


def digest_files(directory: Path) -> str:
    """Return the sha256 over names and contents of all files in `directory`, however deep, but for
    hidden ones; "" where it has none."""
    return _digest(directory, directory.rglob("*"), lambda name: not f"/{name}".count("/."))


def _digest(directory: Path, paths: Iterable[Path], wanted: Callable[[str], bool]) -> str:
    digest = hashlib.sha256()
    files = {path.relative_to(directory).as_posix(): path for path in paths if path.is_file()}
    names = sorted(filter(wanted, files))
    for name in names:
        digest.update(name.encode() + b"\0")
        status = files[name].stat()
        digest.update(_digest_of(files[name], status.st_ino, status.st_size, status.st_mtime_ns))
    return digest.hexdigest() if names else ""


@functools.lru_cache(maxsize=1024)
def _digest_of(path: Path, _inode: int, _size: int, _changed: int) -> bytes:
    """Return a file's sha256; one that has not changed is read once in a process."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _plain(value: Any) -> Any:
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        raise TypeError(f"{type(value).__name__} is no record")
    return {name: getattr(value, name) for name in fields}


@functools.cache
def _encoder(indent: int | None) -> json.JSONEncoder:
    return json.JSONEncoder(default=_plain, ensure_ascii=False, allow_nan=False, indent=indent)


@functools.cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    """Return what validates `cls`, made once: it takes longer than a small file."""
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def _records(cls: type[T], path: Path) -> Callable[[object, int], T]:
    from pydantic import ValidationError

    kind: Any = cls
    adapter = _adapter(kind)

    def record(row: object, number: int) -> T:
        try:
            validated: T = adapter.validate_python(row)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or cls.__name__
            line = f"{path}:{number}" if number else str(path)
            raise InputError(f"{line}: {name}: {first['msg']}", "Write the file again") from None
        return validated

    return record


def read_lines(path: Path) -> Iterator[NumberedLine]:
    """Yield the lines of a JSONL file, each with its number from 1. Raises InputError where there
    is no such file."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from None
    with file:
        for number, line in enumerate(file, 1):
            if not is_whole(line):
                return
            yield number, line


def _unreadable(path: Path, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path} does not exist", "Run the stage that writes it first")
    return InputError(
        f"{path} cannot be read: {error.strerror}", "Restore it, or look at its rights"
    )


def is_whole(line: bytes) -> bool:
    """Return whether a line of a JSONL file is no row that a kill has torn: by its end, or since it
    is an object to its end, as in a file that a person saved."""
    if line.endswith(b"\n") or not line.startswith(b"{"):
        return line.endswith(b"\n")
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _json_in(line: bytes, path: Path, number: int) -> Any:
    try:
        return _loaded(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path}:{number} is not JSON: {error}", "Correct or remove the line"
        ) from None


def _loaded(content: bytes) -> Any:
    """Return the JSON value in UTF-8 `content`; a lone surrogate, which can only be an escape in
    it, becomes U+FFFD as in `to_json`. Raises ValueError and RecursionError."""
    value = json.loads(content.removeprefix(codecs.BOM_UTF8).decode())  # as utf-8-sig, but fast
    if b"\\ud" not in content and b"\\uD" not in content:
        return value
    return json.loads(whole(json.dumps(value, ensure_ascii=False)))


def _cut_torn_line(path: Path) -> None:
    """Read from the end, a block at a time: what is appended often is long."""
    with path.open("rb") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - BLOCK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        file.seek(end)
        whole = end != size and is_whole(file.read())
    if whole:
        with path.open("ab") as file:
            file.write(b"\n")
    elif end != size:
        os.truncate(path, end)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a neighbour of `path` that takes its place when the block ends without an error."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                yield file
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn what the operating system says of `path` into a StoreError with a remedy."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}",
            "Make room or choose another folder, then run the same command again: it resumes",
        ) from error
