"""naru, the command line, as a person and a script use it."""
import json
import os
import subprocess
import time

import pytest

from raw_mqtt import V5
from narud_server import ROOT, naru_binary, wait_until

PATIENCE = 30


class Naru:
    def __init__(self, broker):
        self.broker = broker

    def command(self, *arguments):
        return [naru_binary(), "--socket", self.broker.api_socket, *map(str, arguments)]

    def run(self, *arguments, code=0, stdin=""):
        done = subprocess.run(self.command(*arguments), input=stdin, text=True, check=False,
                              timeout=PATIENCE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == code, f"{arguments}: {done}"
        return done.stdout if code == 0 else done.stderr

    def start(self, *arguments, stderr=subprocess.STDOUT):
        return subprocess.Popen(self.command(*arguments), text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=stderr)


@pytest.fixture
def naru(own_broker):
    return Naru(own_broker)


@pytest.fixture
def port(own_broker):
    return ["-p", str(own_broker.port)]


def test_status(naru):
    assert "green" in naru.run("status")
    assert json.loads(naru.run("--json", "status"))["health"] == "green"


def test_the_places_of_the_control_socket_are_the_same_everywhere(tmp_path):
    places = ["./var/naru.sock", "/run/naru/naru.sock", "/var/lib/naru/naru.sock"]
    environment = {name: value for name, value in os.environ.items() if name != "NARU_SOCKET"}
    done = subprocess.run([naru_binary(), "status"], text=True, check=False, timeout=PATIENCE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
                          env=environment)
    if done.returncode == 3:  # No broker of the machine's own.
        assert f"(tried {', '.join(places)})" in done.stderr
    said = subprocess.run([naru_binary(), "--help"], text=True, check=True, timeout=PATIENCE,
                          stdout=subprocess.PIPE).stdout
    guide = (ROOT / "deploy" / "guide" / "command-line.md").read_text()
    manual = (ROOT / "deploy" / "man" / "naru.1").read_text()
    for each in places:
        assert each in said and f"`{each}`" in guide and each in manual


def test_clients(naru, own_broker, join):
    client = join(own_broker, V5, "car1")
    client.subscribe("a", 1)
    assert "car1" in naru.run("clients")
    assert "car1" in naru.run("clients", "car1")
    naru.run("clients", "nobody", code=1)


def test_pub_and_sub(naru, own_broker, port):
    sub = naru.start("sub", *port, "-i", "watcher", "-t", "a/+", "-v", "-C", "2")
    wait_until(lambda: (own_broker.session("watcher") or {}).get("subscriptions"),
               what="the subscription")
    naru.run("pub", *port, "-t", "a/1", "-m", "hello")
    naru.run("pub", *port, "-t", "a/2", "-m", "world", "-q", "2")
    out, _ = sub.communicate(timeout=PATIENCE)
    assert (sub.returncode, out) == (0, "a/1 hello\na/2 world\n")


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_pub_lines_and_a_persistent_sub(naru, port, protocol):
    keep = ["sub", *port, "-V", protocol, "-i", "keeper", "-c", "-t", "a"]
    naru.run(*keep, "-W", "1")
    naru.run("pub", *port, "-V", protocol, "-t", "a", "-l", stdin="one\ntwo\nthree\n")
    assert naru.run(*keep, "-C", "3") == "one\ntwo\nthree\n"


def test_stream_tail(naru, port):
    for car in "car1", "car2":
        naru.run("pub", *port, "-i", car, "-t", f"vehicles/{car}/telemetry", "-l",
                 stdin="".join(f'{{"n":{n}}}\n' for n in range(5)))
    lines = naru.run("stream", "tail", "telemetry", "--from", "earliest").splitlines()
    assert len(lines) == 10
    records = [json.loads(line) for line in
               naru.run("--json", "stream", "tail", "telemetry").splitlines()]
    for car in "car1", "car2":
        mine = [json.loads(r["payload"])["n"] for r in records if r["key"] == car]
        assert mine == list(range(5))
    assert naru.run("stream", "tail", "telemetry", "--from", "latest") == ""
    assert len(naru.run("stream", "tail", "telemetry", "--from", "-1m").splitlines()) == 10
    assert "telemetry" in naru.run("stream", "list")
    naru.run("stream", "tail", "nowhere", code=1)


def test_a_consumer_reads_each_record_once(naru, own_broker, port):
    tail = ["stream", "tail", "telemetry", "--consumer", "etl"]

    def publish(text):
        naru.run("pub", *port, "-i", "car1", "-t", "vehicles/car1/telemetry", "-m", text)

    publish("one")
    publish("two")
    assert len(naru.run(*tail, "--limit", "1").splitlines()) == 1
    own_broker.crash_and_restart()
    port[1] = str(own_broker.port)
    publish("three")
    lines = naru.run(*tail).splitlines()
    assert [line.split("\t")[-1] for line in lines] == ["two", "three"]
    assert naru.run(*tail) == ""


def test_a_cursor_that_was_shown_is_where_the_next_tail_begins(naru, port):
    def publish(text):
        naru.run("pub", *port, "-i", "car1", "-t", "vehicles/car1/telemetry", "-m", text)

    def tail(*arguments):
        out, error = naru.start("stream", "tail", "telemetry", "--show-cursor", *arguments,
                                stderr=subprocess.PIPE).communicate(timeout=PATIENCE)
        word, cursor = error.split()
        assert word == "cursor"
        return [line.split("\t")[-1] for line in out.splitlines()], cursor

    for text in "one", "two", "three":
        publish(text)
    first, cursor = tail("--limit", "2")
    assert first == ["one", "two"]
    publish("four")
    rest, end = tail("--from", cursor)
    assert rest == ["three", "four"]
    assert tail("--from", end) == ([], end)


def test_the_consumers_of_a_stream_and_how_far_behind_they_are(naru, port):
    naru.run("pub", *port, "-i", "car1", "-t", "vehicles/car1/telemetry", "-l", stdin="a\nb\nc\n")
    assert naru.run("stream", "consumers", "telemetry") == ""
    naru.run("stream", "tail", "telemetry", "--consumer", "etl", "--limit", "1")
    name, lag, cursor = naru.run("stream", "consumers", "telemetry").split()
    assert (name, lag) == ("etl", "2")
    assert json.loads(naru.run("--json", "stream", "consumers", "telemetry")) == [
        {"name": "etl", "lag": 2, "cursor": cursor}]
    naru.run("stream", "consumers", "nowhere", code=1)


def test_follow_prints_what_comes(naru, port):
    follow = naru.start("stream", "tail", "telemetry", "--from", "earliest", "--follow",
                        "--limit", "2")
    for text in "one", "two":
        naru.run("pub", *port, "-i", "car1", "-t", "vehicles/car1/telemetry", "-m", text)
    out, _ = follow.communicate(timeout=PATIENCE)
    assert [line.split("\t")[-1] for line in out.splitlines()] == ["one", "two"]


def test_cmd_send_waits_for_the_answer_of_a_device(naru, own_broker, tools, version):
    device = tools.sub(own_broker, version, "-i", "car1", "-c", "-q", "1",
                       "-t", "vehicles/car1/commands/+", "-C", "1",
                       *(["-x", "600"] if version == V5 else [])).wait_subscribed()
    waiting = naru.start("cmd", "send", "car1", "unlock", '{"door":"driver"}', "--expires", "20s",
                         "--wait")
    _, lines = device.wait_end()
    command = json.loads(lines[0])
    assert command["payload"] == {"door": "driver"}
    tools.pub(own_broker, version, "-i", "car1", "-q", "1", "-m", '{"state":"succeeded"}',
              "-t", f"vehicles/car1/commands/{command['id']}/reply")
    out, _ = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 0
    for state in "queued", "sent", "delivered", "succeeded":
        assert state in out
    assert "succeeded" in naru.run("cmd", "list", "car1")
    assert "delivered" in naru.run("cmd", "show", "car1", command["id"])


def test_cmd_send_to_a_sleeper_ends_with_expired(naru):
    begin = time.monotonic()
    naru.run("cmd", "send", "nobody", "unlock", "--expires", "1s", "--wait", code=1)
    assert time.monotonic() - begin < 10


def test_cmd_cancel(naru):
    sent = naru.run("cmd", "send", "car1", "unlock", "--id", "order-1")
    assert "order-1" in sent
    assert "cancelled" in naru.run("cmd", "cancel", "car1", "order-1")
    naru.run("cmd", "cancel", "car1", "order-1", code=1)


def test_errors_say_what_to_do(naru, own_broker):
    assert naru.run("cmd", "send", "car1", "unlock", "{broken", code=2)
    assert naru.run("pub", "-t", "a/#", "-m", "x", code=2)
    naru.run("dance", code=2)
    own_broker.terminate()
    assert naru.run("status", code=3)


def test_help_and_version(naru):
    assert "naru pub" in naru.run("--help")
    assert naru.run("--version").startswith("naru ")
    for command in "status", "clients", "pub", "sub", "cmd", "stream":
        assert "Example" in naru.run(command, "--help")
