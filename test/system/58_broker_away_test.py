"""naru waits for a broker that restarts: a follower goes on, a sender hears what became of it."""
import json
import subprocess

import pytest

from narud_server import naru_binary, wait_until
from raw_mqtt import V5, keep, reconnect

PATIENCE = 60


class Running:
    """A command of naru that goes on, and what it has said so far."""

    def __init__(self, broker, directory, *arguments):
        self.out, self.err = directory / "out", directory / "err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                [naru_binary(), "--socket", broker.api_socket, *arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def lines(self):
        return self.out.read_text().splitlines()

    def waits(self):
        """How often it has said that it waits."""
        return self.err.read_text().count("waiting for it\n")

    def end(self):
        return self.process.wait(PATIENCE)


@pytest.fixture
def run(own_broker, tmp_path):
    running = []

    def start(*arguments):
        running.append(Running(own_broker, tmp_path, *arguments))
        return running[-1]

    yield start
    for each in running:
        each.process.kill()
        each.process.wait()


def send(broker, join, payloads):
    car = join(broker, V5, "car1")
    for payload in payloads:
        car.publish("vehicles/car1/telemetry", str(payload), 1)
    car.disconnect()


@pytest.mark.parametrize("consumer", [[], ["--consumer", "etl"]], ids=["plain", "consumer"])
@pytest.mark.parametrize("ends", ["kill9", "terminate"])
def test_a_follower_goes_on_where_it_was(own_broker, join, run, ends, consumer):
    tail = run("stream", "tail", "telemetry", "--from", "earliest", "--follow", "--limit", "15",
               *consumer)
    for times in range(3):
        if times > 0:
            getattr(own_broker, ends)()
            wait_until(lambda: tail.waits() == times, 20.0, "a word on stderr")
            own_broker.start()
        send(own_broker, join, range(times * 5, times * 5 + 5))
        wait_until(lambda: len(tail.lines()) >= times * 5 + 5, 20.0, "the records")
    assert tail.end() == 0
    assert [int(line.split("\t")[-1]) for line in tail.lines()] == list(range(15))
    assert len(tail.err.read_text().splitlines()) == tail.waits() == 2
    if consumer:
        consumers = own_broker.get("/v1/streams/telemetry/consumers")["consumers"]
        assert [(each["name"], each["lag"]) for each in consumers] == [("etl", 0)]


def test_a_follower_that_shall_not_wait_ends(own_broker, join, run):
    tail = run("stream", "tail", "telemetry", "--from", "earliest", "--follow", "--no-retry")
    send(own_broker, join, [1])
    wait_until(lambda: len(tail.lines()) == 1, 20.0, "the record")
    own_broker.kill9()
    assert tail.end() == 3
    assert tail.waits() == 0


def test_a_follower_of_a_broker_that_is_not_there_ends(own_broker, run):
    own_broker.kill9()
    assert run("stream", "tail", "telemetry", "--follow").end() == 3


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_sender_hears_what_became_of_its_command(own_broker, join, dial, run, form):
    car = join(own_broker, V5, "car1", **keep(V5))
    car.subscribe("vehicles/car1/commands/+", 1)
    sender = run(*form, "cmd", "send", "car1", "unlock", "--expires", "60s", "--wait")
    command = json.loads(car.take().payload)
    wait_until(lambda: any("delivered" in line for line in sender.lines()), 20.0, "delivered")
    own_broker.kill9()
    wait_until(lambda: sender.waits() == 1, 20.0, "a word on stderr")
    own_broker.start()
    car = reconnect(own_broker, dial, V5, "car1")
    car.publish(f"vehicles/car1/commands/{command['id']}/reply", b'{"state":"succeeded"}', 1)
    assert sender.end() == 0
    states = [json.loads(line)["state"] if form else line.split()[-1] for line in sender.lines()]
    assert states == ["queued", "sent", "delivered", "succeeded"]
    assert sender.waits() == 1


def test_a_sender_waits_no_longer_than_it_was_told(own_broker, run):
    sender = run("cmd", "send", "car1", "unlock", "--expires", "60s", "--wait", "--timeout", "2s")
    wait_until(lambda: any("queued" in line for line in sender.lines()), 20.0, "queued")
    own_broker.kill9()
    assert sender.end() == 3
