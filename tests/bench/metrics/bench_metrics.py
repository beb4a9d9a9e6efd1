"""The auto-metrics' speed against the programs whose numbers they are, on the same pairs.

    python -m tests.bench.metrics.bench_metrics [--pairs N] [--many N]

Ours is timed as a stage, from files to a file, in a new process that has seen a line of text, the
median of three; a peer once, over pairs in memory, after a line of text. Both have their imports,
dictionaries and models loaded before, but for WordNet: nltk's reader has loaded it before, ours
opens it within its time. Exit code 1 where a ratio, an equality or a bound that is promised is
missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from assay import progress, store
from assay.metrics import METRICS, MetricsSettings, compute_metrics
from assay.metrics.stage import score
from assay.metrics.wordnet import wordnet as own_wordnet
from assay.process import cores
from assay.records import Message, Prediction, Sample, Score
from tests.bench.metrics import answers, peers
from tests.bench.metrics.peers import Pairs, Values
from tests.unit.metrics.nltk_wordnet import find_files, read_with_nltk

Line = tuple[str, str, str, str, str, str]
WARM_UP = ("warm up", "warming up 热身")
HEAD: Line = ("against", "theirs", "ours", "ratio (promised)", "furthest value", "kept")


@dataclass(frozen=True, kw_only=True)
class Peer:
    """What a peer said of `pairs`, and how long it took for all of them."""

    name: str
    pairs: Pairs
    values: Values
    seconds: float


def main() -> int:
    """Run everything and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1000, help="pairs of a race")
    parser.add_argument("--many", type=int, default=100_000, help="pairs of the memory test")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        lines = [*races(Path(name), options.pairs), *lengths(), many(Path(name), options.many)]
    widths = [max(map(len, column)) for column in zip(HEAD, *lines, strict=True)]
    for line in (HEAD, *lines):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    return 0 if all(line[-1] != "NO" for line in lines) else 1


def races(folder: Path, count: int) -> Iterator[Line]:
    """Yield the lines of ours against the peers."""
    mixed, prose = list(answers.english_and_chinese(count)), list(answers.english(count))
    two = min(2, cores())
    similarity = ask("LLaMA-Factory ComputeSimilarity", peers.compute_similarity, mixed)
    mapped = ask(f"the same by datasets.map, {two} processes", peers.datasets_map(two), mixed)
    yield race(folder, similarity, processes=1, promised=8)
    yield race(folder, similarity, processes=two, promised=20)
    yield race(folder, mapped, processes=two, promised=10)
    for stemmed, name in ((False, "rouge-score"), (True, "rouge-score, stemmer")):
        peer = ask(name, peers.rouge_scorer(stemmed=stemmed), prose)
        yield race(folder, peer, processes=1, promised=5, tolerance=1e-9)
    files = find_files()
    if not files:
        yield ("nltk METEOR", "", "", "", "WordNet is missing", "NO")
        return
    with read_with_nltk(files, folder / "nltk_data") as wordnet:
        peer = ask("nltk METEOR", peers.nltk_meteor(wordnet), prose)
        yield race(folder, peer, processes=1, promised=5, tolerance=1e-9)


def ask(name: str, peer: Callable[[Pairs], Values], pairs: Pairs) -> Peer:
    """Return what a peer says of `pairs`, after it has said something of others."""
    peer([WARM_UP] * 2)
    begun = time.perf_counter()
    values = peer(pairs)
    return Peer(name=name, pairs=pairs, values=values, seconds=time.perf_counter() - begun)


def race(
    folder: Path, peer: Peer, *, processes: int, promised: float, tolerance: float = 0.0
) -> Line:
    """Return the line of ours against `peer`, on `processes` cores."""
    metrics = tuple(peer.values[0])
    write(folder, peer.pairs)
    seconds = median(in_new_process(run_stage, folder, metrics, processes)[0] for _ in range(3))
    scores = store.read_rows(folder / "scores.jsonl", Score)
    furthest = max(
        abs(wanted[name] - found.values[name])
        for wanted, found in zip(peer.values, scores, strict=True)
        for name in metrics
    )
    ratio, count = peer.seconds / seconds, len(peer.pairs)
    return (
        f"{peer.name} ({processes} core{'s'[: processes - 1]})",
        f"{count / peer.seconds:,.0f}/s",
        f"{count / seconds:,.0f}/s",
        f"{ratio:.1f}x ({promised:g}x)",
        f"{furthest:.0e}" if furthest else "equal",
        "yes" if ratio >= promised and furthest <= tolerance else "NO",
    )


