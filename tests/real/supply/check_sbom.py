"""The bill of materials is valid CycloneDX, and names what Cargo.lock has in the program, no more and no less."""

import json
import re
import tomllib
import unittest
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from kit.programs import TOOLS, main, new_folder, plain_environment, run

ROOT = Path(__file__).resolve().parents[3]
TARGET = "x86_64-unknown-linux-gnu"
LOCKED = {
    (package["name"], package["version"]): package.get("checksum")
    for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
}
PATH = f"PATH={TOOLS}/cargo/bin:{plain_environment()['PATH']}"


def made() -> str:
    file = new_folder() / "sbom.json"
    ended = run("env", PATH, "SOURCE_DATE_EPOCH=1700000000", ROOT / "deploy/sbom.sh", file, seconds=60)
    if ended.returncode:
        raise RuntimeError(ended.stderr.decode())
    return file.read_text()


class ABillOfMaterials(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.text = made()
        cls.told = json.loads(cls.text)
        cls.components = {(part["name"], part["version"]): part for part in cls.told["components"]}

    def test_is_valid(self) -> None:
        validator = JsonStrictValidator(SchemaVersion.V1_5)
        self.assertIsNone(validator.validate_str(self.text))
        self.assertIsNotNone(validator.validate_str(self.text.replace('"library"', '"libary"')))

    def test_names_what_is_compiled_into_the_program(self) -> None:
        words = ("tree", "--locked", "--edges=normal,no-proc-macro", f"--target={TARGET}", "--prefix=none", "--format={p}")
        ended = run("cargo", *words, f"--manifest-path={ROOT / 'Cargo.toml'}", seconds=60)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode())
        found = set(re.findall(r"^(\S+) v(\S+)(?: \(\*\))?$", ended.stdout.decode(), re.MULTILINE))
        self.assertGreater(len(found), 100)
        self.assertLessEqual(found, self.components.keys())
        self.assertLessEqual(self.components.keys(), LOCKED.keys())

    def test_tells_sources_and_licenses(self) -> None:
        for part, component in self.components.items():
            self.assertEqual([told["content"] for told in component["hashes"]], [LOCKED[part]], part)
            self.assertTrue(component["licenses"], part)
            self.assertEqual(component["purl"], f"pkg:cargo/{part[0]}@{part[1]}")

    def test_is_the_same_again_and_tells_nothing_of_the_machine(self) -> None:
        def without_its_number(text: str) -> str:
            return re.sub(r"urn:uuid:[-0-9a-f]+", "", text)

        self.assertEqual(without_its_number(self.text), without_its_number(made()))
        self.assertNotIn(str(ROOT), self.text)


if __name__ == "__main__":
    main()
