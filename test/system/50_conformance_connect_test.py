"""CONNECT, CONNACK and DISCONNECT: sentences of the specification that no other test is about."""
import string
import struct

import pytest

from raw_mqtt import (V5, V311, Closed, Kind, Missing, Will, ack_packet, connect_packet, frame,
                      let_quiet, publish_packet, subscribe_packet, text)

BROKER_SETTINGS = "max_packet_size 20000"
MALFORMED, PROTOCOL_ERROR, PACKET_TOO_LARGE = 0x81, 0x82, 0x95


def connect_with(version, flags, payload):
    head = text("MQTT") + bytes([version, flags]) + struct.pack(">H", 60)
    return frame(Kind.CONNECT, head + (b"\0" if version == V5 else b"") + payload)


def ends_without_success(client):
    """Closed; what was said before is a refusal, and in 3.1.1 nothing at all."""
    packets = client.expect_closed()
    assert all(p.kind == Kind.CONNACK and p.code >= 0x80 for p in packets), packets
    assert not packets or client.version == V5


NONE = b"\0"  # An empty property block of a will.
WRONG_PAYLOADS = {
    "no client id": lambda v: connect_with(v, 0x02, b""),  # [MQTT-3.1.3-3]
    "will promised, not there": lambda v: connect_with(v, 0x06, text("c")),  # [MQTT-3.1.2-9]
    "will without its message": lambda v: connect_with(
        v, 0x06, text("c") + (NONE if v == V5 else b"") + text("w")),
    "will there, not promised": lambda v: connect_with(  # [MQTT-3.1.2-11]
        v, 0x02, text("c") + (NONE if v == V5 else b"") + text("w") + text("x")),
    "user name there, not promised": lambda v: connect_with(v, 0x02, text("c") + text("u")),
    "password promised, not there": lambda v: connect_with(v, 0xC2, text("c") + text("u")),
    "password there, not promised": lambda v: connect_with(
        v, 0x82, text("c") + text("u") + text("p")),
    "client id in no UTF-8": lambda v: connect_packet(b"c\xff", v),
    "user name in no UTF-8": lambda v: connect_packet("c", v, username=b"u\xc0\xaf"),
    "user name with NUL": lambda v: connect_packet("c", v, username=b"u\0"),
    "will topic in no UTF-8": lambda v: connect_packet("c", v, will=Will(b"w\xed\xa0\x80")),
    "will topic empty": lambda v: connect_packet("c", v, will=Will("")),
}


@pytest.mark.parametrize("name", WRONG_PAYLOADS)
def test_a_payload_that_is_not_what_the_flags_say_is_refused(broker, dial, version, name):
    client = dial(broker, version)
    client.send(WRONG_PAYLOADS[name](version))
    ends_without_success(client)


def test_every_letter_and_digit_may_stand_in_a_client_id(broker, join, version):
    """[MQTT-3.1.3-5]: from one to 23 of them."""
    letters = string.digits + string.ascii_letters
    for name in [*letters, letters[:23], letters[23:46], letters[-23:]]:
        join(broker, version, name).ping()


def test_a_password_needs_no_user_name_in_v5(broker, join):
    join(broker, V5, password="x").ping()


def test_passwords_are_bytes(broker, join, version):
    join(broker, version, username="u", password=b"\0\xff\xc0").ping()


def test_nothing_behind_a_refused_connect_is_processed(broker, join, dial, unique, version):
    """[MQTT-3.1.4-6], in 3.1.1 [MQTT-3.1.4-5]."""
    topic = unique()
    watcher = join(broker, version)
    watcher.subscribe(topic, 1)
    client = dial(broker, version)
    refused = connect_packet("c", version, level=9)
    client.send(refused + publish_packet(topic, b"ghost", version=version)
                + publish_packet(topic, b"ghost", 1, 1, version))
    client.expect_closed()
    watcher.publish(topic, b"end", 1)
    assert watcher.take_until(b"end") == []


