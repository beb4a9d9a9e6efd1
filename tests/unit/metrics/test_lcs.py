"""The longest common subsequence: what RapidFuzz says of its length, and what our positions say."""

from __future__ import annotations

from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.metrics.lcs import lcs_length, lcs_positions

# few distinct words, so that texts share some, and among them such as have one hash
WORDS = st.lists(st.sampled_from(["", "\0", "a", "b", "的", "a b", -1, -2, 0, 2**61 - 1]))


@given(first=WORDS, second=WORDS)
def test_it_is_as_long_as_its_positions_are_many(
    first: list[Hashable], second: list[Hashable]
) -> None:
    assert lcs_length(first, second) == len(lcs_positions(first, second))


@pytest.mark.parametrize(("one", "other"), [("", "\0"), (-1, -2), (0, 2**61 - 1), ("a", 97)])
def test_words_of_one_hash_are_not_one_word(one: Hashable, other: Hashable) -> None:
    assert lcs_length([one], [other]) == 0
    assert lcs_length([one, other], [other, one]) == 1
