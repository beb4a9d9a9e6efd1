"""What a child process is asked to do, and how far that is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay import progress, store
from assay.engine.answering import CLAIMS, done
from assay.engine.outcome import FailureCount
from assay.folder import LIKELIHOOD, PROGRESS
from assay.llamafactory.evaluate import gather
from assay.llamafactory.job import JOB, MEANS, GenerateJob, Means
from assay.llamafactory.order import StoredSamples, of_share
from assay.records import Prediction

Told = Callable[[Sequence[Prediction]], None]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A `job` on the `count` rows of the file `samples`, by some `means`, with its work in `work`;
    those whose targets are `evaluated` here are all of them, those in a share, or none."""

    job: GenerateJob
    means: Means
    samples: Path
    count: int
    evaluated: StoredSamples
    work: Path
    side: str
    listen: progress.Listener


def read(samples: Path, work: Path, side: str) -> Assignment:
    """Return what is asked in the folder `work`."""
    job = store.read_record(work / JOB, GenerateJob)
    means = store.read_record(work / MEANS, Means)
    size, wanted = job.settings["batch_size"], job.settings["evaluate_loss"]
    return Assignment(
        job=job,
        means=means,
        samples=samples,
        count=store.count_rows(samples),
        evaluated=of_share(samples, means.share, size)
        if wanted
        else StoredSamples(path=samples, starts=()),
        work=work,
        side=side,
        listen=progress.to_file(work / PROGRESS),
    )


def wants_loss(asked: Assignment) -> bool:
    """Return whether the targets have yet to be evaluated."""
    wanted = asked.job.settings["evaluate_loss"] and not (asked.work / LIKELIHOOD).is_file()
    return bool(wanted and asked.evaluated) and not gather(asked.evaluated.as_filed(), asked.work)


def wants_answers(asked: Assignment) -> bool:
    """Return whether a sample has, or may have, yet to be answered: which ones are in a share is
    known when the prompts are."""
    return len(done(asked.work)) < asked.count


def free_claims(asked: Assignment) -> None:
    """Give free what processes that are gone had claimed."""
    shutil.rmtree(asked.work / CLAIMS, ignore_errors=True)
    (asked.work / CLAIMS).mkdir()


@contextmanager
def answering(asked: Assignment) -> Iterator[Told]:
    """Report the answering from its first row on: give a function that is told of rows, and raises
    StageError where too many of them have no answer."""
    before, total = len(done(asked.work)), asked.means.share.size(asked.count)
    outcome = FailureCount(total=total, most=asked.means.max_unanswered)
    with ExitStack() as stack:
        trackers: list[progress.Tracker] = []

        def told(rows: Sequence[Prediction]) -> None:
            new = len(rows)
            if not trackers:  # how long the first rows took is not known: they count for no rate
                tracking = progress.track(
                    asked.listen,
                    "generate",
                    side=asked.side,
                    total=total,
                    unit="samples",
                    done=before + new,
                )
                trackers.append(stack.enter_context(tracking))
                new = 0
            outcome.count(rows)
            trackers[0].advance(new, outcome.note())

        yield told
        told(())
