"""A real Prometheus of each major scrapes the demo in each format it knows, and stores what was served.

A proxy keeps the body of every scrape. What the server stored at the time of that scrape is compared with it:
names, labels and values of classic series, and count, sum and buckets of native histograms.
"""
# Limit: 120 s

import unittest

from kit.accept import ACCEPT
from kit.deadline import wait_until
from kit.exporter import demo
from kit.exposition import Exposition, Series, differences
from kit.programs import main
from kit.recorder import Recorder, Scrape
from kit.server import INTERVAL_SECONDS, Prometheus, Stored, Told, versions
from kit.ways import Way, ways

# Scrapes of each way that are compared.
SCRAPES = 2
# Half of the time between two scrapes, less a busy machine's delays, tells which one this was.
NEAR_SECONDS = INTERVAL_SECONDS * 0.45


class APrometheus(unittest.TestCase):
    def setUp(self) -> None:
        self.exporter = demo(self.addCleanup)
        self.recorder = Recorder(self.exporter.port)
        self.addCleanup(self.recorder.close)

    def test_stores_exactly_what_is_served(self) -> None:
        askers = [(version, native) for version in versions() for native in (False, True)]
        servers = {asker: self.server(*asker) for asker in askers}
        paths = {way.path for asker in askers for way in ways(*asker)}
        wait_until("enough scrapes", lambda: all(len(self.recorder.scrapes[path]) > SCRAPES for path in paths), 60)
        told = {asker: server.end() for asker, server in servers.items()}
        for asker, all_of_it in told.items():
            with self.subTest(prometheus=asker[0], native_histograms=asker[1]):
                self.compare_server(all_of_it, ways(*asker))
                if asker in ACCEPT:
                    default = ways(*asker)[0].path
                    self.assertEqual(self.recorder.scrapes[default][0].accept, ACCEPT[asker])

    def server(self, version: str, native: bool) -> Prometheus:
        target = [{"targets": [f"127.0.0.1:{self.recorder.port}"]}]
        jobs = {
            way.name: {"static_configs": target, "metrics_path": f"/{way.path}/metrics"} | way.settings
            for way in ways(version, native)
        }
        return Prometheus(self.addCleanup, version, jobs, ["native-histograms"] if native else [])

    def compare_server(self, told: Told, those: list[Way]) -> None:
        for way in those:
            with self.subTest(scrape=way.path):
                self.compare_way(told, way)
        self.assertEqual(told.targets, [("up", "")] * len(those))
        self.assertEqual(told.complaints, [])

    def compare_way(self, told: Told, way: Way) -> None:
        """The first scrapes that were stored; one that was under way has no `up` yet."""
        finished = {at: stored for at, stored in told.stored[way.name].items() if stored.up is not None}
        self.assertGreaterEqual(len(finished), SCRAPES)
        for at, stored in sorted(finished.items())[:SCRAPES]:
            self.assertEqual(stored.up, 1)
            scrape = self.scrape_at(way.path, at)
            self.assertEqual((scrape.status, scrape.content_type.split("; escaping=")[0]), (200, way.content_type))
            served = way.read(scrape)
            self.compare(stored, served, counted=not way.loses_histograms)
        self.compare_metadata(told.metadata[way.name], served)

    def scrape_at(self, path: str, at: float) -> Scrape:
        """The recorded scrape that was stored under this time."""
        recorded = self.recorder.scrapes[path]
        near = [scrape for scrape in recorded if abs(scrape.at - at) < NEAR_SECONDS]
        self.assertEqual(len(near), 1, f"scrapes near {at}: {[scrape.at for scrape in recorded]}")
        return near[0]

    def compare(self, stored: Stored, served: Exposition, counted: bool) -> None:
        samples = stored.samples if counted else without_families(stored.samples, served)
        self.assertEqual(differences(samples, served.samples), [], "stored and served")
        self.assertEqual(stored.natives.keys(), served.natives.keys())
        for key, native in served.natives.items():
            self.assertTrue(native.equals(stored.natives[key]), f"{key}: {native}, stored {stored.natives[key]}")
        if counted:
            self.assertEqual(stored.counted, len(served.samples) + len(served.natives))

    def compare_metadata(self, known: dict[str, dict], served: Exposition) -> None:
        """Type and help as the server knows them."""
        for name, family in served.families.items():
            # OpenMetrics names a family of counters without the suffix that its samples have.
            entry = known.get(name) or known[name.removesuffix("_total")]
            self.assertEqual((entry["type"], entry["help"]), (family.kind, family.help), name)


def without_families(samples: dict[Series, float], served: Exposition) -> dict[Series, float]:
    """The samples that are not named as a histogram itself."""
    histograms = {name for name, family in served.families.items() if family.kind == "histogram"}
    return {key: value for key, value in samples.items() if key[0] not in histograms}


if __name__ == "__main__":
    main()
