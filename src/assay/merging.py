"""What the shares of a job came to, made the one folder that a single pod would have written.

It goes row by row, in the order of the samples, in as much memory as a row of each share takes.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from assay import placement, reuse, store
from assay.engine.choice import of_engine
from assay.errors import StageError
from assay.folder import GENERATE_LOG, GENERATION, LIKELIHOOD, PREDICTIONS, RESULTS, WAITS
from assay.generate import GenerateSettings, asked, versioned
from assay.llamafactory.loss import MEASURED, token_loss
from assay.records import Generation, Likelihood, Prediction, Sample

Row = TypeVar("Row", Prediction, Likelihood)

_SAME = (
    "model",
    "base_model",
    "digest",
    "base_digest",
    "config_digest",
    "template",
    "dataset_hash",
    "settings",
    "versions",
    "engine",
)
"""What of the shares' records has to be the same, or answers would mix."""
_REMEDY = "Begin it anew, in another folder"


def merge(
    model_name: str,
    samples: Path,
    parts: Sequence[Path],
    out: Path,
    settings: GenerateSettings,
    *,
    base_model: str = "",
    side: str = "",
    place: str = "",
) -> Generation:
    """Write to `out` what `generate` would have, from the folders `parts` that it wrote of all
    shares of the job, and keep the answers in `settings.cache`. The arguments are `generate`'s.

    Raises StageError where the shares are of different models, engines or versions, or do not have
    each sample once.
    """
    done = _merged(samples, parts, out)
    resolved, job = asked(model_name, samples, settings, base_model)
    if entry := reuse.find(settings.cache, resolved, versioned(of_engine(job, done.engine))):
        reuse.keep(entry, out, done, place or str(out.resolve()), side, settings.cache_gb)
    return done


def _merged(samples: Path, parts: Sequence[Path], out: Path) -> Generation:
    records = [store.read_record(part / GENERATION, Generation) for part in parts]
    _check_same(records)
    count = _write(samples, parts, out, PREDICTIONS, Prediction)
    results = _evaluated(samples, parts, records, out)
    _gather_logs(parts, out)
    done = replace(
        records[0],
        samples=count,
        seconds=max(record.seconds for record in records),
        results=results,
        runner=placement.runner(),
        finished=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        device=", ".join(sorted({record.device for record in records})),
    )
    store.write_json(out / GENERATION, done)
    return done


def _evaluated(
    samples: Path, parts: Sequence[Path], records: Sequence[Generation], out: Path
) -> dict[str, float]:
    """Put the likelihood together, and return the results. A share may have had no sample."""
    found = {
        part: record.results
        for part, record in zip(parts, records, strict=True)
        if (part / LIKELIHOOD).is_file()
    }
    if not found:
        return {}
    _write(samples, list(found), out, LIKELIHOOD, Likelihood)
    loss = token_loss(store.read_rows(out / LIKELIHOOD, Likelihood))
    counted = [(store.count_rows(part / LIKELIHOOD), results) for part, results in found.items()]
    if results := combined(counted, loss):
        store.write_json(out / RESULTS, results)
    return results


def _check_same(records: Sequence[Generation]) -> None:
    for number, record in enumerate(records[1:], 2):
        for name in _SAME:
            mine, first = getattr(record, name), getattr(records[0], name)
            if mine != first:
                raise StageError(
                    f"shard {number} of {len(records)} answered with another {name} ({mine}) than "
                    f"shard 1 ({first}): their answers would mix",
                    _REMEDY,
                )


def in_order(ids: Iterable[str], parts: Sequence[Iterator[Row]]) -> Iterator[Row]:
    """Yield the rows of all `parts`, each of which has its own in the order of the `ids`, in that
    order. Raises StageError for an id that no part has, or more than one, and for a row of none of
    them."""
    first: dict[str, tuple[Row, Iterator[Row]]] = {}
    for part in parts:
        _advance(first, part)
    for name in ids:
        if name not in first:
            raise StageError(f"no shard has an answer to the sample id={name}", _REMEDY)
        row, part = first.pop(name)
        _advance(first, part)
        yield row
    if first:
        raise StageError(
            f"a shard has an answer to id={next(iter(first))}, which is asked of none or of "
            "another shard",
            _REMEDY,
        )


def _advance(first: dict[str, tuple[Row, Iterator[Row]]], part: Iterator[Row]) -> None:
    row = next(part, None)
    if row is None:
        return
    if row.id in first:
        raise StageError(f"two shards have an answer to the sample id={row.id}", _REMEDY)
    first[row.id] = (row, part)


def combined(
    parts: Sequence[tuple[int, Mapping[str, float]]], loss: float | None
) -> dict[str, float]:
    """Return the results of all, from the number of samples and the results of each part; `loss` is
    that of all tokens. LLaMA-Factory's are means over samples, but for times, of which the longest
    counts, and what was done in a second, which adds up. What a part has no number of, all have no
    number of."""
    samples = sum(count for count, _ in parts)
    names = [name for name in parts[0][1] if all(name in results for _, results in parts)]
    found: dict[str, float] = {}
    for name in names:
        values = [(count, results[name]) for count, results in parts]
        if name.endswith("_per_second"):
            found[name] = math.fsum(value for _, value in values)
        elif name.endswith(("_time", "_runtime")):
            found[name] = max(value for _, value in values)
        else:
            found[name] = math.fsum(count * value for count, value in values) / samples
    if MEASURED in found and loss is not None:
        found[MEASURED] = loss
    return found


def _write(samples: Path, parts: Sequence[Path], out: Path, name: str, kind: type[Row]) -> int:
    ids = (row.id for row in store.read_rows(samples, Sample))
    rows = [store.read_rows(part / name, kind) for part in parts]
    return store.write_rows(out / name, in_order(ids, rows))


def _gather_logs(parts: Sequence[Path], out: Path) -> None:
    """Put the shares' logs one behind the other, and what they waited for the store beside."""
    with store.replacing(out / GENERATE_LOG) as log:
        for part in parts:
            with (part / GENERATE_LOG).open("rb") as file:
                shutil.copyfileobj(file, log)
    for part in parts:
        for path in part.glob(f"{WAITS}/*.json"):
            (out / WAITS).mkdir(exist_ok=True)
            shutil.copy(path, out / WAITS)
