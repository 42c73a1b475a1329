"""Every command of the official command line that a runbook or an alert tells somebody to type has these flags."""

import re
import unittest
from collections import defaultdict
from pathlib import Path

from kit.programs import TOOLS, main, run

ROOT = Path(__file__).resolve().parents[3]
TEXTS = [*(ROOT / "docs" / "runbooks").glob("*.md"), *(ROOT / "rules").rglob("*.yaml")]
COMMAND = re.compile(r"datasphere (project job [a-z][a-z-]*)([^\n#`]*)")
FLAG = re.compile(r"(?<!\S)--?[a-z][a-z-]*")


class Commands(unittest.TestCase):
    def test_have_the_flags_that_are_told(self) -> None:
        told: dict[str, set[str]] = defaultdict(set)
        for text in TEXTS:
            for words, rest in COMMAND.findall(text.read_text()):
                told[words] |= set(FLAG.findall(rest))
        self.assertGreater(len(told), 4)
        for words, flags in told.items():
            with self.subTest(words):
                ended = run(TOOLS / "venv" / "bin" / "datasphere", *words.split(), "--help")
                self.assertEqual(ended.returncode, 0, ended.stderr.decode())
                known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", ended.stdout.decode()))
                self.assertLessEqual(flags, known)


if __name__ == "__main__":
    main()
