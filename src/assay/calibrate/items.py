"""Blind items for people: a table and a form, without side, model or score; and their labels."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from assay import cases, store
from assay.errors import InputError
from assay.folder import PREDICTIONS, SAMPLES, VERDICTS
from assay.judge import conversation, verdicts
from assay.judge.rubric import Rubric
from assay.records import SIDES, Prediction, Sample, Verdict

SEED = 42
_MOST_DIGITS = 9  # of a label: more are on no scale
_SHOWN = 40  # characters of a label that is none
SHOWN = ("item", "task", "reference", "answer")
# what a spreadsheet takes for the beginning of a formula, wide as Japanese ones do it, too
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One judged answer. `name` is what people see of its identity: it says neither side nor id,
    and is found again from the run folder."""

    name: str
    side: str
    sample: Sample
    output: str
    verdict: Verdict


def judged(run: Path) -> Iterator[Item]:
    """Yield every answer of the run folder that the judge scored in every dimension.

    Raises InputError where nothing is judged, or a side's ids are not the dataset's."""
    sides = [side for side in SIDES if (run / side / VERDICTS).is_file()]
    if not sides:
        raise InputError(f"{run} holds no verdicts", f"Run: assay judge {run}")
    for side in sides:
        samples, predictions = run / SAMPLES, run / side / PREDICTIONS
        cases.count(samples, predictions)
        given = verdicts(run / side / VERDICTS)
        for sample, prediction in conversation.read(samples, predictions):
            verdict = given.get(sample.id)
            if verdict and not verdict.unscored:
                yield Item(
                    name=_name(side, prediction),
                    side=side,
                    sample=sample,
                    output=prediction.output,
                    verdict=verdict,
                )


def draw(items: Sequence[Item], n: int) -> list[Item]:
    """Return `n` items drawn at random, as many of each side as can be, in random order; the same
    items give the same draw. Raises InputError where there are fewer, and for none."""
    if n < 1:
        raise InputError(f"--n {n} draws nothing", "Give 1 or more")
    if n > len(items):
        raise InputError(f"{n} items are more than the {len(items)} scored", "Lower --n")
    shuffled = random.Random(SEED).sample(list(items), len(items))  # noqa: S311  no secret
    by_side = {side: [item for item in shuffled if item.side == side] for side in SIDES}
    chosen = [by_side[side].pop() for at in range(2 * n) if by_side[side := SIDES[at % 2]]]
    return sorted(chosen[:n], key=lambda item: item.name)


def write_items(path: Path, items: Sequence[Item], rubric: Rubric) -> None:
    """Write the items as CSV with an empty column for each dimension of the rubric."""
    with store.replacing(path) as file:
        rows = [dict(zip(SHOWN, map(_cell, _shown(item)), strict=True)) for item in items]
        file.write(_csv([*SHOWN, *rubric.dimensions], rows).encode("utf-8-sig"))


def check_unlabelled(source: str) -> None:
    """Raise InputError where a table of items, a path or URI, is there with labels in it, which
    another in its place would lose."""
    if not store.exists(source):
        return
    with store.fetched(source) as path:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    if any(value for row in _table(text) for name, value in row.items() if name not in SHOWN):
        raise InputError(f"{source} has labels, which would be lost", "Give another --out")


def write_form(path: Path, items: Sequence[Item], rubric: Rubric) -> None:
    """Write a page that needs nothing else, in which people label the items and save the CSV."""
    data = {
        "items": [dict(zip(SHOWN, _shown(item), strict=True)) for item in items],
        "low": rubric.low,
        "high": rubric.high,
        "dimensions": rubric.dimensions,
    }
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    page = files("assay.calibrate").joinpath("form.html").read_text(encoding="utf-8")
    store.write_text(path, page.replace("{{ data }}", text))


def read_labels(
    source: str, items: Mapping[str, Item], rubric: Rubric
) -> dict[str, dict[str, int]]:
    """Return item -> dimension -> label from a CSV that people filled in, a path or URI; empty
    cells are no labels. Raises StoreError, and InputError, by row, for an item that the run does
    not have or that stands twice, and for a label off the scale."""
    labels: dict[str, dict[str, int]] = {}
    for number, row in enumerate(_rows(source, rubric), 2):
        name = (row.get("item") or "").strip()
        where = f"{source}:{number}: item {name}"
        if name not in items:
            raise InputError(f"{where} is not in the run", "Label what `export` wrote for this run")
        if name in labels:
            raise InputError(f"{where} stands twice", "Keep one label for each item")
        labels[name] = {
            dimension: _label(text, rubric, f"{where}: {dimension}")
            for dimension in rubric.dimensions
            if (text := (row.get(dimension) or "").strip())
        }
    if not any(labels.values()):
        raise InputError(f"{source} has no labels", "Fill in at least one dimension of some items")
    return labels


def _table(text: str) -> csv.DictReader[str]:
    """Read a table whose columns are parted by commas, or by semicolons, as spreadsheets write it
    where the comma stands in numbers."""
    csv.field_size_limit(max(len(text), csv.field_size_limit()))  # an answer may be of any length
    first = text.partition("\n")[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)


def _rows(source: str, rubric: Rubric) -> list[dict[str, str]]:
    try:
        with store.fetched(source) as path:
            reader = _table(path.read_text(encoding="utf-8-sig"))
            rows = list(reader)
            columns = list(reader.fieldnames or ())
    except IsADirectoryError:
        raise InputError(f"{source} is a folder", "Give the CSV file in it") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{source} is not CSV in UTF-8: {error}", "Save it again as CSV") from None
    if "item" not in columns or not set(columns) & set(rubric.dimensions):
        wanted = ", ".join(["item", *rubric.dimensions])
        raise InputError(f"{source} lacks the columns of labels", f"Keep the columns {wanted}")
    _check_columns(source, columns, rubric)
    for number, row in enumerate(rows, 2):
        if None in row:
            raise InputError(
                f"{source}:{number} has more cells than there are columns",
                "Quote what holds a comma, or remove them",
            )
    return rows


def _check_columns(source: str, columns: Sequence[str], rubric: Rubric) -> None:
    """Raise InputError where the labels of a dimension would be lost: its column stands twice, or
    is misspelt."""
    for name in ("item", *rubric.dimensions):
        if columns.count(name) > 1:
            raise InputError(f"{source} has the column {name} twice", "Keep one of them")
    missing = [name for name in rubric.dimensions if name not in columns]
    for column in columns:
        close = difflib.get_close_matches(column.strip().lower(), missing, n=1, cutoff=0.8)
        if close and column not in SHOWN:
            raise InputError(
                f"{source} has the column {column}, which is no dimension",
                f"Did you mean {close[0]}?",
            )


def _label(text: str, rubric: Rubric, where: str) -> int:
    digits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    if not digits or not rubric.low <= int(text) <= rubric.high:
        raise InputError(
            f"{where} = {text[:_SHOWN]!r} is not on the scale",
            f"Use an integer from {rubric.low} to {rubric.high}, or leave it empty",
        )
    return int(text)


def _shown(item: Item) -> tuple[str, str, str, str]:
    turns = item.sample.messages
    task = (
        turns[0].content
        if len(turns) == 1
        else "\n\n".join(f"{t.role}: {t.content}" for t in turns)
    )
    return item.name, task, item.sample.target, item.output


def _cell(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text[:1] in _FORMULA else text


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _name(side: str, row: Prediction) -> str:
    return hashlib.sha256(store.to_json([side, row.id, row.output])).hexdigest()[:12]
