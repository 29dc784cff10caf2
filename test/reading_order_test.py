"""test/reading_order_test.py

Goal: who follows one PUBLISH through broker/README.md finds each file and function it names.
Method: the backticked names of the numbered steps, in order; a function is defined in the file
that was named last.
"""

import pathlib
import re
import unittest

BROKER = pathlib.Path(__file__).resolve().parent.parent / "broker"


def steps():
    """(line number, backticked names) of each numbered step."""
    for number, line in enumerate((BROKER / "README.md").read_text().splitlines(), 1):
        if re.match(r"\d+\. ", line):
            yield number, re.findall(r"`([^`]+)`", line)


def is_defined(name, path):
    function, argument = re.fullmatch(r"(\w+)\((\w*)\)", name).groups()
    return re.search(rf"::{function}\([^;{{]*{argument}", path.read_text())


class ReadingOrderTest(unittest.TestCase):
    def test_each_step_names_what_is_there(self):
        functions = 0
        for line, names in steps():
            path = None
            for name in names:
                if name.endswith((".cpp", ".hpp")):
                    path = BROKER / name
                    self.assertTrue(path.is_file(), f"line {line}: there is no {name}")
                elif name.endswith(")"):
                    self.assertIsNotNone(path, f"line {line}: {name} stands before any file")
                    self.assertTrue(is_defined(name, path), f"line {line}: {path} has no {name}")
                    functions += 1
        self.assertGreaterEqual(functions, 10)


if __name__ == "__main__":
    unittest.main()
