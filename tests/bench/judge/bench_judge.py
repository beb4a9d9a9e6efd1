"""The judge's engine against a plain asyncio loop over the openai SDK, on the same endpoint.

    python -m tests.bench.judge.bench_judge [--calls 1000] [--latency 1.0] [--times 1]
                                            [--evalscope PYTHON]

One run measures all: calls a second as a share of the ideal (in flight / latency), CPU per call,
the fault mix of tests/faults against the time that it must take, and memory at 100,000
predictions. The endpoint is a process of its own, the same for all, and takes 0.15 ms of a
processor a call. What asks takes turns, `times` times, and its best is told: other work on the
machine only ever slows it down. PYTHON is the interpreter of an environment with evalscope, for a
third column.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assay import store
from assay.judge import JudgeSettings, contract, judge, rubric
from assay.records import Message, Prediction, Sample
from tests.faults.endpoint import chat, scores, serving
from tests.faults.mix import FaultMix

FAST = 0.05  # seconds, the latency where what the engine itself takes shows most
ANSWER = "The answer is a few sentences long, as answers often are. " * 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--evalscope", default="")
    parser.add_argument("--memory", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for in_flight, latency in ((64, arguments.latency), (256, arguments.latency), (64, FAST)):
            _engines(folder, arguments, in_flight, latency)
        _faults(folder, arguments.calls)
        _memory(folder, arguments.memory)


def _engines(folder: Path, arguments: argparse.Namespace, in_flight: int, latency: float) -> None:
    calls = arguments.calls * (4 if latency == FAST else 1)  # enough to be seconds
    ideal = calls * latency / in_flight
    files = write_files(folder, calls)
    print(f"{calls} calls of {latency:g} s, {in_flight} in flight:")
    with endpoint_process(latency) as url:
        runs: dict[str, Callable[[], None]] = {
            "plain loop": lambda: asyncio.run(plain_loop(url, files, in_flight)),
            "assay": lambda: run_assay(url, files, _new(folder / "log.jsonl"), in_flight),
        }
        warm = write_files(folder / "warm", 8)  # imports and first sockets
        asyncio.run(plain_loop(url, warm, 8))
        run_assay(url, warm, _new(folder / "warm.jsonl"), 8)
        seen = [{name: timed(run) for name, run in runs.items()} for _ in range(arguments.times)]
        best = {name: min(times[name] for times in seen) for name in runs}
        for name, (seconds, cpu) in best.items():
            report(name, in_flight, calls, ideal, seconds, cpu)
        print(f"assay is {best['plain loop'][0] / best['assay'][0]:.2f} x as fast", flush=True)
        if arguments.evalscope:
            evalscope(arguments.evalscope, url, files, in_flight, calls, ideal)


def _new(log: Path) -> Path:
    log.unlink(missing_ok=True)
    return log


def report(name: str, in_flight: int, calls: int, ideal: float, seconds: float, cpu: float) -> None:
    """Print one line of the table."""
    print(
        f"{name:12} {in_flight:4} in flight: {calls / seconds:6.1f} calls/s, "
        f"{ideal / seconds:6.1%} of ideal, {1000 * cpu / calls:5.2f} ms CPU a call",
        flush=True,
    )


def timed(run: Callable[[], None]) -> tuple[float, float]:
    """Return the wall and CPU seconds of `run`."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def run_assay(url: str, files: tuple[Path, Path], out: Path, in_flight: int) -> None:
    """Judge with Assay."""
    judge(
        *files,
        out,
        JudgeSettings(
            endpoint=url,
            model="fake",
            api_key_env="",
            self_test=False,
            flip_sample=0,
            concurrency=in_flight,
        ),
    )


