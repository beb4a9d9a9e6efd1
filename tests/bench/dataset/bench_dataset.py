"""Reading and checking 100,000 alpaca rows, and comparing them with 5,000, beside the peers.

`python tests/bench/dataset/bench_dataset.py` runs each in a process of its own, in turn, and prints
seconds, those of a core in it, peak memory and the ratio. The peers: LLaMA-Factory's own loader
(one process), and datasketch's MinHash LSH with the same permutations.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from assay.records import Sample

ROWS, HELD_OUT, ROUNDS = 100_000, 5_000, 3
WAYS = ("check", "llamafactory", "overlap", "datasketch")


def make(folder: Path) -> None:
    """Write train.json, about 63 MB, and eval.json, a third of it near-duplicates."""
    random = Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(random.choices(letters, k=random.randint(2, 9))) for _ in range(20_000)]

    def text(least: int, most: int) -> str:
        return " ".join(random.choices(words, k=random.randint(least, most)))

    train = [
        {"instruction": text(10, 40), "input": text(0, 40), "output": text(10, 80)}
        for _ in range(ROWS)
    ]
    held = []
    for number in range(HELD_OUT):
        row = random.choice(train)
        near = f"{row['instruction']} {random.choice(words)}"
        held.append(row | {"instruction": text(10, 40) if number % 3 else near})
    entry = {"train": {"file_name": "train.json"}, "eval": {"file_name": "eval.json"}}
    for name, value in (("train", train), ("eval", held), ("dataset_info", entry)):
        (folder / f"{name}.json").write_text(json.dumps(value))


def run_check(folder: Path) -> int:
    from assay.dataset import check

    return check(f"{folder}/train.json").samples


def run_llamafactory(folder: Path) -> int:
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    global begun
    begun = time.monotonic()  # its import is not counted
    with tempfile.TemporaryDirectory() as cache:
        dataset = _load_single_dataset(
            get_dataset_list(["train"], str(folder))[0],
            ModelArguments(model_name_or_path="none", cache_dir=cache),
            DataArguments(dataset_dir=str(folder)),
            Seq2SeqTrainingArguments(output_dir=cache, report_to=[]),
        )
        return len(dataset)


def run_overlap(folder: Path) -> int:
    from assay.dataset import compare, load

    training, evaluation = load(f"{folder}/train.json"), load(f"{folder}/eval.json")
    global begun
    begun = time.monotonic()
    return len(compare(training, evaluation).pairs)


def run_datasketch(folder: Path) -> int:
    from datasketch import MinHash, MinHashLSH

    from assay.dataset import load
    from assay.dataset.likeness import shingles

    def hashed(sample: Sample) -> Any:
        minhash = MinHash(num_perm=128)
        minhash.update_batch([shingle.encode() for shingle in shingles(sample)])
        return minhash

    training, evaluation = load(f"{folder}/train.json"), load(f"{folder}/eval.json")
    global begun
    begun = time.monotonic()
    index = MinHashLSH(num_perm=128, params=(32, 4))
    for place, minhash in enumerate(map(hashed, evaluation)):
        index.insert(place, minhash)
    found: set[int] = set()
    for sample in training:
        found.update(index.query(hashed(sample)))
    return len(found)


def measure(way: str, folder: Path) -> dict[str, float]:
    ended = subprocess.run(
        [sys.executable, __file__, way, str(folder)], capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return result


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        rounds = [{way: measure(way, folder) for way in WAYS} for _ in range(ROUNDS)]
    print(f"{ROWS:,} rows, {HELD_OUT:,} held out; median of {ROUNDS} rounds in turn")
    for way in WAYS:
        seconds = median(one[way]["seconds"] for one in rounds)
        core = median(one[way]["core"] for one in rounds)
        memory = max(one[way]["megabytes"] for one in rounds)
        found = f"{rounds[0][way]['found']:,.0f} found"
        print(f"  {way:<13} {seconds:6.1f} s  {core:6.1f} s core  {memory:6.0f} MB  {found}")
    for ours, peer in (("check", "llamafactory"), ("overlap", "datasketch")):
        ratio = median(one[peer]["seconds"] / one[ours]["seconds"] for one in rounds)
        print(f"  {ours} is {ratio:.1f} times as fast as {peer}")


begun = 0.0

if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        begun = time.monotonic()
        found = globals()[f"run_{sys.argv[1]}"](Path(sys.argv[2]))
        seconds = time.monotonic() - begun
        used = resource.getrusage(resource.RUSAGE_SELF)
        core, memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        measured = {"seconds": seconds, "core": core, "megabytes": memory, "found": found}
        print(json.dumps(measured))
