"""SUBSCRIBE, UNSUBSCRIBE and their answers: sentences that no other test is about."""
import pytest

from raw_mqtt import (V5, V311, Kind, frame, let_quiet, publish_packet, subscribe_packet,
                      unsubscribe_packet)

MALFORMED, PROTOCOL_ERROR, FILTER_INVALID = 0x81, 0x82, 0x8F
NO_LOCAL = 0x04


@pytest.mark.parametrize("bad", [b"a\xff", b"\xed\xa0\x80", b"a\0b", b"\xc0\xaf"], ids=repr)
def test_filters_have_to_be_utf8(broker, join, version, bad):
    """[MQTT-3.8.3-1] [MQTT-3.10.3-1] [MQTT-4.7.3-2]"""
    for packet in (subscribe_packet(1, [(bad, 0)], version), unsubscribe_packet(1, [bad], version)):
        client = join(broker, version)
        client.send(packet)
        client.expect_refusal(MALFORMED, FILTER_INVALID)


@pytest.mark.parametrize("flags", [0, 1, 3, 4, 8, 15])
def test_flags_of_subscribe_and_unsubscribe_are_two(broker, join, version, flags):
    """[MQTT-3.8.1-1] [MQTT-3.10.1-1]"""
    for packet in (subscribe_packet(1, [("a", 0)], version), unsubscribe_packet(1, ["a"], version)):
        client = join(broker, version)
        client.send(bytes([packet[0] & 0xF0 | flags]) + packet[1:])
        client.expect_refusal(MALFORMED)


def test_answers_carry_the_id_of_what_they_answer(broker, join, unique, version):
    """[MQTT-3.8.4-2] [MQTT-3.10.4-5] [MQTT-2.2.1-6]"""
    client = join(broker, version)
    for packet_id in 1, 255, 256, 32767, 32768, 65535:
        client.send(subscribe_packet(packet_id, [(unique(), 0)], version))
        assert client.expect(Kind.SUBACK).packet_id == packet_id
        client.send(unsubscribe_packet(packet_id, [unique()], version))
        assert client.expect(Kind.UNSUBACK).packet_id == packet_id


def test_many_filters_are_taken_one_after_the_other(broker, join, unique, version):
    """[MQTT-3.8.4-5]: the same filter twice in one packet is replaced by its second."""
    topic = unique()
    client = join(broker, version)
    assert client.subscribe_many([(topic, 2), (topic, 0)]) == [2, 0]
    client.publish(topic, b"x", 1)
    client.publish(topic, b"end", 1)
    assert [m.qos for m in client.take_until(b"end")] == [0]


def test_codes_stand_in_the_order_of_the_filters(broker, join, unique):
    """[MQTT-3.9.3-1] [MQTT-3.11.3-1]"""
    first, second = unique(), unique()
    client = join(broker, V5)
    assert client.subscribe_many([(second, 2), (first, 0), (unique(), 1)]) == [2, 0, 1]
    assert client.unsubscribe(first, unique(), second, first) == [0, 0x11, 0, 0x11]


def test_unsubscribing_from_nothing_is_answered(broker, join, unique, version):
    """[MQTT-3.10.4-5]"""
    client = join(broker, version)
    client.unsubscribe(unique())
    client.ping()


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_what_was_on_its_way_is_finished_after_unsubscribe(broker, join, unique, version, stored):
    """[MQTT-3.10.4-3], in 3.1.1 [MQTT-3.10.4-3] too."""
    topic = unique()
    options = {"clean": False,
               "properties": {"session_expiry_interval": 600} if version == V5 else ()}
    client = join(broker, version, **(options if stored else {}))
    client.subscribe(topic, 2)
    publisher = join(broker, version)
    publisher.publish(topic, b"begun", 2)
    message = client.await_kind(Kind.PUBLISH)
    client.unsubscribe(topic)
    publisher.publish(topic, b"too late", 2)
    client.acknowledge(message)
    assert let_quiet(client) == []


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_replacing_a_subscription_loses_nothing(broker, join, unique, version, stored):
    """[MQTT-3.8.4-4], in 3.1.1 [MQTT-3.8.4-3]: publishes go on while it is replaced."""
    topic = unique()
    options = {"clean": False,
               "properties": {"session_expiry_interval": 600} if version == V5 else ()}
    client = join(broker, version, **(options if stored else {}))
    client.subscribe(topic, 1)
    publisher = join(broker, version)
    for number in range(60):
        publisher.publish_unanswered(topic, str(number), 1)
        if number % 3 == 0:
            client.send(subscribe_packet(client.next_id(), [(topic, 1 + number % 2)], version))
    for _ in range(60):
        publisher.expect(Kind.PUBACK)
    publisher.publish(topic, b"end", 1)
    assert [int(m.payload) for m in client.take_until(b"end")] == list(range(60))


