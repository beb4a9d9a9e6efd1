"""The report as Markdown, for a pull request's comment, an archive or KFP's page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay.report.contents import Example, Report
from assay.report.markdown.blocks import lines
from assay.report.markdown.markup import inline
from assay.report.markdown.samples import sample
from assay.report.plain import plain
from assay.report.section import Section
from assay.report.sections import gate

# a comment on a pull request holds 65,536 characters, and KFP shows 400,000
MAX_CHARACTERS = 60_000
_MAX_SENTENCE = 1_000
_SPARE = 500
_SAMPLES = ("regressions", "samples")


def to_markdown(report: Report, sections: Sequence[Section]) -> str:
    """Return the Markdown page: the sections, then the worst regressions and as many samples as
    stay below `MAX_CHARACTERS`, with a line for whatever was left out."""
    parts = ["\n".join(_head(report, sections))]
    shown = [section for section in sections if section.name != gate.NAME]
    for section in sorted(shown, key=lambda section: section.name in _SAMPLES):
        parts += _section(report, section, _room(parts))
    return str(plain("\n".join(parts)))


def _room(parts: Sequence[str]) -> int:
    return MAX_CHARACTERS - _SPARE - sum(len(part) + 1 for part in parts)


def _head(report: Report, sections: Sequence[Section]) -> Iterator[str]:
    yield f"# {_sentence(report.title)}\n"
    for section in sections:
        if section.name == gate.NAME:
            yield f"**{section.title}**\n"
            yield from (line for block in section.blocks for line in lines(block))
    yield f"**{_sentence(report.conclusion.headline)}**\n"
    yield f"{_sentence(report.conclusion.detail)}\n"
    for caution in report.cautions:
        yield f"- {'❌' if caution.severe else '⚠️'} {_sentence(caution.text)}"
    yield ""


def _sentence(text: str) -> str:
    cut = text if len(text) <= _MAX_SENTENCE else f"{text[:_MAX_SENTENCE]} […]"
    return inline(cut)


def _section(report: Report, section: Section, room: int) -> Iterator[str]:
    """Yield a section's text, what does not fit into `room` characters replaced by a line."""
    told = [line for block in section.blocks for line in lines(block)]
    if not told and section.name not in _SAMPLES:
        return
    text = "\n".join([f"## {inline(section.title)}\n", *told])
    if len(text) > room:
        yield f"## {inline(section.title)}\n\nLeft out here for its length; report.html has it.\n"
        return
    yield text
    if section.name in _SAMPLES:
        yield from _fitting(report, _examples(report, section), room - len(text))


def _examples(report: Report, section: Section) -> Sequence[Example]:
    if section.name == "samples":
        return report.examples
    by_id = {example.id: example for example in report.examples}
    return [by_id[id_] for id_ in report.regressions]


def _fitting(report: Report, examples: Sequence[Example], room: int) -> Iterator[str]:
    for place, example in enumerate(examples):
        text = sample(example, report.focus)
        room -= len(text) + 1
        if room < 0:
            left = len(examples) - place
            yield f"{left:,} more samples are left out here; they are in report.json.\n"
            return
        yield text
