"""All formats say the same: the same names, labels and values, and what each format asks for beside."""

import math
import re
import unittest

from kit import formats
from kit.accept import ACCEPT
from kit.deadline import wait_until
from kit.exporter import Exporter, serve_beside
from kit.exposition import Exposition, differences
from kit.programs import main
from kit.scenarios import A_STILL_LIFE
from kit.web import Answer

# What a client asks for, and the content type that it must get.
ASKED = {
    "text/plain;version=0.0.4": formats.TEXT,
    "text/plain;version=1.0.0;escaping=underscores": formats.TEXT_1 + "; escaping=underscores",
    "application/openmetrics-text;version=1.0.0": formats.OPENMETRICS,
    formats.PROTOBUF: formats.PROTOBUF,
}
# What each Prometheus gets, by whether native histograms are on.
PREFERRED = {
    ("2.42", False): formats.OPENMETRICS,
    ("2.53", False): formats.OPENMETRICS,
    ("3.5", False): formats.OPENMETRICS + "; escaping=allow-utf-8",
    ("2.42", True): formats.PROTOBUF,
    ("2.53", True): formats.PROTOBUF,
    ("3.5", True): formats.PROTOBUF,
}
# What moves by itself while the fleet stands still: the process, and the counting of these very requests.
MOVING = re.compile(r"process_|datasphere_exporter_(http_requests_total|poll_lag_seconds)$")