async def plain_loop(url: str, files: tuple[Path, Path], in_flight: int) -> None:
    """Judge as one would by hand: the SDK behind a semaphore, the same prompt, parsed and kept."""
    import openai

    chosen = rubric.load("default-en")
    form = {"name": "verdict", "strict": True, "schema": contract.schema(chosen)}
    cases = zip(
        store.read_rows(files[0], Sample), store.read_rows(files[1], Prediction), strict=True
    )
    places, rows = asyncio.Semaphore(in_flight), []
    async with openai.AsyncOpenAI(
        base_url=url, api_key="none", max_retries=0, timeout=60
    ) as client:

        async def ask(sample: Sample, prediction: Prediction) -> None:
            async with places:
                answer = await client.chat.completions.create(  # type: ignore[call-overload]
                    model="fake",
                    messages=contract.ask_for(chosen, sample, prediction),
                    temperature=0,
                    max_tokens=512,
                    response_format={"type": "json_schema", "json_schema": form},
                )
            rows.append(json.loads(answer.choices[0].message.content or ""))

        await asyncio.gather(*(ask(*case) for case in cases))


def evalscope(
    python: str, url: str, files: tuple[Path, Path], in_flight: int, calls: int, ideal: float
) -> None:
    """Judge with EvalScope's judge, in its own environment."""
    script = Path(__file__).with_name("evalscope_judge.py")
    command = [python, str(script), url, *map(str, files), str(in_flight)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"evalscope    failed: {done.stderr.strip().splitlines()[-1]}")
        return
    seconds, cpu = map(float, done.stdout.split()[-2:])
    report("evalscope", in_flight, calls, ideal, seconds, cpu)


def _faults(folder: Path, calls: int) -> None:
    delay, deadline, in_flight = 1.0, 4.0, 64
    mix = FaultMix(seed=1, delay=delay, late=5.0)
    files, out = write_files(folder, calls), folder / "faults.jsonl"
    with serving(mix) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            api_key_env="",
            self_test=False,
            flip_sample=0,
            concurrency=in_flight,
            timeout_s=deadline,
        )
        seconds, _ = timed(lambda: judge(*files, out, settings))
    slow = mix.sent["timeout"] + mix.sent["never"]
    ideal = (slow * deadline + (mix.sent.total() - slow) * delay) / in_flight
    print(
        f"fault mix    {in_flight:4} in flight: {mix.sent.total()} requests for {calls} verdicts, "
        f"{seconds:.1f} s, {seconds / ideal:.2f} x the ideal for the mix"
    )


def _memory(folder: Path, calls: int) -> None:
    files = write_files(folder, calls)
    with endpoint_process(0.0) as url:
        command = [sys.executable, "-m", __spec__.name, "judge", url, *map(str, files)]
        wall = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        wall = time.perf_counter() - wall
    megabytes, cpu = map(float, done.stdout.split())
    print(
        f"memory       {calls} predictions: {megabytes:.0f} MB at most, {wall:.0f} s, "
        f"{1000 * cpu / calls:.2f} ms CPU a call"
    )


def judge_and_print_memory(url: str, samples: str, predictions: str) -> None:
    """Judge in this process; print its largest resident set in MB, and its CPU seconds."""
    run_assay(url, (Path(samples), Path(predictions)), Path(predictions).with_name("all.jsonl"), 64)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)


@contextmanager
def endpoint_process(latency: float) -> Iterator[str]:
    """Serve good verdicts after `latency` seconds from a process of its own."""
    command = [sys.executable, "-m", __spec__.name, "serve", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def serve(latency: float) -> None:
    """Serve until the process is ended."""
    answer = chat(scores(), delay=latency)  # made once: its time would count as the engine's
    with serving(lambda _: answer, keep=False) as endpoint:
        print(endpoint.url, flush=True)
        time.sleep(36_000)


def write_files(folder: Path, count: int) -> tuple[Path, Path]:
    """Write a dataset and predictions for it."""
    samples, predictions = folder / "dataset.jsonl", folder / "predictions.jsonl"
    turns = (Message(role="user", content=ANSWER),)
    store.write_rows(
        samples, (Sample(id=str(n), messages=turns, target=ANSWER) for n in range(count))
    )
    store.write_rows(
        predictions,
        (
            Prediction(
                id=str(n), output=f"{n} {ANSWER}", finish="stop", prompt_tokens=1, output_tokens=1
            )
            for n in range(count)
        ),
    )
    return samples, predictions


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(float(sys.argv[2]))
    elif sys.argv[1:2] == ["judge"]:
        judge_and_print_memory(*sys.argv[2:5])
    else:
        main()
