"""Text from elsewhere: whatever it holds, it can be stored, read again and printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from assay import store
from assay.errors import InputError
from assay.records import Verdict
from assay.text import one_line, plain, whole

HALF = "\ud83d"  # of a character: what is left where a text is cut in its middle
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")

anything = some.text(some.characters())  # with surrogates


@given(anything)
def test_text_from_elsewhere_can_be_stored_and_printed(text: str) -> None:
    whole(text).encode()
    assert whole(whole(text)) == whole(text)
    assert not UNSEEN.search(plain(text).replace("\n", "").replace("\r", "").replace("\t", ""))
    assert "\r" not in plain(text).replace("\r\n", "")
    assert not UNSEEN.search(one_line(text))


@given(some.text())
def test_whole_text_stays_as_it_is(text: str) -> None:
    assert whole(text) == text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=some.lists(anything))
def test_what_is_stored_can_be_read_again(texts: list[str], tmp_path: Path) -> None:
    rows = [Verdict(id=text, key="k", values={text: 1.0}, commentary=text) for text in texts]
    store.write_rows(tmp_path / "rows.jsonl", rows)
    read = list(store.read_rows(tmp_path / "rows.jsonl", Verdict))
    assert [row.commentary for row in read] == [whole(text) for text in texts]
    store.write_json(tmp_path / "value.json", {"texts": texts})
    assert store.read_json(tmp_path / "value.json") == {"texts": [whole(text) for text in texts]}


def test_rows_that_another_program_wrote_with_half_a_character_are_read(tmp_path: Path) -> None:
    row = {"id": "a", "key": "k", "values": {}, "commentary": f"{HALF} \U0001f600"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert [row.commentary for row in store.read_rows(tmp_path / "rows.jsonl", Verdict)] == [
        "\ufffd \U0001f600"
    ]
    (tmp_path / "value.json").write_text(json.dumps(row))
    assert store.read_json(tmp_path / "value.json")["commentary"] == "\ufffd \U0001f600"


def test_an_error_holds_nothing_that_a_terminal_obeys() -> None:
    error = InputError("no\x1b]0;title\x07", f"two\nlines\r{HALF}")
    assert str(error) == "no\ufffd]0;title\ufffd. two lines \ufffd"
