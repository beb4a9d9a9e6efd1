"""What five columns of tags cost over 100,000 rows, and what the metrics of labels do.

    python -m tests.bench.report.bench_tags [--rows N] [--rounds N]

Every stage runs in a process of its own, without the tags and with them in turn, and its cheapest
round counts: seconds of a core, imports included, and the most memory. Exit code 1 where a bound
that is promised is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from assay import store
from assay.records import Prediction, Sample

ROWS, ROUNDS, PROMISED, SECONDS = 100_000, 2, 1.10, 5.0
SIDES = ("baseline", "candidate")
COLUMNS = {"category": 50, "source": 20, "language": 10, "level": 6, "kind": 5}
"""The columns, by how many values each has: 91 subsets."""
METRICS = {
    "plain": ("rouge-l", "meteor", "exact-match", "token-f1"),
    "labels": ("label-accuracy", "macro-f1", "macro-precision", "macro-recall"),
}
RUN = Path(__file__).parents[2] / "data" / "run"

Cost = tuple[float, float]
"""Seconds of a core, and megabytes."""


def make(folder: Path, rows: int) -> None:
    """Write plain.json, whose rows have the columns, more of a column's first values than of its
    last ones; tagged.json, the same; and labels.json, whose outputs are one of seven labels."""
    chance = random.Random(1)
    words = [
        "".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 9))) for _ in range(999)
    ]
    weights = {name: [*accumulate(1 / (1 + at) for at in range(n))] for name, n in COLUMNS.items()}
    texts = []
    for _ in range(rows):
        row = {"instruction": " ".join(chance.choices(words, k=30))}
        row["output"] = " ".join(chance.choices(words, k=chance.randint(3, 12)))
        for name, each in weights.items():
            row[name] = f"{name} {chance.choices(range(len(each)), cum_weights=each)[0]}"
        texts.append(row)
    labelled = [row | {"output": f"label {chance.choice('abcdefg')}"} for row in texts]
    for name, table in (("plain", texts), ("tagged", texts), ("labels", labelled)):
        (folder / f"{name}.json").write_text(json.dumps(table))


def answer(run: Path) -> None:
    """Write what both sides answer: the target, some words of it those of others, fewer with the
    candidate."""
    chance = random.Random(2)
    samples = [*store.read_rows(run / "dataset.jsonl", Sample)]
    for side, kept in zip(SIDES, (0.78, 0.84), strict=True):
        shutil.copytree(RUN / side, run / side, ignore=shutil.ignore_patterns("*.jsonl", "judge*"))
        rows = (_answer(chance, samples, sample, kept) for sample in samples)
        store.write_rows(run / side / "predictions.jsonl", rows)


def _answer(
    chance: random.Random, samples: list[Sample], sample: Sample, kept: float
) -> Prediction:
    words = [
        word if chance.random() < kept else chance.choice(chance.choice(samples).target.split())
        for word in sample.target.split()
    ]
    output = " ".join(words)
    return Prediction(
        id=sample.id, output=output, finish="stop", prompt_tokens=40, output_tokens=20
    )


def run_prepare(run: Path) -> None:
    """Prepare the samples of a run, those of "tagged" with their columns."""
    from assay.dataset import DatasetSettings, prepare

    tags = tuple(COLUMNS) if run.name == "tagged" else ()
    prepare(DatasetSettings(eval=str(run.with_suffix(".json")), tags=tags), run)


def run_metrics(run: Path) -> None:
    """Score both sides of a run."""
    from assay.metrics import MetricsSettings, compute_sides

    sides = {side: run / side / "predictions.jsonl" for side in SIDES}
    metrics = METRICS["labels" if run.name == "labels" else "plain"]
    compute_sides(run / "dataset.jsonl", sides, run, MetricsSettings(metrics=metrics))


def run_report(run: Path) -> None:
    """Write the report of a run."""
    from assay.report import report

    report(run)


STAGES = {"prepare": run_prepare, "metrics": run_metrics, "report": run_report}


def cost(stage: str, run: Path) -> Cost:
    """Return what a stage takes in a process of its own and that one's children."""
    command = [sys.executable, "-m", "tests.bench.report.bench_tags", "--stage", stage, str(run)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, megabytes = json.loads(ended.stdout.splitlines()[-1])
    return seconds, megabytes


def stage_alone(stage: str, run: Path) -> None:
    """Run a stage in this process and print what it took."""
    STAGES[stage](run)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(each.ru_utime + each.ru_stime for each in used)
    print(json.dumps([seconds, max(each.ru_maxrss for each in used) / 1024]))


def costs(folder: Path, rounds: int) -> dict[tuple[str, str], Cost]:
    """Return what each stage takes of each run, the least of all rounds."""
    least: dict[tuple[str, str], Cost] = {}
    for _ in range(rounds):
        for stage in STAGES:
            for name in ("plain", "tagged", "labels"):
                run = folder / name
                taken = cost(stage, run)
                least[stage, name] = min(least.get((stage, name), taken), taken)
                if stage == "prepare" and not (run / SIDES[0]).exists():
                    answer(run)
    return least


def lines(least: dict[tuple[str, str], Cost]) -> Iterator[tuple[str, bool]]:
    """Yield a line for each stage and whether it is as promised."""
    sums = {
        name: (
            sum(least[stage, name][0] for stage in STAGES),
            max(least[stage, name][1] for stage in STAGES),
        )
        for name in ("plain", "tagged")
    }
    pairs = {stage: (least[stage, "plain"], least[stage, "tagged"]) for stage in STAGES}
    for name, (plain, tagged) in {**pairs, "all": (sums["plain"], sums["tagged"])}.items():
        time, memory = tagged[0] / plain[0], tagged[1] / plain[1]
        yield (
            f"{name:<8} {plain[0]:6.1f} s {tagged[0]:6.1f} s  {time:.2f}x   "
            f"{plain[1]:5.0f} MB {tagged[1]:5.0f} MB  {memory:.2f}x",
            name != "all" or max(time, memory) <= PROMISED,
        )
    seconds, megabytes = least["metrics", "labels"]
    yield f"labels, both sides {seconds:.1f} s  {megabytes:.0f} MB", seconds <= SECONDS


def main() -> int:
    """Run everything and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--stage", nargs=2, metavar=("STAGE", "RUN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        stage_alone(options.stage[0], Path(options.stage[1]))
        return 0
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), options.rows)
        told = [*lines(costs(Path(name), options.rounds))]
    print(f"{options.rows:,} rows, without and with {len(COLUMNS)} columns of tags")
    for line, kept in told:
        print(line if kept else f"{line}  NO")
    return 0 if all(kept for _, kept in told) else 1


if __name__ == "__main__":
    sys.exit(main())