def test_connack_is_the_first_and_the_only_one(broker, dial, join, version, unique):
    """[MQTT-3.2.0-1] [MQTT-3.2.0-2]"""
    name, topic = unique("c"), unique()
    options = {"clean": False,
               "properties": {"session_expiry_interval": 600} if version == V5 else ()}
    client = join(broker, version, name, **options)
    client.subscribe(topic, 1)
    client.disconnect()
    join(broker, version).publish(topic, b"waits", 1)
    client = dial(broker, version)
    client.send(connect_packet(name, version, **options) + frame(Kind.PINGREQ))
    assert client.receive().kind == Kind.CONNACK
    assert client.take().payload == b"waits"
    client.await_kind(Kind.PINGRESP)
    client.send(connect_packet(name, version, **options))
    assert Kind.CONNACK not in [p.kind for p in client.expect_closed()]


def test_connack_flags_hold_the_session_alone(broker, join, dial, unique, version):
    """[MQTT-3.2.2-1] [MQTT-3.2.2-6], in 3.1.1 [MQTT-3.2.2-4]: and no session where it refuses."""
    name = unique("c")
    options = {"clean": False,
               "properties": {"session_expiry_interval": 600} if version == V5 else ()}
    assert join(broker, version, name, username="a", **options).connack.raw[0] == 0
    assert join(broker, version, name, username="a", **options).connack.raw[0] == 1
    stranger = dial(broker, version)
    refused = stranger.connect(name, 0x87 if version == V5 else 5, username="b", **options)
    assert refused.raw[0] == 0
    assert stranger.expect_closed() == []


def test_a_will_that_is_not_retained_is_not_kept(broker, join, unique, version):
    """[MQTT-3.1.2-14], in 3.1.1 [MQTT-3.1.2-16]."""
    topic = unique()
    watcher = join(broker, version)
    watcher.subscribe(topic, 1)
    join(broker, version, will=Will(topic, b"gone", 1)).close()
    assert watcher.take().payload == b"gone"
    later = join(broker, version)
    later.subscribe(topic, 1)
    assert let_quiet(later) == []


def test_without_a_will_nothing_is_published(broker, join, unique, version):
    """[MQTT-3.1.2-12] of 3.1.1."""
    watcher = join(broker, version)
    watcher.subscribe("#", 1)
    join(broker, version, unique("quiet")).close()
    watcher.publish(unique(), b"end", 1)
    assert watcher.take_until(b"end") == []


def test_user_properties_of_a_will_keep_their_order(broker, join, unique):
    """[MQTT-3.1.3-10]"""
    topic = unique()
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    pairs = [("z", "1"), ("a", "2"), ("z", "0"), ("", ""), ("a", "2")]
    join(broker, V5, will=Will(topic, b"gone", 1, properties=[("user_property", pair)
                                                              for pair in pairs])).close()
    assert watcher.take().all_properties("user_property") == pairs


def test_a_retained_will_is_refused_where_nothing_is_retained(start_broker, dial):
    """[MQTT-3.2.2-13]"""
    broker = start_broker("retain_available false")
    client = dial(broker, V5)
    client.connect("c", 0x9A, will=Will("w", b"x", retain=True))
    assert client.expect_closed() == []
    assert dial(broker, V5).connect("c").property("retain_available") == 0


def test_no_answer_is_larger_than_the_client_takes(broker, dial, join, unique):
    """[MQTT-3.1.2-24] for what is not a PUBLISH: where it cannot be said, the connection ends."""
    small = dial(broker, V5)
    small.send(connect_packet("", V5, properties={"maximum_packet_size": 10}))
    assert all(len(p.raw) + 2 <= 10 for p in small.expect_closed())
    client = join(broker, V5, properties={"maximum_packet_size": 40})
    client.send(subscribe_packet(1, [(f"{unique()}/{n}", 0) for n in range(50)]))
    packets = client.expect_closed()
    assert all(len(p.raw) + 2 <= 40 for p in packets)
    assert packets[-1].kind == Kind.DISCONNECT and packets[-1].code == PACKET_TOO_LARGE


