"""PUBLISH and its acknowledgements: sentences of the specification that no other test is about."""
import pytest

from raw_mqtt import (V5, Kind, Missing, ack_packet, encode_properties, frame, let_quiet,
                      publish_packet, text)

MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID = 0x81, 0x82, 0x90
KEEP = {"session_expiry_interval": 600}


def keep(version):
    return {"clean": False, "properties": KEEP if version == V5 else ()}


def test_a_byte_order_mark_is_a_character_like_others(broker, join, unique, version):
    """[MQTT-1.5.4-3], in 3.1.1 [MQTT-1.5.3-3]: it is neither skipped nor stripped."""
    stem = unique()
    marked = f"{stem}/\ufeffa"
    client = join(broker, version)
    client.subscribe_many([(marked, 0), (f"{stem}/end", 0)])
    client.publish(f"{stem}/a", b"another topic")
    client.publish(marked, b"the same")
    client.publish(f"{stem}/end", b"end")
    got = client.take_until(b"end")
    assert [(m.topic, m.payload) for m in got] == [(marked, b"the same")]


def test_topics_are_compared_as_they_are(broker, join, unique, version):
    """[MQTT-4.7.3-4]: no normal forms, no cases, no spaces taken away."""
    stem = unique()
    names = ["caf\u00e9", "cafe\u0301", "Cafe", "cafe", "cafe ", " cafe", "cafe/", "%63afe",
             "cafe\u200b"]
    topics = [f"{stem}/{name}" for name in names]
    for topic in topics:
        client = join(broker, version)
        client.subscribe_many([(topic, 0), (f"{stem}/end", 0)])
        for each in topics:
            client.publish(each, b"x")
        client.publish(f"{stem}/end", b"end")
        assert [m.topic for m in client.take_until(b"end")] == [topic]
        client.disconnect()


BAD_TEXT = {"no UTF-8": b"\xc3\x28", "a surrogate": b"\xed\xa0\x80", "NUL": b"a\0b"}


@pytest.mark.parametrize("what", BAD_TEXT)
@pytest.mark.parametrize("name", ["content_type", "response_topic", "user key", "user value"])
def test_texts_of_properties_have_to_be_utf8(broker, join, name, what):
    """[MQTT-1.5.7-1] [MQTT-3.3.2-13] [MQTT-3.3.2-19]"""
    bad = BAD_TEXT[what]
    pairs = {"user key": ("user_property", (bad, "v")), "user value": ("user_property", ("k", bad))}
    client = join(broker, V5)
    block = encode_properties([pairs.get(name, (name, bad))])
    client.send(frame(Kind.PUBLISH, text("a") + block + b"x", 0))
    client.expect_refusal(MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID)


@pytest.mark.parametrize("qos", [1, 2])
def test_dup_of_the_publisher_is_not_dup_of_the_subscriber(broker, join, unique, version, qos):
    """[MQTT-3.3.1-3]"""
    topic = unique()
    subscriber = join(broker, version)
    subscriber.subscribe(topic, qos)
    publisher = join(broker, version)
    publisher.send(publish_packet(topic, b"again?", qos, 7, version, dup=True))
    if qos == 2:
        publisher.await_ack(Kind.PUBREC, 7)
        publisher.send(ack_packet(Kind.PUBREL, 7))
    message = subscriber.take()
    assert (message.payload, message.dup) == (b"again?", False)


def test_a_qos1_id_is_free_after_puback(broker, join, unique, version):
    """[MQTT-4.3.2-5]: the same id is a new message, whatever DUP says."""
    topic = unique()
    subscriber = join(broker, version)
    subscriber.subscribe(topic, 1)
    publisher = join(broker, version)
    for dup in False, True, False:
        publisher.send(publish_packet(topic, b"x", 1, 5, version, dup=dup))
        assert publisher.expect(Kind.PUBACK).packet_id == 5
    publisher.publish(topic, b"end", 1)
    assert len(subscriber.take_until(b"end")) == 3


def test_a_message_without_retain_changes_nothing_that_is_retained(broker, join, unique, version):
    """[MQTT-3.3.1-8], in 3.1.1 [MQTT-3.3.1-12]: nor does an empty one."""
    topic = unique()
    publisher = join(broker, version)
    publisher.publish(topic, b"first", 1)
    early = join(broker, version)
    early.subscribe(topic, 1)
    assert let_quiet(early) == []
    publisher.publish(topic, b"state", 1, retain=True)
    publisher.publish(topic, b"", 1)
    publisher.publish(topic, b"other", 1)
    later = join(broker, version)
    later.subscribe(topic, 1)
    assert later.take().payload == b"state"
    assert let_quiet(later) == []


def test_an_empty_retained_message_is_not_kept(broker, join, unique, version):
    """[MQTT-3.3.1-7], in 3.1.1 [MQTT-3.3.1-11]: not even where there was none before."""
    topic = unique()
    join(broker, version).publish(topic, b"", 1, retain=True)
    later = join(broker, version)
    later.subscribe(topic, 1)
    assert let_quiet(later) == []