def lengths() -> Iterator[Line]:
    """Yield how the time for all metrics grows with the length of the answers."""
    cost: dict[int, float] = {}
    for length in (430, 2_000, 20_000):
        pairs = list(answers.english_and_chinese(max(2, 100_000 // length), length))
        seconds, _ = in_new_process(score_all, pairs)
        cost[length] = seconds / len(pairs)
        growth = cost[length] / cost[430] / (length / 430)
        yield (
            f"all metrics, {length:,} characters an answer",
            "",
            f"{len(pairs) / seconds:,.0f}/s",
            f"{1e6 * cost[length] / length:.1f} us a character",
            "",
            f"{growth:.2f} of linear",
        )


def many(folder: Path, count: int) -> Line:
    """Return the line of many pairs: samples a second and the memory of all processes together."""
    write(folder, answers.english_and_chinese(count))
    processes = min(2, cores())
    seconds, megabytes = in_new_process(run_stage, folder, peers.LLAMAFACTORY, processes)
    return (
        f"{count:,} pairs ({processes} cores)",
        "",
        f"{count / seconds:,.0f}/s",
        f"{megabytes:,} MB (< 1,000 MB)",
        "",
        "yes" if megabytes < 1000 else "NO",
    )


def write(folder: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write the files that the stage reads."""
    samples, predictions = folder / "dataset.jsonl", folder / "predictions.jsonl"
    with store.appending(samples) as wanted, store.appending(predictions) as given:
        wanted.truncate(0)
        given.truncate(0)
        for number, (output, target) in enumerate(pairs):
            sample, prediction = to_pair(str(number), output, target)
            store.append(wanted, sample)
            store.append(given, prediction)


def to_pair(name: str, output: str, target: str) -> tuple[Sample, Prediction]:
    """Return a sample and its prediction."""
    return (
        Sample(id=name, messages=(Message(role="user", content="-"),), target=target),
        Prediction(id=name, output=output, finish="stop", prompt_tokens=1, output_tokens=1),
    )


def run_stage(folder: Path, metrics: tuple[str, ...], processes: int) -> None:
    """Run the stage over the files in `folder`."""
    compute_metrics(
        folder / "dataset.jsonl",
        folder / "predictions.jsonl",
        folder / "scores.jsonl",
        MetricsSettings(metrics=metrics, processes=processes),
        listen=progress.to_lines(sys.stderr, every=20),
    )


def score_all(pairs: Pairs) -> None:
    """Compute all metrics of pairs in memory."""
    for output, target in pairs:
        score(METRICS, to_pair("a", output, target))


def in_new_process(work: Callable[..., None], *arguments: Any) -> tuple[float, int]:
    """Return the seconds that `work` took in a process of its own, and the most megabytes that the
    process and its children had at once, what they share counted once."""
    context = multiprocessing.get_context("spawn")  # one that is forked shares the peers' memory
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, work, arguments))
    process.start()
    sender.close()
    most = 0
    while not receiver.poll(1):
        most = max(most, _megabytes(process.pid or 0))
    seconds = receiver.recv()
    process.join()
    return seconds, most


def _measure(sender: Connection, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    _warm_up()
    begun = time.perf_counter()
    work(*arguments)
    sender.send(time.perf_counter() - begun)


def _warm_up() -> None:
    """Run the stage on another text for what it imports and loads, WordNet excepted."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), [WARM_UP])
        run_stage(Path(name), tuple(METRICS), processes=1)
    own_wordnet.cache_clear()


def _megabytes(pid: int) -> int:
    """Return the proportional set size of a process and its children, as Linux accounts for it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return own // 1024 + sum(_megabytes(int(child)) for child in children)


if __name__ == "__main__":
    sys.exit(main())
