"""Quantities of Kubernetes, against the parser of its own Python client."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from decimal import ROUND_UP, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.kubernetes import quantity
from tests.needs import need

MOST, LEAST = Decimal(2**63 - 1), Decimal("1e-9")
SIGNS = st.sampled_from(["", "+", "-"])
DIGITS = st.text("0123456789", min_size=1, max_size=40)
NUMBERS = st.one_of(
    DIGITS,
    DIGITS.map(lambda digits: f"{digits}."),
    DIGITS.map(lambda digits: f".{digits}"),
    st.tuples(DIGITS, DIGITS).map(".".join),
)
EXPONENTS = st.tuples(st.sampled_from("eE"), SIGNS, st.integers(0, 400).map(str)).map("".join)
UNITS = st.sampled_from(["", *"numkMGTPE", *(f"{unit}i" for unit in "KMGTPE")])
QUANTITIES = st.tuples(SIGNS, NUMBERS, st.one_of(UNITS, EXPONENTS)).map("".join)


@pytest.fixture(name="reference", scope="module")
def make_reference() -> Callable[[Any], Decimal]:
    found = importlib.util.find_spec("kubernetes") is not None
    need(found, "needs the client of Kubernetes: pip install 'assay[submit]'")
    from kubernetes.utils.quantity import parse_quantity

    def reference(amount: Any) -> Decimal:
        """With the bounds that Kubernetes documents, which its Python client leaves out."""
        with localcontext(prec=2000):
            value = max(-MOST, min(MOST, parse_quantity(amount)))
            return Decimal(value).quantize(LEAST, ROUND_UP)

    return reference


@given(text=QUANTITIES)
def test_every_quantity_is_what_kubernetes_says(
    reference: Callable[[Any], Decimal], text: str
) -> None:
    assert quantity(text) == reference(text)


@given(number=st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_is_the_quantity_that_it_is_written_as(
    reference: Callable[[Any], Decimal], number: float
) -> None:
    assert quantity(number) == reference(str(number))


@given(text=st.one_of(st.text("0123456789.eE+-numkKMGTPi _", max_size=8), st.text(max_size=8)))
def test_what_is_taken_for_a_quantity_is_one(
    reference: Callable[[Any], Decimal], text: str
) -> None:
    try:
        number = quantity(text)
    except ValueError:
        return
    assert number == reference(text)


@pytest.mark.parametrize(
    ("amount", "number"),
    [
        *[("8", 8), ("500m", 0.5), ("1.5", 1.5), (".5", 0.5), ("5.", 5), ("2e3", 2e3), (8, 8)],
        *[("1E3", 1e3), ("1e-1", 0.1), ("3k", 3e3), ("2E", 2e18), ("1Ki", 1024), (0.5, 0.5)],
        *[("2Gi", 2 * 1024**3), ("3n", 3e-9), ("97925504Ki", 97925504 * 1024), ("-1", -1)],
        *[("1e-999999999", 1e-9), ("1e999999999", 2**63 - 1), (1e300, 2**63 - 1)],
    ],
)
def test_a_quantity_is_a_number(amount: Any, number: float) -> None:
    assert quantity(amount) == Decimal(str(number))


@pytest.mark.parametrize(
    "amount",
    [
        *["x", "", " 8", "8\n", "8 Gi", "8GB", "--1", "1e", "1Kii", "0x8", "8K", "8mi", "1_000"],
        *["NaN", "Infinity", "1e2.5", "1e3k", "1e9999999999999999999999", "\u0668", "1" * 5000],
        *[None, True, False, [8], {}, float("nan"), float("inf"), b"8"],
    ],
)
def test_what_is_no_quantity_is_not_taken_for_one(amount: Any) -> None:
    with pytest.raises(ValueError, match="is no quantity of Kubernetes"):
        quantity(amount)