def test_an_answer_that_just_fits_is_sent(broker, join, unique):
    client = join(broker, V5, properties={"maximum_packet_size": 40})
    # Header, packet id, property length, and a code each.
    assert client.subscribe_many([(f"{unique()}/{n}", 0) for n in range(35)]) == [0] * 35


def test_no_disconnect_comes_before_connack(broker, dial):
    """[MQTT-3.14.0-1]"""
    for noise in (frame(Kind.DISCONNECT, b"\x00"), publish_packet("a", b"x"), b"\x00\x00",
                  connect_packet("c", V5, properties={"receive_maximum": 0}),
                  connect_packet("c", V5)[:-1] + b"\xff"):
        client = dial(broker, V5)
        client.send(noise)
        assert Kind.DISCONNECT not in [p.kind for p in client.expect_closed()]


def test_a_disconnect_of_the_broker_says_nothing_of_the_session(broker, join):
    """[MQTT-3.14.2-2]"""
    client = join(broker, V5, properties={"session_expiry_interval": 600})
    client.send(publish_packet("a/#"))
    assert client.expect_refusal(0x90).property("session_expiry_interval") is None


def test_a_disconnect_with_flags_or_an_unknown_reason_is_wrong(broker, join):
    """[MQTT-3.14.1-1] [MQTT-3.14.2-1]"""
    for packet, codes in ((frame(Kind.DISCONNECT, b"", 1), (MALFORMED,)),
                          (frame(Kind.DISCONNECT, b"\x03"), (MALFORMED, PROTOCOL_ERROR)),
                          (frame(Kind.DISCONNECT, b"\x00\x01"), (MALFORMED,))):
        client = join(broker, V5)
        client.send(packet)
        client.expect_refusal(*codes)


def test_a_kick_fits_into_what_the_client_takes(broker, join):
    """[MQTT-3.14.2-3]: the text of the operator is left out where it would be too large."""
    client = join(broker, V5, properties={"maximum_packet_size": 30})
    status, answer = broker.api("DELETE", f"/v1/clients/{client.client_id}/connection"
                                          "?reason=a-long-story-about-this-connection")
    assert status == 200, answer
    packets = client.expect_closed()
    assert packets[-1].code == 0x98 and packets[-1].property("reason_string") is None


def test_a_wanted_silence_about_problems_is_kept(broker, join, unique):
    """[MQTT-3.1.2-29]: texts only where they are always allowed."""
    client = join(broker, V5, properties={"request_problem_information": 0})
    client.subscribe(unique(), 1)
    answers = [client.publish(unique(), b"x", 1)]
    client.send(ack_packet(Kind.PUBREL, 77))
    answers.append(client.await_ack(Kind.PUBCOMP, 77))
    client.send(subscribe_packet(9, [("a/#", 0), (f"$share/g/{unique()}", 0)]))
    answers.append(client.await_kind(Kind.SUBACK))
    for answer in answers:
        assert answer.properties == []


def test_a_v311_connack_is_two_bytes_and_no_broker_sends_it_disconnect(broker, join):
    """[MQTT-3.14.1-1] of 3.1.1 has reserved bits too; a DISCONNECT with them is no leave-taking."""
    client = join(broker, V311)
    assert len(client.connack.raw) == 2
    client.send(frame(Kind.DISCONNECT, b"", 2))
    with pytest.raises(Closed):
        client.receive()


def test_the_state_of_a_session_stays_while_it_is_connected(broker, join, version, unique):
    """[MQTT-4.1.0-1]: however short its interval is."""
    topic = unique()
    client = join(broker, version, clean=False,
                  properties={"session_expiry_interval": 1} if version == V5 else ())
    client.subscribe(topic, 1)
    publisher = join(broker, version)
    publisher.publish(topic, b"held", 1)
    held = client.await_kind(Kind.PUBLISH)
    with pytest.raises(Missing):
        client.receive(wait=1.6)
    client.acknowledge(held)
    publisher.publish(topic, b"end", 1)
    assert client.take_until(b"end") == []
