"""The gate as JUnit XML, which every CI shows: one test case a rule."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from assay.gate import Gate
from assay.report.plain import plain, visible

# What JUnit calls a ruling; a GO is a case that holds nothing.
_CALLED = {"NO_GO": "failure", "INCONCLUSIVE": "error", "IGNORED": "skipped"}


def to_junit(gate: Gate, title: str) -> str:
    """Return the gate's rulings as a JUnit test suite."""
    counts = {
        f"{name}{'' if name == 'skipped' else 's'}": str(
            sum(ruling.decision == decision for ruling in gate.rulings)
        )
        for decision, name in _CALLED.items()
    }
    head = {"name": _text(title), "tests": str(len(gate.rulings))}
    suite = Element("testsuite", head | counts)
    for ruling in gate.rulings:
        case = SubElement(suite, "testcase", classname="assay.gate", name=_text(ruling.rule))
        if ruling.decision in _CALLED:
            tag = _CALLED[ruling.decision]
            SubElement(case, tag, message=_text(f"{ruling.decision}: {ruling.reason}"))
    indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suite, encoding="unicode")}\n'


def _text(text: str) -> str:
    return visible(str(plain(text)))
