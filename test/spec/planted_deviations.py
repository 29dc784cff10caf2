#!/usr/bin/env python3
"""Plants deviations from MQTT into the broker and demands that the test of each finds it.

    test/spec/planted_deviations.py --check
    test/spec/planted_deviations.py [--from N] [--count N] [--only NAME] [--result FILE]

A row of test/spec/deviations.csv is one change of one file: this source text for that. --check, a
matter of a second, demands that each text stands exactly once in its file and that the row of
conformance.csv with this id names this test. Without it each change is made in a copy of the tree
under build/deviations, narud built and the test run against it, which has to fail; before the first
and after the last the tests have to pass. --result writes the table for FILE. Exit 1 if one
deviation goes unnoticed.
"""
import argparse
import csv
import os
import pathlib
import subprocess
import sys
import time

import conformance

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "test" / "spec" / "deviations.csv"
TREE = ROOT / "build" / "deviations"
BUILD = TREE / "build" / "release"  # Where the preset has it, so that ccache knows the files.
PYTHON = "/usr/bin/python3"  # The one that Debian's pytest belongs to.
BUILD_SECONDS, TEST_SECONDS = 1800, 240


def run(command, seconds, **options):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, timeout=seconds, check=False, **options)
    except subprocess.TimeoutExpired:
        return 124, "it took too long"
    return done.returncode, done.stdout


def problems(rows):
    """What --check finds."""
    proved = {(row["version"], row["id"]): conformance.tests_of(row)
              for row in conformance.read_rows()}
    names = [row["name"] for row in rows]
    for row in rows:
        path = ROOT / row["file"]
        count = path.read_text().count(row["source"]) if path.exists() else 0
        if count != 1:
            yield f"'{row['name']}': its text stands {count} times in {row['file']}"
        if row["test"] not in proved.get((row["version"], row["id"]), ()):
            yield f"'{row['name']}': {row['version']} {row['id']} does not name {row['test']}"
        if names.count(row["name"]) > 1:
            yield f"'{row['name']}' stands twice"


def copy_tree():
    """What git tracks, as it is now; unchanged files keep their times, so builds stay short."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = ROOT / name, TREE / name
        data = source.read_bytes()
        if not target.exists() or target.read_bytes() != data:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(source.stat().st_mode)


def build():
    return run(["cmake", "--build", str(BUILD), "--parallel", "2", "--target", "narud"],
               BUILD_SECONDS)


def run_test(test):
    """pytest's exit code: 0 passed, 1 failed; anything else is no answer."""
    file, name = test.split("::")
    return run([PYTHON, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout", "60",
                str(ROOT / "test" / file), "-k", name], TEST_SECONDS,
               env={**os.environ, "NARUD": str(BUILD / "bin" / "narud"),
                    "NARU_BIN": str(ROOT / "build" / "release" / "bin")})


def plant(row):
    """What became of one deviation."""
    path = TREE / row["file"]
    text = path.read_text()
    path.write_text(text.replace(row["source"], row["replacement"]))
    try:
        code, said = build()
        if code != 0:
            return "does not build", said
        code, said = run_test(row["test"])
    finally:
        path.write_text(text)
    return {0: "NOT NOTICED", 1: "caught", 124: "caught"}.get(code, "no answer"), said


def prepare():
    copy_tree()
    code, said = run(["cmake", "--preset", "release"], BUILD_SECONDS, cwd=TREE)
    if code == 0:
        code, said = build()
    if code != 0:
        sys.exit(f"the copy does not build:\n{said}")


def sound(rows):
    """Without a deviation every one of these tests passes."""
    code, said = build()
    for test in sorted({row["test"] for row in rows}):
        if code == 0:
            code, said = run_test(test)
    if code != 0:
        print(said)
    return code == 0


def report(results):
    yield "# Planted deviations\n"
    yield "By `test/spec/planted_deviations.py`: each is a change of the broker's own source that"
    yield "breaks one statement of MQTT, and the test which that statement's row names.\n"
    yield "| deviation | statement | test | result |"
    yield "|---|---|---|---|"
    for row, verdict in results:
        yield f"| {row['name']} | {row['version']} {row['id']} | `{row['test']}` | {verdict} |"
    caught = sum(verdict == "caught" for _, verdict in results)
    yield f"\n{caught} of {len(results)} caught."


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--from", dest="first", type=int, default=1, metavar="N")
    parser.add_argument("--count", type=int, default=None, metavar="N")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--result", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    with open(TABLE, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = list(problems(rows))
    print(*found, sep="\n", end="\n" if found else "")
    if found or arguments.check:
        print(f"{len(rows)} deviations, {len(found)} problems")
        return 1 if found else 0
    rows = rows[arguments.first - 1:]
    rows = [row for row in rows[:arguments.count]
            if not arguments.only or row["name"] in arguments.only]
    prepare()
    good = sound(rows)
    results = []
    for row in rows:
        begin = time.monotonic()
        verdict, said = plant(row)
        results.append((row, verdict))
        print(f"{verdict:15} {time.monotonic() - begin:5.0f} s  {row['name']}", flush=True)
        if verdict != "caught":
            print(said)
    good = sound(rows[:1]) and good
    caught = sum(verdict == "caught" for _, verdict in results)
    print(f"{caught} passed, {len(results) - caught} failed"
          + ("" if good else "; without a deviation a test failed"))
    if arguments.result:
        arguments.result.write_text("\n".join(report(results)) + "\n")
    return 0 if good and caught == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
