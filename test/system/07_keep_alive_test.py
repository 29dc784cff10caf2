"""Keep-alive: a client silent for one and a half times its promise is closed, no other is."""
import time

import pytest

from narud_server import wait_until
from raw_mqtt import V5, Kind, Missing, frame, publish_packet


def test_ping_is_answered(broker, join, version):
    client = join(broker, version)
    client.send(frame(Kind.PINGREQ) * 3)
    for _ in range(3):
        assert client.expect(Kind.PINGRESP).raw == b""


def test_a_silent_client_is_closed_and_others_stay(broker, join, version):
    forever = join(broker, version, keep_alive=0)
    slow = join(broker, version, keep_alive=60)
    client = join(broker, version, keep_alive=1)
    begin = time.monotonic()
    client.expect_refusal(0x8D, wait=6)
    assert 1.4 <= time.monotonic() - begin <= 3.5
    wait_until(lambda: any("what=keep_alive" in line and f"client={client.client_id} " in line
                           for line in broker.log().splitlines()), what="a line in the log")
    forever.ping()
    slow.ping()


def stays_open(client, send):
    """Sends every half second for three seconds, twice what silence would be allowed."""
    for _ in range(6):
        client.send(send)
        with pytest.raises(Missing):
            deadline = time.monotonic() + 0.5
            while True:
                packet = client.receive(max(0.001, deadline - time.monotonic()))
                assert packet.kind != Kind.DISCONNECT


def test_pings_keep_a_connection_open(broker, join, version):
    client = join(broker, version, keep_alive=1)
    stays_open(client, frame(Kind.PINGREQ))


def test_any_packet_keeps_a_connection_open(broker, join, version):
    client = join(broker, version, keep_alive=1)
    stays_open(client, publish_packet("a", b"x", version=version))


def test_what_the_broker_sends_does_not_count(broker, join, unique, version):
    """Only packets from the client are a sign of its life."""
    topic = unique()
    client = join(broker, version, keep_alive=1)
    client.subscribe(topic)
    publisher = join(broker, version)
    begin = time.monotonic()
    with pytest.raises(AssertionError, match="closed"):
        while time.monotonic() - begin < 6:
            publisher.publish(topic, b"x")
            try:
                client.receive(0.2)
            except Missing:
                continue
    assert 1.4 <= time.monotonic() - begin <= 3.5


def test_half_a_packet_is_silence_too(broker, join, version):
    client = join(broker, version, keep_alive=1)
    client.send(publish_packet("a", b"x" * 100, version=version)[:50])
    begin = time.monotonic()
    packets = client.expect_closed(wait=6)
    assert time.monotonic() - begin <= 4
    assert all(p.kind == Kind.DISCONNECT and version == V5 for p in packets)
