"""What the report checks as JUnit XML, which every CI shows: one test case a rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from assay.gate import Ruling, called
from assay.report.plain import plain, visible
from assay.report.section import Checks, Section

# What JUnit calls a ruling; a GO is a case that holds nothing. "skipped" would let a rule that is
# ignored pass, and the gate does so only where the rule decides nothing.
_CALLED = {"NO_GO": "failure", "INCONCLUSIVE": "error", "IGNORED": "error"}
_BESIDE = "skipped"


def to_junit(sections: Sequence[Section], title: str) -> str:
    """Return the checks of all sections as one JUnit test suite, "" where there are none."""
    cases = list(_cases(sections))
    if not cases:
        return ""
    outcomes = Counter(_called(ruling) for _, ruling in cases)
    counts = {"tests": len(cases), "failures": outcomes["failure"], "errors": outcomes["error"]}
    counts |= {"skipped": outcomes[_BESIDE]}
    head = {name: str(count) for name, count in counts.items()}
    suite = Element("testsuite", {"name": _text(title), **head})
    for section, ruling in cases:
        _add(suite, section, ruling)
    indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suite, encoding="unicode")}\n'


def _cases(sections: Sequence[Section]) -> Iterator[tuple[Section, Ruling]]:
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Checks):
                yield from ((section, ruling) for ruling in block.rulings)


def _add(suite: Element, section: Section, ruling: Ruling) -> None:
    name = _text(ruling.rule)
    case = SubElement(suite, "testcase", classname=f"assay.{section.name}", name=name)
    outcome = _called(ruling)
    if outcome:
        told = f"{called(ruling.decision)}: {ruling.reason}"
        SubElement(case, outcome, message=_text(told))


def _called(ruling: Ruling) -> str:
    if ruling.decision == "GO":
        return ""
    return _CALLED[ruling.decision] if ruling.binding else _BESIDE


def _text(text: str) -> str:
    return visible(str(plain(text)))