def test_a_retained_qos0_message_replaces_what_was_there(broker, join, unique, version):
    """[MQTT-3.3.1-7] of 3.1.1."""
    topic = unique()
    publisher = join(broker, version)
    publisher.publish(topic, b"old", 2, retain=True)
    publisher.publish(topic, b"new", 0, retain=True)
    publisher.ping()
    later = join(broker, version)
    later.subscribe(topic, 1)
    assert later.take().payload == b"new"
    assert let_quiet(later) == []


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_a_full_window_holds_up_nothing_but_publishes(broker, join, unique, stored):
    """[MQTT-3.3.4-10] [MQTT-4.9.0-3]"""
    topic = unique()
    properties = {"receive_maximum": 1, **(KEEP if stored else {})}
    client = join(broker, V5, properties=properties)
    client.subscribe(topic, 1)
    publisher = join(broker, V5)
    for number in range(3):
        publisher.publish(topic, str(number), 1)
    held = client.await_kind(Kind.PUBLISH)
    client.ping()
    assert client.subscribe(unique(), 1) == 1
    assert client.publish(unique(), b"x", 1).code in (0, 0x10)
    assert client.publish(unique(), b"x", 2).code == 0
    assert client.unsubscribe(unique()) == [0x11]
    assert not [p for p in client.set_aside if p.kind == Kind.PUBLISH]
    client.acknowledge(held)
    assert [int(client.take().payload) for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_nothing_is_sent_again_on_one_connection(broker, join, unique, version, qos, stored):
    """[MQTT-4.4.0-1]: only a reconnect is a reason."""
    topic = unique()
    client = join(broker, version, **(keep(version) if stored else {}))
    client.subscribe(topic, qos)
    join(broker, version).publish(topic, b"once", qos)
    message = client.await_kind(Kind.PUBLISH)
    with pytest.raises(Missing):
        client.receive(wait=1.2)
    if qos == 2:
        client.send(ack_packet(Kind.PUBREC, message.packet_id))
        client.await_ack(Kind.PUBREL, message.packet_id)
        with pytest.raises(Missing):
            client.receive(wait=1.2)


@pytest.mark.parametrize("qos", [1, 2])
def test_what_a_v5_client_refuses_does_not_come_again(broker, join, unique, qos):
    """[MQTT-4.4.0-2]"""
    topic, name = unique(), unique("c")
    client = join(broker, V5, name, **keep(V5))
    client.subscribe(topic, qos)
    join(broker, V5).publish(topic, b"refused", qos)
    message = client.await_kind(Kind.PUBLISH)
    kind = Kind.PUBACK if qos == 1 else Kind.PUBREC
    client.send(ack_packet(kind, message.packet_id, V5, 0x83))
    client.ping()
    client.close()
    again = join(broker, V5, name, **keep(V5))
    assert again.connack.session_present
    assert let_quiet(again) == []


@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_sent_once_does_not_expire(broker, join, unique, qos):
    """[MQTT-4.3.3-7] [MQTT-4.3.3-13]: the handshake goes on to its end."""
    topic = unique()
    client = join(broker, V5, properties={"session_expiry_interval": 600})
    client.subscribe(topic, qos)
    publisher = join(broker, V5)
    publisher.publish(topic, b"brief", qos, properties={"message_expiry_interval": 1})
    message = client.await_kind(Kind.PUBLISH)
    with pytest.raises(Missing):
        client.receive(wait=1.3)
    client.acknowledge(message)
    publisher.publish(topic, b"end", qos)
    assert client.take_until(b"end") == []


def test_a_qos2_publish_that_expires_before_pubrel_is_answered_to_its_end(broker, join, unique):
    """[MQTT-4.3.3-13] on the publisher's side."""
    topic = unique()
    client = join(broker, V5, properties={"session_expiry_interval": 600})
    client.send(publish_packet(topic, b"brief", 2, 3, properties={"message_expiry_interval": 1}))
    client.await_ack(Kind.PUBREC, 3)
    with pytest.raises(Missing):
        client.receive(wait=1.3)
    client.send(ack_packet(Kind.PUBREL, 3))
    assert client.await_ack(Kind.PUBCOMP, 3).code == 0


def test_a_refused_qos2_publish_frees_its_id(start_broker, join, tmp_path):
    """[MQTT-4.3.3-9]: after a PUBREC of 0x80 or more the id is a new message's."""
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite open/#\n")
    broker = start_broker(f"acl_file {acl}")
    client = join(broker, V5)
    client.subscribe("open/a", 2)
    client.send(publish_packet("closed", b"no", 2, 8))
    assert client.await_ack(Kind.PUBREC, 8).code == 0x87
    client.send(publish_packet("open/a", b"yes", 2, 8))
    assert client.await_ack(Kind.PUBREC, 8).code == 0
    client.send(ack_packet(Kind.PUBREL, 8))
    client.await_ack(Kind.PUBCOMP, 8)
    assert client.take().payload == b"yes"


def test_a_pubrec_for_no_message_is_answered_in_v5(broker, join):
    """A PUBREL with 0x92 says that there is nothing to release."""
    for properties in {}, KEEP:
        client = join(broker, V5, properties=properties)
        client.send(ack_packet(Kind.PUBREC, 1234))
        assert client.await_ack(Kind.PUBREL, 1234).code in (0, 0x92)
        client.ping()


def test_acknowledgements_with_unknown_reasons_are_wrong(broker, join):
    """[MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]"""
    for kind in Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP:
        client = join(broker, V5)
        client.send(ack_packet(kind, 1, V5, 0x7F))
        client.expect_refusal(MALFORMED, PROTOCOL_ERROR)
