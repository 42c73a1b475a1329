"""`promtool check metrics` of every version finds nothing to say about the demo."""

import unittest

from kit.exporter import demo
from kit.programs import main
from kit.server import check_metrics, versions


class Promtool(unittest.TestCase):
    def test_finds_nothing(self) -> None:
        exporter = demo(self.addCleanup)
        text = exporter.scrape(accept="text/plain;version=0.0.4").body
        for version in versions():
            with self.subTest(version):
                found = check_metrics(version, text)
                self.assertEqual((found.returncode, found.stdout + found.stderr), (0, b""))

    def test_would_find_a_fault(self) -> None:
        for version in versions():
            self.assertNotEqual(check_metrics(version, b"# TYPE a_total gauge\na_total 1\n").returncode, 0)


if __name__ == "__main__":
    main()
