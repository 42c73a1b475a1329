"""The ways in which each Prometheus scrapes, and what each makes of a body."""

from dataclasses import dataclass

from kit import formats
from kit.exposition import Exposition, Series
from kit.recorder import Scrape

# What `scrape_protocols` may say, and what the exporter answers with. 0.0.1 of OpenMetrics is older than what it
# writes, so the wildcard behind it is what counts.
PROTOCOLS = {
    "OpenMetricsText1.0.0": formats.OPENMETRICS,
    "OpenMetricsText0.0.1": formats.TEXT,
    "PrometheusText0.0.4": formats.TEXT,
    "PrometheusProto": formats.PROTOBUF,
}
PROTOCOLS_SINCE_3 = {"PrometheusText1.0.0": formats.TEXT_1}
# The first version that knows `scrape_protocols`.
PROTOCOLS_SINCE = (2, 49)
# How a scrape asks for the classic side beside the native one, by major version.
CLASSIC_TOO = {2: "scrape_classic_histograms", 3: "always_scrape_classic_histograms"}


@dataclass(frozen=True)
class Way:
    """A way to scrape, and the format it must get."""

    name: str
    version: str
    # Whether the server stores native histograms.
    native: bool
    settings: dict
    content_type: str
    # Whether it is told to store the classic side beside the native one.
    classic_too: bool = False

    @property
    def path(self) -> str:
        """Its own path at the recorder."""
        return f"{self.version}-{'native' if self.native else 'classic'}-{self.name}"

    @property
    def loses_histograms(self) -> bool:
        """Protobuf for a server that stores no native histograms: it keeps neither side of one that has both.

        That is so for every exporter with such histograms, and nobody scrapes so by default; 2.53 even leaves a
        sample without meaning under the histogram's name.
        """
        return self.content_type == formats.PROTOBUF and not self.native

    def read(self, scrape: Scrape) -> Exposition:
        """What the server stores of a body: no empty labels, and of a histogram with both sides the native one."""
        served = formats.read(scrape.content_type, scrape.body)
        samples = served.samples if self.classic_too else served.without(both_sided(served))
        return Exposition(
            {without_empty_labels(key): value for key, value in samples.items()},
            {without_empty_labels(key): value for key, value in served.natives.items() if self.native},
            served.families,
        )


def ways(version: str, native: bool) -> list[Way]:
    """All ways in which this version scrapes, the one without settings first."""
    preferred = formats.PROTOBUF if native else formats.OPENMETRICS
    found = [Way("default", version, native, {}, preferred)]
    major, minor = (int(number) for number in version.split("."))
    if (major, minor) < PROTOCOLS_SINCE:
        return found
    known = PROTOCOLS | (PROTOCOLS_SINCE_3 if major >= 3 else {})
    for protocol, answer in known.items():
        found.append(Way(protocol, version, native, {"scrape_protocols": [protocol]}, answer))
    if native:
        found.append(Way("classic-too", version, native, {CLASSIC_TOO[major]: True}, preferred, classic_too=True))
    return found


def both_sided(served: Exposition) -> set[str]:
    """The names of histograms with both sides, and of their classic series."""
    return {f"{name}{end}" for name, _ in served.natives for end in ("", "_bucket", "_sum", "_count")}


def without_empty_labels(key: Series) -> Series:
    """A server takes an empty label for one that is not there."""
    name, labels = key
    return name, tuple((label, value) for label, value in labels if value)
