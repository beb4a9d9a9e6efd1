"""Makes the demo's dataset: requests to a smart home, and the line that the house logs for each.

`python -m tests.data.make_demo_data FOLDER` writes dataset_info.json, train.json, eval.json and
eval.sharegpt.json. The same seed makes the same bytes; no evaluation request is a near-duplicate
of a training request.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

SEED = 20260101
TRAIN_ROWS, EVAL_ROWS = 160, 64
SYSTEM = "Rewrite the request as one line of the house log."
# Above this Jaccard similarity of their word pairs, two requests are near-duplicates.
NEAR_DUPLICATE = 0.5

ROOMS = ["bedroom", "kitchen", "hall", "bathroom", "study", "garage", "nursery", "attic"]
ROOMS += ["porch", "cellar", "living room", "dining room", "guest room", "laundry room"]
HOURS = ["twelve", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
HOURS += ["ten", "eleven"]
TENS = {10: "ten", 20: "twenty", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty"}
TENS |= {70: "seventy", 80: "eighty", 90: "ninety"}
FRAMES = (
    "{}", "{}", "{}, please", "please {}", "could you {}?", "can you {}?", "hey, {}",
    "would you kindly {}?", "I'd like you to {}", "{} for me", "quick one: {}", "we need you to {}",
    "{}, thanks", "do me a favour and {}", "remember to {}", "make sure to {}",
)  # fmt: skip


class Step(NamedTuple):
    """One thing to do: how a person says it, and how the house logs it."""

    said: str
    logged: str


def _percent(random: Random) -> tuple[str, str]:
    number = random.choice(list(TENS))
    word = random.choice([str(number), TENS[number]])
    return random.choice([f"{word} percent", f"{word}%" if word.isdigit() else word]), str(number)


def _lamp(random: Random, room: str) -> Step:
    name = random.choice(["lamp", "light", "lights"])
    said, number = _percent(random)
    return random.choice(
        [
            Step(f"turn on the {room} {name}", f"{room} lamp: on"),
            Step(f"switch the {name} in the {room} off", f"{room} lamp: off"),
            Step(f"dim the {room} {name} to {said}", f"{room} lamp: dim to {number} percent"),
            Step(
                f"bring the {name} in the {room} down to {said}",
                f"{room} lamp: dim to {number} percent",
            ),
        ]
    )


def _heater(random: Random, room: str) -> Step:
    degrees = random.randint(15, 25)
    return random.choice(
        [
            Step(f"heat the {room} to {degrees}", f"{room} heater: set to {degrees} degrees"),
            Step(
                f"set the {room} heater to {degrees} degrees",
                f"{room} heater: set to {degrees} degrees",
            ),
            Step(f"turn the heating in the {room} off", f"{room} heater: off"),
        ]
    )


def _blinds(random: Random, room: str) -> Step:
    return random.choice(
        [
            Step(f"open the {room} blinds", f"{room} blinds: open"),
            Step(f"pull down the blinds in the {room}", f"{room} blinds: close"),
            Step(f"close the blinds of the {room}", f"{room} blinds: close"),
            Step(f"put the {room} blinds halfway", f"{room} blinds: open to 50 percent"),
        ]
    )


def _fan(random: Random, room: str) -> Step:
    speed = random.choice([("low", 1), ("medium", 2), ("high", 3)])
    return random.choice(
        [
            Step(f"start the {room} fan", f"{room} fan: on"),
            Step(f"stop the fan in the {room}", f"{room} fan: off"),
            Step(f"run the {room} fan on {speed[0]}", f"{room} fan: speed {speed[1]}"),
        ]
    )


def _speaker(random: Random, room: str) -> Step:
    said, number = _percent(random)
    return random.choice(
        [
            Step(f"mute the {room} speaker", f"{room} speaker: mute"),
            Step(
                f"set the speaker in the {room} to {said}",
                f"{room} speaker: volume {number} percent",
            ),
            Step(f"play the news in the {room}", f"{room} speaker: play news"),
        ]
    )


DEVICES = (_lamp, _heater, _blinds, _fan, _speaker)


def _time(random: Random) -> tuple[str, str]:
    """How a time is said, and how it is logged; half of the requests are for now."""
    if random.random() < 0.4:
        return random.choice(["", " now", " right away"]), "now"
    evening = random.random() < 0.5
    hour, minute = random.randint(5, 10), random.choice([0, 15, 30, 45])
    logged = f"{hour + 12 * evening:02}:{minute:02}"
    if random.random() < 0.4:
        half = "pm" if evening else "am"
        return f" at {hour}{f':{minute:02}' if minute else ''} {half}", logged
    day = random.choice(["in the evening", "tonight"] if evening else ["in the morning"])
    return f" at {_spoken(hour, minute)} {day}", logged


def _spoken(hour: int, minute: int) -> str:
    return {
        0: HOURS[hour],
        15: f"quarter past {HOURS[hour]}",
        30: f"half past {HOURS[hour]}",
        45: f"quarter to {HOURS[(hour + 1) % 12]}",
    }[minute]


def _step(random: Random) -> Step:
    step = random.choice(DEVICES)(random, random.choice(ROOMS))
    said, logged = _time(random)
    when = logged if logged == "now" else f"at {logged}"
    return Step(f"{step.said}{said}", f"{step.logged} {when}")


def _typo(random: Random, text: str) -> str:
    """Swap two neighbouring letters of one word."""
    places = [place for place in range(1, len(text) - 1) if text[place - 1 : place + 2].isalpha()]
    place = random.choice(places)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _request(random: Random) -> Step:
    steps = [_step(random) for _ in range(1 if random.random() < 0.85 else 2)]
    joint = random.choice([" and ", ", then ", " and after that "])
    said = random.choice(FRAMES).format(joint.join(step.said for step in steps))
    logged = "; ".join(step.logged for step in steps)
    if random.random() < 0.1:
        said = _typo(random, said)
    end = "" if said.endswith("?") else random.choice(["", "."])
    return Step(said[0].upper() + said[1:] + end, logged[0].upper() + logged[1:] + ".")


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    words = text.lower().strip(".?").split()
    return frozenset(pairwise(words))


def _far(request: Step, others: Sequence[Step], limit: float) -> bool:
    mine = _pairs(request.said)
    for other in others:
        theirs = _pairs(other.said)
        if len(mine & theirs) >= limit * len(mine | theirs):
            return False
    return True


def requests() -> tuple[list[Step], list[Step]]:
    """Return the (training, evaluation) requests with their log lines."""
    random = Random(SEED)
    train: list[Step] = []
    while len(train) < TRAIN_ROWS:
        request = _request(random)
        train += [request] if _far(request, train, 1.0) else []
    held_out: list[Step] = []
    while len(held_out) < EVAL_ROWS:
        request = _request(random)
        far = _far(request, train, NEAR_DUPLICATE) and _far(request, held_out, NEAR_DUPLICATE)
        held_out += [request] if far else []
    return train, held_out


def _alpaca(name: str, steps: Sequence[Step]) -> Iterator[dict[str, str]]:
    for number, step in enumerate(steps, 1):
        yield {
            "id": f"{name}-{number:03}",
            "system": SYSTEM,
            "instruction": step.said,
            "input": "",
            "output": step.logged,
        }


def _sharegpt(name: str, steps: Sequence[Step]) -> Iterator[dict[str, object]]:
    for number, step in enumerate(steps, 1):
        turns = (("system", SYSTEM), ("human", step.said), ("gpt", step.logged))
        messages = [{"from": role, "value": text} for role, text in turns]
        yield {"id": f"{name}-{number:03}", "conversations": messages}


def _info() -> dict[str, object]:
    columns = {"prompt": "instruction", "query": "input", "response": "output", "system": "system"}
    sharegpt = {"formatting": "sharegpt", "columns": {"messages": "conversations"}}
    return {
        "smart_home_train": {"file_name": "train.json", "columns": columns},
        "smart_home_eval": {"file_name": "eval.json", "columns": columns},
        "smart_home_eval_sharegpt": {"file_name": "eval.sharegpt.json", **sharegpt},
    }


def make(folder: Path) -> None:
    """Write the dataset's four files into `folder`."""
    train, held_out = requests()
    files = {
        "dataset_info.json": _info(),
        "train.json": list(_alpaca("train", train)),
        "eval.json": list(_alpaca("eval", held_out)),
        "eval.sharegpt.json": list(_sharegpt("eval", held_out)),
    }
    for name, value in files.items():
        text = json.dumps(value, ensure_ascii=False, indent=1)
        (folder / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
