"""The gate as JUnit XML, which every CI shows: one test case a rule."""

from __future__ import annotations

from collections import Counter
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from assay.gate import Gate
from assay.report.plain import plain, visible

# What JUnit calls a ruling; a GO is a case that holds nothing. "skipped" would let a rule that is
# ignored pass, and the gate does not.
_CALLED = {"NO_GO": "failure", "INCONCLUSIVE": "error", "IGNORED": "error"}


def to_junit(gate: Gate, title: str) -> str:
    """Return the gate's rulings as a JUnit test suite."""
    called = Counter(_CALLED.get(ruling.decision) for ruling in gate.rulings)
    counts = {"tests": len(gate.rulings), "failures": called["failure"], "errors": called["error"]}
    head = {name: str(count) for name, count in counts.items()}
    suite = Element("testsuite", {"name": _text(title), **head})
    for ruling in gate.rulings:
        case = SubElement(suite, "testcase", classname="assay.gate", name=_text(ruling.rule))
        if ruling.decision in _CALLED:
            tag = _CALLED[ruling.decision]
            SubElement(case, tag, message=_text(f"{ruling.decision}: {ruling.reason}"))
    indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suite, encoding="unicode")}\n'


def _text(text: str) -> str:
    return visible(str(plain(text)))
