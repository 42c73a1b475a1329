"""The rules as they are, but for time: an hour of theirs is a minute of a check."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

FACTOR = 60
MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

SPAN = r"\d+(?:ms|[smhdw])"
# Where a rule tells time: `for` and `keep_firing_for`, ranges and offsets of queries.
TIME = re.compile(rf"(?<=for: ){SPAN}\b|(?<=\[){SPAN}\b|(?<=offset ){SPAN}\b")
# A span anywhere in a query, whatever stands around it; the name of a recorded series has letters before its own.
IN_A_QUERY = re.compile(rf"(?<!\w){SPAN}\b")


def milliseconds(span: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", span).groups()
    return int(number) * MILLISECONDS[unit]


def with_times(text: str, change: Callable[[int], float]) -> str:
    """The text with every time of a rule changed and nothing else."""
    return TIME.sub(lambda found: f"{change(milliseconds(found[0])):.0f}ms", text)


def shorten(text: str) -> str:
    return with_times(text, lambda span: span / FACTOR)


def differs_in_time_only(rules: str, shortened: str) -> bool:
    """Whether one is the other with every time, and with nothing but times, divided by the factor."""
    texts_agree = TIME.sub("", rules) == TIME.sub("", shortened)
    long_times, short_times = (list(map(milliseconds, TIME.findall(text))) for text in (rules, shortened))
    return texts_agree and long_times == [FACTOR * span for span in short_times]


def overlooked(shortened: str) -> list[str]:
    """Times of the rules that are longer than milliseconds still, as a reader of YAML finds them."""
    return [
        span
        for rule in rules_of(shortened)
        for text in (rule["expr"], rule.get("for", ""), rule.get("keep_firing_for", ""))
        for span in IN_A_QUERY.findall(text)
        if not span.endswith("ms")
    ]


def rules_of(text: str) -> Iterator[dict]:
    for group in yaml.safe_load(text)["groups"]:
        yield from group["rules"]


def shortened_rules(folder: Path, into: Path) -> list[Path]:
    """Writes the shortened copy of each file of rules, and returns where it is."""
    copies = []
    for path in sorted(folder.glob("*.yaml")):
        copy = into / path.name
        copy.write_text(shorten(path.read_text()))
        copies.append(copy)
    return copies