class AStillFleet(unittest.TestCase):
    """Everything it has was looked at, and nothing is due within the check."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.exporter, _, _ = serve_beside(cls.addClassCleanup, A_STILL_LIFE, interval="1h")
        cls.exporter.wait_ready()
        wait_until("the fleet stands still", lambda: stands_still(cls.exporter), 20, pause=0.5)

    def scrape(self, accept: str, **headers: str) -> Answer:
        answer = self.exporter.scrape(accept=accept, **headers)
        self.assertEqual(answer.status, 200)
        return answer

    def read(self, accept: str, **headers: str) -> Exposition:
        answer = self.scrape(accept, **headers)
        return formats.read(answer.content_type, answer.body)

    def test_every_prometheus_gets_the_format_it_prefers(self) -> None:
        for asker, accept in ACCEPT.items():
            with self.subTest(asker):
                answer = self.scrape(accept, accept_encoding="gzip")
                self.assertEqual(answer.content_type, PREFERRED[asker])
                self.assertEqual(answer.headers.get("content-encoding"), "gzip")
                self.assertTrue(formats.read(answer.content_type, answer.body).samples)

    def test_content_types_are_exact(self) -> None:
        for accept, content_type in ASKED.items():
            self.assertEqual(self.scrape(accept).content_type, content_type)
        self.assertEqual(self.scrape("text/html,*/*;q=0.8").content_type, formats.TEXT)

    def test_all_formats_hold_the_same_series_with_the_same_values(self) -> None:
        first, *others, last = [self.read(accept) for accept in [*ASKED, next(iter(ASKED))]]
        moved = {line.split("{")[0] for line in differences(first.samples, last.samples, most=1000)}
        self.assertEqual({name for name in moved if not MOVING.match(name)}, set(), "moved in a still fleet")
        moving = {name for name, _ in first.samples if MOVING.match(name)}
        for other, accept in zip(others, list(ASKED)[1:], strict=True):
            with self.subTest(accept):
                self.assertEqual(first.samples.keys(), other.samples.keys())
                self.assertEqual(differences(first.without(moving), other.without(moving)), [])

    def test_all_formats_declare_the_same_families(self) -> None:
        text, text_1, openmetrics, protobuf = [self.read(accept).families for accept in ASKED]
        self.assertEqual(text, text_1)
        self.assertEqual(openmetrics, protobuf)
        for name, family in openmetrics.items():
            self.assertEqual((family.kind, family.help), (text[name].kind, text[name].help), name)
            self.assertTrue(family.help, name)
            self.assertTrue(name.removesuffix("_total").endswith(family.unit), name)

    def test_counters_end_in_total_and_nothing_else_does(self) -> None:
        for name, family in self.read(formats.PROTOBUF).families.items():
            self.assertEqual(family.kind == "counter", name.endswith("_total"), name)
        text = self.scrape("text/plain;version=0.0.4").body.decode()
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
            self.assertEqual(kind == "counter", name.endswith("_total"), name)

    def test_native_and_classic_sides_count_the_same(self) -> None:
        found = self.read(formats.PROTOBUF)
        self.assertTrue(found.natives)
        for (name, labels), native in found.natives.items():
            known = dict(labels)
            self.assertEqual(native.count, sum(count for _, _, count in native.buckets))
            self.assertEqual(native.count, found.value(f"{name}_count", **known))
            self.assertEqual(native.count, found.value(f"{name}_bucket", **known, le="+Inf"))
            for bound in {float(dict(pairs)["le"]) for key, pairs in found.samples if key == f"{name}_bucket"}:
                low = sum(count for _, upper, count in native.buckets if upper <= bound)
                high = sum(count for lower, _, count in native.buckets if lower < bound)
                classic = found.value(f"{name}_bucket", **known, le=formats.bound(bound))
                self.assertTrue(low <= classic <= high, f"{name}{known} at {bound}: {low} {classic} {high}")

    def test_classic_buckets_only_rise(self) -> None:
        rows: dict[tuple, list[tuple[float, float]]] = {}
        for (name, labels), value in self.read(formats.PROTOBUF).samples.items():
            if name.endswith("_bucket"):
                others = tuple(pair for pair in labels if pair[0] != "le")
                rows.setdefault((name, others), []).append((float(dict(labels)["le"]), value))
        self.assertTrue(rows)
        for key, buckets in rows.items():
            counts = [count for _, count in sorted(buckets)]
            self.assertEqual(counts, sorted(counts), key)

    def test_values_are_numbers_and_labels_leave_room_for_those_of_prometheus(self) -> None:
        for accept in ASKED:
            for (name, labels), value in self.read(accept).samples.items():
                self.assertFalse(math.isnan(value), name)
                self.assertFalse({"job", "instance"} & dict(labels).keys(), name)

    def test_lines_and_labels_keep_their_order(self) -> None:
        for accept in ASKED:
            first, second = self.read(accept).written, self.read(accept).written
            self.assertEqual(first, second, accept)

    def test_openmetrics_has_one_end_and_no_created_lines(self) -> None:
        body = self.scrape("application/openmetrics-text;version=1.0.0").body
        self.assertTrue(body.endswith(b"\n# EOF\n"))
        self.assertEqual(body.count(b"# EOF"), 1)
        self.assertNotIn(b"_created{", body)

    def test_compressed_bodies_hold_the_same(self) -> None:
        for accept in ASKED:
            plain = self.read(accept).written
            for encoding in ("gzip", "zstd", "gzip, zstd", "br;q=1, gzip;q=0.1", "identity"):
                with self.subTest(accept=accept, encoding=encoding):
                    answer = self.scrape(accept, accept_encoding=encoding)
                    self.assertIn(answer.headers.get("content-encoding", "identity"), encoding)
                    self.assertEqual(formats.read(answer.content_type, answer.body).written, plain)

    def test_an_encoding_of_weight_zero_is_not_used(self) -> None:
        answer = self.scrape("text/plain", accept_encoding="gzip;q=0, zstd;q=0")
        self.assertNotIn("content-encoding", answer.headers)
        answer = self.scrape("text/plain", accept_encoding="gzip;q=0, zstd;q=0.5")
        self.assertEqual(answer.headers.get("content-encoding"), "zstd")

    def test_text_of_users_survives_every_format(self) -> None:
        for accept in ASKED:
            infos = [dict(labels) for name, labels in self.read(accept).samples if name == "datasphere_job_info"]
            self.assertIn('of "quotes", \\slashes\\ and ünïcode', {info["job_name"] for info in infos})


def stands_still(exporter: Exporter) -> bool:
    """Whether every job of the scenario is known and was looked at, and two scrapes half a second apart agree."""
    found = exporter.exposition()
    seen = getattr(exporter, "seen", None)
    exporter.seen = {key: value for key, value in found.samples.items() if not MOVING.match(key[0])}
    return len(found.values("datasphere_job_info")) == len(A_STILL_LIFE.jobs) and exporter.seen == seen


if __name__ == "__main__":
    main()