def test_no_local_is_about_the_client_not_the_connection(broker, join, unique):
    """[MQTT-3.8.3-3]: its other subscriptions and other clients get the message."""
    topic = unique()
    client, other = join(broker, V5), join(broker, V5)
    client.subscribe(topic, 1 | NO_LOCAL)
    other.subscribe(topic, 1 | NO_LOCAL)
    client.publish(topic, b"mine", 1)
    assert other.take().payload == b"mine"
    other.publish(topic, b"yours", 1)
    assert client.take().payload == b"yours"


def test_overlapping_subscriptions_are_one_message_with_all_ids(broker, join, unique):
    """[MQTT-3.3.4-3] [MQTT-3.3.4-4]: of those that have one."""
    stem = unique()
    client = join(broker, V5)
    client.subscribe(f"{stem}/a", 0, {"subscription_identifier": 1})
    client.subscribe(f"{stem}/+", 1, {"subscription_identifier": 268_435_455})
    client.subscribe(f"{stem}/#", 0)
    client.publish(f"{stem}/a", b"x", 2)
    message = client.take()
    assert message.qos == 1
    assert sorted(message.all_properties("subscription_identifier")) == [1, 268_435_455]
    client.publish(f"{stem}/a", b"end", 2)
    assert client.take_until(b"end") == []


def test_a_granted_qos_is_the_most_a_message_has(broker, join, unique, version):
    """[MQTT-3.8.4-8]"""
    stem = unique()
    client = join(broker, version)
    for granted in range(3):
        assert client.subscribe(f"{stem}/{granted}", granted) == granted
    for granted in range(3):
        for sent in range(3):
            client.publish(f"{stem}/{granted}", b"x", sent)
            assert client.take().qos == min(granted, sent)


def test_v311_suback_has_no_other_codes_than_its_own(broker, join, unique):
    """[MQTT-3.9.3-2] of 3.1.1: 0, 1, 2 and 0x80."""
    client = join(broker, V311)
    too_long = "x" * 5000  # MQTT 5 has 0x8f for what is more than is served.
    filters = [(unique(), 0), (unique(), 1), (unique(), 2), (too_long, 0)]
    assert client.subscribe_many(filters) == [0, 1, 2, 0x80]


def test_a_message_from_before_the_subscription_does_not_come(broker, join, unique, version):
    """[MQTT-4.5.0-1] names those that have subscribed."""
    topic = unique()
    publisher = join(broker, version)
    publisher.publish(topic, b"before", 1)
    client = join(broker, version)
    client.subscribe(topic, 1)
    publisher.publish(topic, b"end", 1)
    assert client.take_until(b"end") == []


def test_only_its_own_packets_may_come_from_a_client(broker, join, version):
    """[MQTT-4.13.1-1], in 3.1.1 [MQTT-4.8.0-1]: what a server sends, and what does not exist."""
    for packet in (frame(Kind.CONNACK, b"\0\0"), frame(Kind.SUBACK, b"\0\1\0"),
                   frame(Kind.UNSUBACK, b"\0\1"), frame(Kind.PINGRESP), frame(0, b""),
                   frame(Kind.AUTH, b"")):
        client = join(broker, version)
        client.send(packet + publish_packet("a", b"x", version=version))
        client.expect_refusal(MALFORMED, PROTOCOL_ERROR)
