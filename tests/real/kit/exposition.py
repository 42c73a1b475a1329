"""What a scrape says, whatever format said it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# A sample's name and its labels in alphabetical order.
Series = tuple[str, tuple[tuple[str, str], ...]]


def series(name: str, labels: Mapping[str, str]) -> Series:
    return name, tuple(sorted(labels.items()))


def said(key: Series) -> str:
    """A series as people write it."""
    name, labels = key
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in labels) + "}"


@dataclass(frozen=True)
class Family:
    """What is said of all series of one name."""

    kind: str
    help: str
    unit: str


@dataclass(frozen=True)
class Native:
    """A native histogram: its buckets that hold something, as lower bound, upper bound and count."""

    count: float
    total: float
    buckets: tuple[tuple[float, float, float], ...]

    def equals(self, other: "Native") -> bool:
        """Equal counts and sum; the bounds are powers that are computed, so they may differ in the last bits."""
        if (self.count, self.total, len(self.buckets)) != (other.count, other.total, len(other.buckets)):
            return False
        return all(
            here[2] == there[2] and near(here[0], there[0]) and near(here[1], there[1])
            for here, there in zip(self.buckets, other.buckets, strict=True)
        )


def near(here: float, there: float) -> bool:
    return math.isclose(here, there, rel_tol=1e-9)


@dataclass
class Exposition:
    """A scrape. Families are known by the name that their samples share, a counter's with `_total`."""

    samples: dict[Series, float] = field(default_factory=dict)
    natives: dict[Series, Native] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)
    # Sample names with their labels, both in the order in which they were written.
    written: list[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=list)

    def declare(self, name: str, family: Family) -> None:
        if name in self.families:
            raise ValueError(f"the family {name} is there twice")
        self.families[name] = family

    def add(self, name: str, labels: Mapping[str, str], value: float) -> None:
        key = series(name, labels)
        if key in self.samples:
            raise ValueError(f"the series {said(key)} is there twice")
        self.samples[key] = float(value)
        self.written.append((name, tuple(labels.items())))

    def values(self, name: str, **labels: str) -> list[float]:
        """The values of all series of this name that have at least these labels."""
        return [
            value
            for (known, pairs), value in self.samples.items()
            if known == name and labels.items() <= dict(pairs).items()
        ]

    def value(self, name: str, **labels: str) -> float | None:
        """The value of the one series of this name with these labels; `None` when there is none."""
        found = self.values(name, **labels)
        if len(found) > 1:
            raise ValueError(f"{name} with {labels} is {len(found)} series")
        return found[0] if found else None

    def without(self, names: Iterable[str]) -> dict[Series, float]:
        """The samples of all other names."""
        left_out = set(names)
        return {key: value for key, value in self.samples.items() if key[0] not in left_out}


def differences(here: Mapping[Series, float], there: Mapping[Series, float], most: int = 10) -> list[str]:
    """What is in one only, or has another value: at most so many, for people to read."""
    found = [f"only here: {said(key)}" for key in here.keys() - there.keys()]
    found += [f"only there: {said(key)}" for key in there.keys() - here.keys()]
    found += [
        f"{said(key)}: {here[key]!r} here, {there[key]!r} there"
        for key in here.keys() & there.keys()
        if here[key] != there[key]
    ]
    return sorted(found)[:most]
