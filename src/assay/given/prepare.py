"""Files of answers and the data -> a run's samples, and each side's answers to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay import dataset, store
from assay.dataset.reading import SourceReading
from assay.errors import DatasetError, SettingsError
from assay.folder import GIVEN, SAMPLES
from assay.generate import GenerateSettings
from assay.given import reading
from assay.given.answers import file_of, prediction
from assay.given.file import GivenFile
from assay.given.matching import Matched, check_covered, check_lacking, match
from assay.given.rows import Needs
from assay.given.samples import OwnSamples, as_data
from assay.given.settings import GivenAnswers
from assay.given.thought import thoughts
from assay.records import SIDES, AnswersFile, Prediction, Sample, Side
from assay.settings import changed


@dataclass(frozen=True, kw_only=True)
class _Fitting:
    """How rows find their samples: what of the data is used, and which share may lack a row."""

    settings: dataset.DatasetSettings
    most_lacking: float


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The `files` of the sides, read, with the row of each sample of the `data` in them; `source`
    is where that is from."""

    source: str
    data: SourceReading
    files: Mapping[Side, tuple[GivenFile, Matched]]


def read(
    named: Mapping[Side, GivenAnswers],
    settings: dataset.DatasetSettings,
    answering: GenerateSettings,
    *,
    comparing: str = "",
    others: bool = False,
) -> Taken:
    """Return what is in the files that are `named`. Without dataset.eval the samples are made of
    the candidate's rows, or where it has no file of the baseline's. `answering` says how thoughts
    are written and how many samples may lack a row, `comparing` is a metric that
    needs references, "" for none; `others` says that a model answers too.

    Raises InputError for what cannot be read, or does not fit together.
    """
    own = not settings.eval
    if own:
        _check_own(settings)
    least = Needs(thoughts=thoughts(answering))
    needs = replace(least, prompt=True, comparing=comparing) if own else least
    files: dict[Side, GivenFile] = {}
    for side in reversed(SIDES):
        if side in named:
            asked = least if files else needs
            name = named[side].predictions
            files[side] = reading.read(name, asked, skip_invalid=settings.skip_invalid)
    most_lacking = answering.max_unanswered if settings.skip_invalid else 0.0
    fitting = _Fitting(settings=settings, most_lacking=most_lacking)
    if own:
        return _of_their_own(files, fitting, others)
    return _of_data(files, fitting, bool(comparing))


def write(taken: Taken, out: Path) -> None:
    """Write the answers to the samples that are in `out`, and what file they are from."""
    for side, (file, matched) in taken.files.items():
        lacking = 0

        def answers(file: GivenFile = file, matched: Matched = matched) -> Iterator[Prediction]:
            nonlocal lacking
            for sample in store.read_rows(out / SAMPLES, Sample):
                at = matched.rows.get(sample.id)
                lacking += at is None
                yield prediction(sample, None if at is None else file.rows[at], file.thoughts)

        store.write_rows(out / GIVEN / f"{side}.jsonl", answers())
        store.write_json(out / GIVEN / f"{side}.json", file_of(file, matched, lacking))


def check_unchanged(named: Mapping[Side, GivenAnswers], out: Path) -> None:
    """Raise DatasetError where a file that is still there is no more what the run began with."""
    for side, given in named.items():
        begun = store.read_record(out / GIVEN / f"{side}.json", AnswersFile)
        name = given.predictions
        if store.exists(name) and reading.digest(name) != begun.sha256:
            raise DatasetError(
                f"{name} has changed since this run began", "Choose another --out, or restore it"
            )


def _of_data(files: Mapping[Side, GivenFile], fitting: _Fitting, needs_target: bool) -> Taken:
    data = dataset.read_evaluation(fitting.settings, needs_target)
    matched = _matched(files, data.samples, fitting)
    return Taken(source=fitting.settings.eval, data=data, files=matched)


def _of_their_own(files: Mapping[Side, GivenFile], fitting: _Fitting, others: bool) -> Taken:
    side, file = next(iter(files.items()))
    if others and file.templated:
        raise SettingsError(
            f"the prompts in {file.source} have a chat template's marks, and a model would get "
            "them twice",
            "Name the data that they were made of as dataset.eval",
        )
    samples = OwnSamples(file)
    pairs = zip(samples.used, samples.rows, strict=True)
    answered = {sample.id: row for sample, row in pairs if row not in file.rows.faults}
    own = Matched(rows=answered, by="own")
    drawn = dataset.drawn(samples.used, fitting.settings)
    check_lacking(file, own, drawn, fitting.most_lacking)
    rest = _matched({other: files[other] for other in files if other != side}, samples, fitting)
    for other, matched in rest.values():
        if not fitting.settings.skip_invalid:
            check_covered(other, matched, file)
    return Taken(
        source=file.source,
        data=as_data(file, samples, fitting.settings),
        files={side: (file, own), **rest},
    )


def _matched(
    files: Mapping[Side, GivenFile],
    samples: Sequence[Sample] | OwnSamples,
    fitting: _Fitting,
) -> dict[Side, tuple[GivenFile, Matched]]:
    usable = samples.used if isinstance(samples, OwnSamples) else samples
    drawn = dataset.drawn(usable, fitting.settings)
    return {
        side: (file, match(file, samples, drawn, most_lacking=fitting.most_lacking))
        for side, file in files.items()
    }


def _check_own(settings: dataset.DatasetSettings) -> None:
    """Refuse what says how data is read, where the samples are made of the rows."""
    if settings.train:
        raise SettingsError(
            "without dataset.eval the samples would be drawn from dataset.train, and answers that "
            "exist are to others",
            "Set dataset.eval, or leave dataset.train out",
        )
    for name in changed(settings, ("format", "every_turn")):
        raise SettingsError(
            f"dataset.{name} says how the data is read, and without dataset.eval each row of the "
            "file of answers is a sample",
            f"Set dataset.eval, or leave dataset.{name} out",
        )
