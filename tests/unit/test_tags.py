"""Tags over all samples, and which of them is meant."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import SettingsError
from assay.tags import collect, meant

NAMES = st.sampled_from(["category", "a=b", "@", "script", "entry", ""])
VALUES = st.text(max_size=3)
SAMPLES = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=20)
TWO = [
    {"category": "law", "source": "web", "script": "latin"},
    {"category": "tax", "source": "law", "script": "latin"},
    {"category": "a@b=c", "script": "cjk"},
    {"category": "source=web"},
]


@given(SAMPLES)
def test_every_sample_keeps_its_tags(samples: list[dict[str, str]]) -> None:
    tags = collect(samples)
    again = [
        {name: tag.values[tag.numbers[at]] for name, tag in tags.items() if tag.numbers[at] >= 0}
        for at in range(len(samples))
    ]
    assert again == samples
    for name, tag in tags.items():
        counts = Counter(sample[name] for sample in samples if name in sample)
        assert [counts[value] for value in tag.values] == sorted(counts.values(), reverse=True)
        for number, value in enumerate(tag.values):
            at = tag.positions(number).tolist()
            assert at == [at for at, tags in enumerate(samples) if tags.get(name) == value]


@given(SAMPLES)
def test_the_full_name_of_a_tag_always_means_it(samples: list[dict[str, str]]) -> None:
    """Or one that is written in the same way: "a=b" may be a tag, and "b" begin a value."""
    tags = collect(samples)
    for name, tag in tags.items():
        for value in tag.values:
            other, number = meant(f"{name}={value}", tags)
            assert f"{other}={tags[other].values[number]}" == f"{name}={value}"


@pytest.mark.parametrize(
    ("subset", "name", "value"),
    [
        ("tax", "category", "tax"),
        ("web", "source", "web"),
        ("category=law", "category", "law"),
        ("source=law", "source", "law"),
        ("a@b=c", "category", "a@b=c"),
        ("category=a@b=c", "category", "a@b=c"),
        ("source=web", "source", "web"),  # a tag and its value, before a value that looks so
        ("category=source=web", "category", "source=web"),
        ("cjk", "script", "cjk"),
    ],
)
def test_a_value_or_tag_and_value(subset: str, name: str, value: str) -> None:
    tags = collect(TWO)
    found, number = meant(subset, tags)
    assert (found, tags[found].values[number]) == (name, value)


@pytest.mark.parametrize(
    ("subset", "told"),
    [
        ("law", "is a value of the tags category, source. Write category=law or source=law"),
        ("lwa", "no sample has the tag 'lwa'. Name one in dataset.tags, or use one of category="),
        ("taxx", r"no sample has the tag 'taxx'. Did you mean tax\?"),
        ("category=lawyer", r"Did you mean category=law\?"),
        ("Tax", r"Did you mean tax\?"),
        ("", "no sample has the tag ''"),
    ],
)
def test_what_is_not_meant_is_refused(subset: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        meant(subset, collect(TWO))


def test_without_tags_the_column_is_asked_for() -> None:
    with pytest.raises(SettingsError, match=r"Name the column that holds it in dataset\.tags"):
        meant("law", collect([{}, {}]))


@pytest.mark.parametrize("subset", ["cafe\u0301", "caf\u00e9", "category=cafe\u0301"])
def test_a_value_is_meant_by_any_form_that_looks_the_same(subset: str) -> None:
    assert meant(subset, collect([{"category": "caf\u00e9"}])) == ("category", 0)
