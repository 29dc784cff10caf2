#!/usr/bin/env python3
"""Runs the client tests of Eclipse Paho's interoperability suite against narud.

    test/spec/paho_interop.py DIRECTORY [--only NAME]... [--verbose]

DIRECTORY is a checkout of https://github.com/eclipse/paho.mqtt.testing; nothing of it is part of
this project. Each suite has a narud of its own on a free port. Prints a line a case and a summary;
exit 0 if every case passed or stands in KNOWN with its reason (test/spec/README.md argues them).
NARUD=path chooses the binary.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from narud_server import Server  # noqa: E402

# What the suite takes for granted of the broker it runs against: a filter that may not be
# subscribed to, keep-alives of at most a minute.
ACL = """topic readwrite #
topic readwrite $TopicA/B
topic deny test/nosubscribe
"""
SETTINGS = "max_keepalive 60\nacl_file {acl}\n"
SUITE_SECONDS = 600

# Cases of the suite that fail although narud does what MQTT says.
KNOWN = {
    "client_test.test_subscribe_failure":
        "wants 0x80; 3.x is granted the filter and gets what it may read, as from mosquitto",
    "client_test5.test_subscribe_failure":
        "wants 0x80 and takes no other code; the reason is known: 0x87, not authorized",
}

# Runs inside the suite's folder: one line for each case, however its file reads its arguments.
DRIVER = """
import io, sys, traceback, unittest
sys.path.insert(0, ".")
name, port, cases = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
module = __import__(name)
module.host, module.port, module.topic_prefix = "127.0.0.1", port, name + "/"
module.topics = ("TopicA", "TopicA/B", "Topic/C", "TopicA/C", "/TopicA")
module.wildtopics = ("TopicA/+", "+/C", "#", "/#", "/+", "+/+", "TopicA/#")
module.nosubscribe_topics = ("test/nosubscribe",)
every = [n for n in dir(module.Test) if n.startswith("test") or n.endswith("_test")]
suite = unittest.TestSuite(module.Test(n) for n in every if not cases or n in cases)
result = unittest.TextTestRunner(stream=sys.stderr, verbosity=2).run(suite)
bad = {t.id().split(".")[-1] for t, _ in result.failures + result.errors}
for test in every:
    if not cases or test in cases:
        print("RESULT", name + "." + test, "failed" if test in bad or len(bad) > len(every)
              or any("setUpClass" in b for b in bad) else "passed")
"""


def run_suite(folder, name, cases, verbose):
    """{case: passed?} and what the suite said."""
    with tempfile.NamedTemporaryFile("w", suffix=".acl") as acl:
        acl.write(ACL)
        acl.flush()
        server = Server(SETTINGS.format(acl=acl.name))
        try:
            server.start()
            done = subprocess.run([sys.executable, "-c", DRIVER, name, str(server.port), *cases],
                                  cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=SUITE_SECONDS, check=False,
                                  env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        finally:
            server.close()
    results = {}
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            _, case, verdict = line.split()
            results[case] = verdict == "passed"
    if verbose or not results:
        print(done.stdout)
    return results, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--verbose", action="store_true", help="print what the suite says")
    arguments = parser.parse_args()
    folder = arguments.directory / "interoperability"
    if not (folder / "client_test5.py").exists():
        parser.error(f"{folder} has no client_test5.py: give a checkout of paho.mqtt.testing")
    unexpected, passed, known = [], 0, 0
    for name in ("client_test", "client_test5"):
        results, said = run_suite(folder, name, arguments.only, arguments.verbose)
        if not results:
            unexpected.append(name)
        for case, good in results.items():
            reason = KNOWN.get(case)
            if good:
                verdict, passed = "passed", passed + 1
                if reason:
                    verdict += " (take it out of KNOWN)"
            elif reason:
                verdict, known = f"deviates: {reason}", known + 1
            else:
                verdict = "FAILED"
                unexpected.append(case)
            print(f"{case:50} {verdict}")
        if any(case.startswith(name + ".") for case in unexpected) and not arguments.verbose:
            print(said)
    print(f"{passed} passed, {known} deviate as argued, {len(unexpected)} failed")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
