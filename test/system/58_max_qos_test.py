"""max_qos and retain_available: what a listener does not offer is told, refused and counted."""
import pytest

from raw_mqtt import V5, V311, Kind, Will, keep, publish_packet, subscribe_packet

pytestmark = pytest.mark.core

LISTENERS = """
listener auto 127.0.0.1
max_qos 1
listener auto 127.0.0.1
max_qos 0
listener auto 127.0.0.1
"""
RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED, NOT_AUTHORIZED_V3 = 0x9A, 0x9B, 5


class Door:
    """One listener of a broker."""

    def __init__(self, broker, place):
        self.broker = broker
        self.port = broker.listeners[place][1]

    def denied(self):
        return self.broker.counter("denied_publishes")


@pytest.fixture
def doors(start_broker):
    """Listeners by the QoS they have."""
    broker = start_broker(LISTENERS)
    return {1: Door(broker, 0), 0: Door(broker, 1), 2: Door(broker, 2)}


def test_connack_names_the_highest_qos(doors, join):
    """[MQTT-3.2.2-9]: nothing where every QoS is there."""
    names = {qos: join(door, V5).connack.property("maximum_qos") for qos, door in doors.items()}
    assert names == {0: 0, 1: 1, 2: None}


@pytest.mark.parametrize("most, qos", [(0, 1), (0, 2), (1, 2)])
def test_a_publish_above_it_ends_the_connection(doors, join, version, unique, most, qos):
    """[MQTT-3.2.2-11]: of a client that did not listen."""
    watcher = join(doors[2], V5)
    topic = unique()
    watcher.subscribe(topic, 2)
    client = join(doors[most], version)
    client.publish(topic, b"at the limit", most)
    client.publish_unanswered(topic, b"above", qos)
    if version == V5:
        client.expect_refusal(QOS_NOT_SUPPORTED)
    else:
        client.expect_closed()
    assert doors[most].denied() == 1
    assert "max_qos" in doors[most].broker.log()
    watcher.publish(topic, b"end", 1)
    assert [message.payload for message in watcher.take_until(b"end")] == [b"at the limit"]


@pytest.mark.parametrize("most, qos", [(0, 1), (0, 2), (1, 2)])
def test_a_will_above_it_is_refused(doors, dial, version, most, qos):
    """[MQTT-3.2.2-12]"""
    dial(doors[most], version).connect("at-limit", will=Will("w", b"x", most))
    client = dial(doors[most], version)
    client.connect("above", QOS_NOT_SUPPORTED if version == V5 else NOT_AUTHORIZED_V3,
                   will=Will("w", b"x", qos))
    assert client.expect_closed() == []
    assert doors[most].denied() == 1


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("most", [0, 1])
def test_a_subscribe_asks_for_any_qos_and_is_granted_what_there_is(doors, join, version, unique,
                                                                   most, kept):
    """[MQTT-3.2.2-10]: and no message comes with more."""
    client = join(doors[most], version, **(keep(version) if kept else {}))
    topic = unique()
    filters = [(f"{topic}/{qos}", qos) for qos in (0, 1, 2)]
    client.send(subscribe_packet(7, filters, version))
    assert list(client.await_kind(Kind.SUBACK).codes) == [min(qos, most) for qos in (0, 1, 2)]
    sender = join(doors[2], V5)
    for name, _ in filters:
        sender.publish(name, b"x", 2)
    assert {(m.topic, m.qos) for m in (client.take() for _ in filters)} == {
        (name, min(qos, most)) for name, qos in filters}


def test_a_retained_publish_ends_the_connection_where_nothing_is_retained(start_broker, join,
                                                                          version):
    """[MQTT-3.2.2-14]: of a client that did not listen."""
    broker = start_broker("retain_available false")
    client = join(broker, version)
    client.send(publish_packet("t", b"x", 1, 1, version, retain=True))
    if version == V5:
        client.expect_refusal(RETAIN_NOT_SUPPORTED)
    else:
        client.expect_closed()
    assert broker.counter("denied_publishes") == 1
    assert "retain_available" in broker.log()


def test_a_retained_will_of_3_1_1_is_refused_too(start_broker, dial):
    broker = start_broker("retain_available false")
    client = dial(broker, V311)
    client.connect("c", NOT_AUTHORIZED_V3, will=Will("w", b"x", retain=True))
    assert client.expect_closed() == []
