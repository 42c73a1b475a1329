"""A real Prometheus of each major scrapes the demo in each format it knows, and stores what was served.

A proxy keeps the body of every scrape. What the server stored at the time of that scrape is compared with it:
names, labels and values of classic series, and count, sum and buckets of native histograms.
"""
# Limit: 150 s

import unittest
from dataclasses import dataclass

from kit import formats
from kit.accept import ACCEPT
from kit.deadline import wait_until
from kit.exporter import demo
from kit.exposition import Exposition, Series, differences
from kit.programs import CheckCase
from kit.recorder import Recorder, Scrape
from kit.server import OF_THE_SCRAPE, Prometheus, Stored, versions

# Scrapes of each job that are compared, at the least.
SCRAPES = 3

# What `scrape_protocols` may say in each version, and what the exporter answers with. 0.0.1 of OpenMetrics is
# older than what we write, so the wildcard behind it is what counts.
PROTOCOLS = {
    "OpenMetricsText1.0.0": formats.OPENMETRICS,
    "OpenMetricsText0.0.1": formats.TEXT,
    "PrometheusText0.0.4": formats.TEXT,
    "PrometheusProto": formats.PROTOBUF,
}
PROTOCOLS_SINCE_3 = {"PrometheusText1.0.0": formats.TEXT_1}
# How a scrape asks for the classic side beside the native one.
CLASSIC_TOO = {2: "scrape_classic_histograms", 3: "always_scrape_classic_histograms"}


@dataclass(frozen=True)
class Job:
    """A way to scrape, and what is expected of it."""

    name: str
    settings: dict
    content_type: str
    classic_too: bool = False


def jobs(version: str, native: bool) -> list[Job]:
    """All ways in which this version scrapes."""
    preferred = formats.PROTOBUF if native else formats.OPENMETRICS
    ways = [Job("default", {}, preferred)]
    major, minor = (int(number) for number in version.split("."))
    if (major, minor) < (2, 49):
        return ways
    known = PROTOCOLS | (PROTOCOLS_SINCE_3 if major >= 3 else {})
    ways += [Job(protocol, {"scrape_protocols": [protocol]}, answer) for protocol, answer in known.items()]
    if native:
        ways.append(Job("classic-too", {CLASSIC_TOO[major]: True}, preferred, classic_too=True))
    return ways


class APrometheus(CheckCase):
    def setUp(self) -> None:
        self.exporter = demo(self)
        self.recorder = Recorder(self.exporter.port)
        self.addCleanup(self.recorder.close)

    def test_stores_exactly_what_is_served(self) -> None:
        for version in versions():
            for native in (False, True):
                with self.subTest(prometheus=version, native_histograms=native):
                    self.one_server(version, native)

    def one_server(self, version: str, native: bool) -> None:
        ways = jobs(version, native)
        self.recorder.scrapes.clear()
        target = [{"targets": [f"127.0.0.1:{self.recorder.port}"]}]
        scraped = {
            way.name: {"static_configs": target, "metrics_path": f"/{way.name}/metrics"} | way.settings for way in ways
        }
        server = Prometheus(self, version, scraped, ["native-histograms"] if native else [])
        wait_until("enough scrapes", lambda: all(len(self.recorder.scrapes[way.name]) > SCRAPES for way in ways), 30)
        for way in ways:
            with self.subTest(scrape=way.name):
                self.one_job(server, way, native)
        self.assertEqual([target["lastError"] for target in server.targets()], [""] * len(ways))
        self.assertEqual([target["health"] for target in server.targets()], ["up"] * len(ways))
        self.assertEqual(server.complaints(), [])
        if (version, native) in ACCEPT:
            self.assertEqual(self.recorder.scrapes["default"][0].accept, ACCEPT[version, native])
        self.assertEqual(server.program.terminate(), 0)

    def one_job(self, server: Prometheus, way: Job, native: bool) -> None:
        compared = 0
        for at, stored in server.stored(way.name).items():
            if (up := stored.samples.get(("up", ()))) is None:
                continue
            self.assertEqual(up, 1)
            scrape = self.scrape_at(way.name, at)
            self.assertEqual((scrape.status, scrape.content_type.split("; escaping=")[0]), (200, way.content_type))
            self.compare(stored, expected(scrape, native, way.classic_too))
            compared += 1
        self.assertGreaterEqual(compared, SCRAPES)
        self.compare_metadata(server, way)

    def scrape_at(self, name: str, at: float) -> Scrape:
        """The recorded scrape that was stored under this time; the next one is a second away."""
        near = [scrape for scrape in self.recorder.scrapes[name] if abs(scrape.at - at) < 0.45]
        self.assertEqual(len(near), 1, f"scrapes near {at}: {[scrape.at for scrape in self.recorder.scrapes[name]]}")
        return near[0]

    def compare(self, stored: Stored, served: Exposition) -> None:
        kept = {key: value for key, value in stored.samples.items() if not is_of_the_scrape(key[0])}
        self.assertEqual(differences(kept, served.samples), [], "stored and served")
        self.assertEqual(stored.natives.keys(), served.natives.keys())
        for key, native in served.natives.items():
            self.assertTrue(native.equals(stored.natives[key]), f"{key}: {native}, stored {stored.natives[key]}")
        counted = stored.samples["scrape_samples_post_metric_relabeling", ()]
        self.assertEqual(counted, len(served.samples) + len(served.natives))

    def compare_metadata(self, server: Prometheus, way: Job) -> None:
        """Type, help and unit as the server knows them."""
        scrape = self.recorder.scrapes[way.name][-1]
        known = server.metadata(way.name)
        for name, family in formats.read(scrape.content_type, scrape.body).families.items():
            # OpenMetrics names a family of counters without the suffix that its samples have.
            entry = known.get(name) or known[name.removesuffix("_total")]
            self.assertEqual((entry["type"], entry["help"]), (family.kind, family.help), name)


def is_of_the_scrape(name: str) -> bool:
    return name in OF_THE_SCRAPE or name.startswith("scrape_")


def expected(scrape: Scrape, native: bool, classic_too: bool) -> Exposition:
    """What a server makes of a body: no empty labels, and of a histogram with both sides only the native one."""
    served = formats.read(scrape.content_type, scrape.body)
    keeps_native = native and scrape.content_type.startswith(formats.PROTOBUF)
    hidden = {f"{name}{end}" for name, _ in served.natives for end in ("_bucket", "_sum", "_count")}
    samples = served.without(hidden if keeps_native and not classic_too else ())
    natives = served.natives if keeps_native else {}
    return Exposition(
        {without_empty_labels(key): value for key, value in samples.items()},
        {without_empty_labels(key): value for key, value in natives.items()},
    )


def without_empty_labels(key: Series) -> Series:
    name, labels = key
    return name, tuple((label, value) for label, value in labels if value)


if __name__ == "__main__":
    unittest.main()
