"""How long a start takes with much to remember: 10,000 sessions with 100,000 queued messages."""
import contextlib
import time

import pytest

from narud_server import narud_binary
from raw_mqtt import V5, Client, Kind, connect_packet, disconnect_packet
from raw_mqtt import publish_packet, subscribe_packet

SESSIONS = 10_000
MESSAGES = 100_000
LIMIT_SECONDS = 2.0
AT_ONCE = 500
WINDOW = 500

sanitized = pytest.mark.skipif("san" in narud_binary(), reason="a sanitizer build has no speed")


def make_sessions(broker):
    """Each has one filter of its own and goes to sleep."""
    for start in range(0, SESSIONS, AT_ONCE):
        with contextlib.ExitStack() as stack:
            clients = []
            for number in range(start, min(start + AT_ONCE, SESSIONS)):
                client = Client(broker.port, V5)
                stack.callback(client.close)
                client.send(connect_packet(f"car{number}", clean=False,
                                           properties={"session_expiry_interval": 86400})
                            + subscribe_packet(1, [(f"car/{number}", 1)]))
                clients.append(client)
            for client in clients:
                client.expect(Kind.CONNACK)
                assert client.expect(Kind.SUBACK).codes == [1]
                client.send(disconnect_packet())


def queue_messages(broker):
    publisher = Client(broker.port, V5)
    publisher.connect("publisher")
    for start in range(0, MESSAGES, WINDOW):
        numbers = range(start, start + WINDOW)
        publisher.send(b"".join(
            publish_packet(f"car/{number % SESSIONS}", b"x" * 100, 1, number % WINDOW + 1)
            for number in numbers))
        for _ in numbers:
            assert publisher.expect(Kind.PUBACK).code == 0
    publisher.close()


def seconds_to_start(broker):
    began = time.monotonic()
    broker.start()
    return time.monotonic() - began


@pytest.mark.slow
@sanitized
def test_a_start_with_much_to_remember_is_quick(own_broker):
    make_sessions(own_broker)
    queue_messages(own_broker)
    assert own_broker.terminate() == 0
    took = {"clean end": seconds_to_start(own_broker)}
    own_broker.kill9()
    took["kill -9"] = seconds_to_start(own_broker)
    status = own_broker.status()
    assert status["sessions"] == SESSIONS
    assert status["queued_messages"] == MESSAGES
    for how, seconds in took.items():
        print(f"start after {how}: {seconds:.2f} s")
    assert max(took.values()) < LIMIT_SECONDS
    car = Client(own_broker.port, V5)
    car.connect("car77", clean=False, properties={"session_expiry_interval": 86400})
    assert all(car.take().topic == "car/77" for _ in range(MESSAGES // SESSIONS))
    car.close()
