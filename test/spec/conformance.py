#!/usr/bin/env python3
"""Holds test/spec/conformance.csv and the tests together.

    test/spec/conformance.py [--open]

A row is a normative statement of MQTT 3.1.1 or 5.0: its id, what it says in words of our own, and
the tests that prove it as FILE::NAME below test/, with ` | ` between them. Status:

    tested      binds a server; at least one test
    client      binds clients; a test where the server enforces it
    not here    binds a server with another choice than ours; the reason says which
    open        a feature that is not there yet; the reason says which

Every test named exists, and every test that claims an id ([MQTT-3.1.2-24] in its docstring, comment
or Catch2 tag) stands in a row of that id. Prints what is counted; exit 1 on any problem.
"""
import csv
import pathlib
import re
import sys

TEST = pathlib.Path(__file__).resolve().parent.parent
TABLE = TEST / "spec" / "conformance.csv"
STATUSES = ("tested", "client", "not here", "open")
CLAIM = re.compile(r"\[(MQTT-\d+(?:\.\d+)*-\d+)\]")


def python_tests(text):
    """(name, its text): a test function reaches to the next line that is not indented."""
    starts = list(re.finditer(r"^ *def (test_\w+)", text, re.MULTILINE))
    for at, start in enumerate(starts):
        end = starts[at + 1].start() if at + 1 < len(starts) else len(text)
        yield start.group(1), text[start.start():end]


def catch2_tests(text):
    """(name, its tags)."""
    for match in re.finditer(r'TEST_CASE\(\s*"((?:[^"\\]|\\.)*)"(?:,\s*"([^"]*)")?', text):
        yield match.group(1), match.group(2) or ""


def all_tests():
    """{FILE::NAME: the ids it claims}"""
    found = {}
    for pattern, tests in (("system/*_test.py", python_tests), ("**/*_test.cpp", catch2_tests)):
        for path in sorted(TEST.glob(pattern)):
            for name, text in tests(path.read_text()):
                key = f"{path.relative_to(TEST)}::{name}"
                found[key] = set(CLAIM.findall(text))
    return found


def read_rows():
    with open(TABLE, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tests_of(row):
    return [test for test in row["test"].split(" | ") if test]


def row_problems(row, tests):
    status, reason = row["status"], row["reason"]
    if status not in STATUSES:
        yield f"the status {status} is none of {', '.join(STATUSES)}"
    if status == "tested" and not tests_of(row):
        yield "is tested by nothing"
    if status != "tested" and not reason:
        yield f"is '{status}' without a reason"
    if not row["statement"].endswith("."):
        yield "has no statement"
    for test in tests_of(row):
        if test not in tests:
            yield f"names {test}, which is not there"


def problems(rows, tests):
    seen = set()
    proved = {}
    for number, row in enumerate(rows, 2):
        key = row["version"], row["id"]
        if key in seen:
            yield f"{TABLE.name}:{number}: {key} stands twice"
        seen.add(key)
        for problem in row_problems(row, tests):
            yield f"{TABLE.name}:{number}: {row['version']} {row['id']} {problem}"
        proved.setdefault(row["id"], set()).update(tests_of(row))
    for test, claims in tests.items():
        for claim in sorted(claims):
            if test not in proved.get(claim, ()):
                yield f"{test} claims {claim}, but no row of it names this test"


def main():
    rows, tests = read_rows(), all_tests()
    found = list(problems(rows, tests))
    for problem in found:
        print(problem)
    for version in sorted({row["version"] for row in rows}):
        counts = [f"{sum(r['version'] == version and r['status'] == s for r in rows)} {s}"
                  for s in STATUSES]
        print(f"MQTT {version}: {', '.join(counts)}")
    if "--open" in sys.argv[1:]:
        for row in rows:
            if row["status"] == "open":
                print(f"{row['version']} {row['id']}: {row['reason']}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
