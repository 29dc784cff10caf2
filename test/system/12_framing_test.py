"""Packets do not care how TCP cuts them: many in one segment, one byte at a time, no waiting."""
import pytest

from raw_mqtt import V5, Client, Kind, connect_packet, frame, publish_packet, subscribe_packet


def test_ten_packets_in_one_segment(broker, join, unique, version):
    topic = unique()
    client = join(broker, version)
    client.subscribe(topic, 2)
    client.send(b"".join(publish_packet(topic, str(n), n % 2, n + 100 if n % 2 else None, version)
                         for n in range(10)))
    assert [int(client.take().payload) for _ in range(10)] == list(range(10))
    assert [client.await_kind(Kind.PUBACK).packet_id for _ in range(5)] == \
        [101, 103, 105, 107, 109]


def test_one_byte_at_a_time(broker, dial, unique, version):
    topic = unique()
    client = dial(broker, version)
    conversation = [connect_packet(unique("slow"), version),
                    subscribe_packet(1, [(topic, 1)], version),
                    publish_packet(topic, b"drop by drop", 1, 2, version)]
    for packet in conversation:
        for byte in packet:
            client.send(bytes([byte]))
    assert client.expect(Kind.CONNACK).code == 0
    assert client.await_kind(Kind.SUBACK).codes == [1]
    assert client.await_kind(Kind.PUBACK).packet_id == 2
    assert client.take().payload == b"drop by drop"


@pytest.mark.parametrize("turn", range(8))
def test_everything_at_once_without_waiting_for_connack(broker, dial, unique, version, turn):
    """Many names, so that on several threads the connection is handed over with bytes unread."""
    topic = unique()
    client = dial(broker, version)
    client.send(connect_packet(unique(f"eager{turn}-"), version)
                + subscribe_packet(1, [(topic, 2)], version)
                + publish_packet(topic, b"a", 0, version=version)
                + publish_packet(topic, b"b", 1, 2, version)
                + frame(Kind.PINGREQ))
    assert client.expect(Kind.CONNACK).code == 0
    assert client.expect(Kind.SUBACK).codes == [2]
    assert [client.take().payload for _ in range(2)] == [b"a", b"b"]
    client.await_kind(Kind.PUBACK)
    client.await_kind(Kind.PINGRESP)


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_a_segment_that_ends_anywhere(broker, dial, unique, version, cut):
    topic = unique()
    data = (connect_packet(unique("cut"), version) + subscribe_packet(1, [(topic, 1)], version)
            + publish_packet(topic, b"x" * 20, 1, 2, version))
    client = dial(broker, version)
    client.send(data[:cut])
    other = Client(broker.port, version)
    other.connect("")
    other.close()
    client.send(data[cut:])
    assert client.expect(Kind.CONNACK).code == 0
    assert client.take().payload == b"x" * 20


def test_disconnect_behind_a_publish_loses_nothing(broker, join, dial, unique, version):
    topic = unique()
    subscriber = join(broker, version)
    subscriber.subscribe(topic, 1)
    for number in range(20):
        client = dial(broker, version)
        client.send(connect_packet(unique("brief"), version)
                    + publish_packet(topic, str(number), 1, 1, version) + frame(Kind.DISCONNECT))
        client.expect_closed()
        assert subscriber.take().payload == str(number).encode()


def test_bytes_behind_a_disconnect_do_nothing(broker, join, unique, version):
    topic = unique()
    watcher = join(broker, version)
    watcher.subscribe(topic, 1)
    client = join(broker, version)
    client.send(frame(Kind.DISCONNECT) + publish_packet(topic, b"ghost", version=version))
    client.expect_closed()
    watcher.publish(topic, b"end", 1)
    assert watcher.take_until(b"end") == []


def test_a_thousand_small_packets_in_a_few_segments(broker, join, unique, version):
    topic = unique()
    client = join(broker, version)
    subscriber = join(broker, version)
    subscriber.subscribe(topic, 0)
    client.send(b"".join(publish_packet(topic, str(n), version=version) for n in range(1000)))
    assert [int(subscriber.take().payload) for _ in range(1000)] == list(range(1000))
    assert version != V5 or client.ping().kind == Kind.PINGRESP
