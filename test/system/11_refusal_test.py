"""What is not there is refused by name; what is broken is closed, and nobody else notices."""
import struct

import pytest

from raw_mqtt import (V5, V311, Client, Kind, Will, ack_packet, connect_packet,
                      encode_properties, frame, publish_packet, subscribe_packet, text, varint)
from narud_server import wait_until

BROKER_SETTINGS = "max_packet_size 20000"
MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID = 0x81, 0x82, 0x90


@pytest.fixture
def bystander(broker, join, unique, version):
    """Somebody else, who has to get a message before and after."""
    client = join(broker, version)
    topic = unique()
    client.subscribe(topic, 1)
    client.publish(topic, b"before", 1)
    assert client.take().payload == b"before"
    yield client
    client.publish(topic, b"after", 1)
    assert client.take().payload == b"after"


# ------------------------------------------------------------ what is not there


def test_enhanced_authentication_is_refused(broker, dial):
    client = dial(broker, V5)
    client.connect("c", 0x8C, properties={"authentication_method": "SCRAM-SHA-256",
                                          "authentication_data": b"n,,n=a"})
    client.expect_closed()


def test_an_auth_packet_is_a_protocol_error(broker, join):
    client = join(broker, V5)
    client.send(frame(Kind.AUTH, b"\x19\x00"))
    client.expect_refusal(PROTOCOL_ERROR)


def test_authentication_data_without_a_method_is_a_protocol_error(broker, dial):
    client = dial(broker, V5)
    client.connect("c", PROTOCOL_ERROR, properties={"authentication_data": b"x"})


def test_a_refused_filter_does_not_spoil_the_others(broker, join, unique):
    topic = unique()
    client = join(broker, V5)
    assert client.subscribe_many([(topic, 1), ("too/deep" * 200, 1)]) == [1, 0x8F]
    client.publish(topic, b"x", 1)
    assert client.take().payload == b"x"


# ---------------------------------------------------------------- topic aliases


def alias(number):
    return {"topic_alias": number}


def test_a_topic_alias_stands_for_its_topic(broker, join, unique):
    first, second = unique(), unique()
    client = join(broker, V5)
    most = client.connack.property("topic_alias_maximum")
    assert most == 10
    watcher = join(broker, V5)
    watcher.subscribe_many([(first, 1), (second, 1)])
    for topic, payload in ((first, b"1"), ("", b"2"), (second, b"3"), ("", b"4")):
        client.publish(topic, payload, 1, properties=alias(most))
    got = [watcher.take() for _ in range(4)]
    assert [(m.topic, m.payload) for m in got] == \
        [(first, b"1"), (first, b"2"), (second, b"3"), (second, b"4")]
    assert all(m.property("topic_alias") is None for m in got)


def test_a_topic_alias_beyond_the_maximum_is_refused(broker, join, unique):
    client = join(broker, V5)
    most = client.connack.property("topic_alias_maximum", 0)
    client.send(publish_packet(unique(), b"x", properties=alias(most + 1)))
    client.expect_refusal(0x94)


def test_topic_alias_zero_is_refused(broker, join, unique):
    client = join(broker, V5)
    client.send(publish_packet(unique(), b"x", properties=alias(0)))
    client.expect_refusal(0x94, PROTOCOL_ERROR)


def test_an_alias_never_set_is_a_protocol_error(broker, join):
    client = join(broker, V5)
    client.send(publish_packet("", b"x", properties=alias(1)))
    client.expect_refusal(PROTOCOL_ERROR)


def test_aliases_end_with_their_connection(broker, join, dial, unique):
    client = join(broker, V5)
    client.publish(unique(), b"x", 1, properties=alias(1))
    client.disconnect()
    again = dial(broker, V5)
    again.connect(client.client_id)
    again.send(publish_packet("", b"x", properties=alias(1)))
    again.expect_refusal(PROTOCOL_ERROR)


# ----------------------------------------------------------------- packet sizes


def test_a_packet_too_large_is_refused(broker, join, bystander, version):
    client = join(broker, version)
    if version == V5:
        assert client.connack.property("maximum_packet_size") == 20000
    client.send(publish_packet("a", b"x" * 20001, version=version))
    client.expect_refusal(0x95)


def test_the_announced_size_alone_is_enough_to_refuse(broker, join, bystander, version):
    client = join(broker, version)
    client.send(b"\x30" + varint(268435455))
    client.expect_refusal(0x95)


def test_a_packet_of_exactly_the_limit_is_fine(broker, join, unique, version):
    client = join(broker, version)
    topic = unique()
    room = 20000 - len(publish_packet(topic, b"", 1, 1, version)) - 2
    client.publish(topic, b"x" * room, 1)
    client.ping()


def test_a_connect_too_large_is_answered_where_there_is_a_word(start_broker, dial, version):
    broker = start_broker(BROKER_SETTINGS)
    client = dial(broker, version)
    client.send(connect_packet("c", version, will=Will("w", b"x" * 20001)))
    said = [(p.kind, p.code) for p in client.expect_closed()]
    assert said == ([(Kind.CONNACK, 0x95)] if version == V5 else [])
    wait_until(lambda: "max_packet_size" in broker.log(), what="a line in the log")
    (line,) = [line for line in broker.log().splitlines() if " denied " in line]
    assert "packet_too_large in connect" in line and "127.0.0.1" in line
    assert broker.counter("protocol_errors") == 1


# -------------------------------------------------------------- what the log says


def lines_of(broker, client):
    """What the log says of what it did wrong."""
    return [line for line in broker.log().splitlines()
            if " denied " in line and f"client={client.client_id} " in line]


def test_the_log_says_what_broke_the_protocol(broker, join, version):
    client = join(broker, version)
    client.send(publish_packet("a/#", version=version))
    client.expect_closed()
    wait_until(lambda: lines_of(broker, client), what="a line in the log")
    (line,) = lines_of(broker, client)
    assert "what=protocol" in line and "127.0.0.1" in line
    assert "topic_name_invalid in publish: a topic may not be empty nor contain wildcards" in line


def test_the_log_is_quiet_about_who_leaves_or_is_taken_over(broker, join, version):
    leaving = join(broker, version)
    leaving.disconnect()
    old = join(broker, version)
    new = join(broker, version, old.client_id)
    old.expect_closed()
    broken = join(broker, version)
    broken.send(b"\x00\x00")
    broken.expect_closed()
    wait_until(lambda: lines_of(broker, broken), what="a line of a later client")
    assert lines_of(broker, leaving) == lines_of(broker, new) == []


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_client_gets_nothing_larger_than_it_takes(broker, join, unique, qos, stored):
    topic = unique()
    properties = {"maximum_packet_size": 200, "receive_maximum": 1}
    if stored:
        properties["session_expiry_interval"] = 600
    client = join(broker, V5, properties=properties)
    client.subscribe(topic, 2)
    dropped = broker.counter("dropped_too_large")
    publisher = join(broker, V5)
    publisher.publish(topic, b"x" * 1000, qos)
    publisher.publish(topic, b"fits", qos)
    assert client.take().payload == b"fits"
    wait_until(lambda: broker.counter("dropped_too_large") > dropped, what="a counted drop")


# ------------------------------------------------------------------ broken bytes


def publish_body(body, flags=0):
    return frame(Kind.PUBLISH, body, flags)


def properties_if(version):
    return b"\0" if version == V5 else b""


# name: (how to make the packet for a version, the reason codes that fit)
BROKEN = {
    "type 0": (lambda v: b"\x00\x00", [MALFORMED, PROTOCOL_ERROR]),
    "remaining length of five bytes": (lambda v: b"\x30\xff\xff\xff\xff\x01", [MALFORMED]),
    "publish QoS 3": (lambda v: publish_body(text("a") + b"\0\1" + properties_if(v), 6),
                      [MALFORMED]),
    "publish with packet id 0": (lambda v: publish_packet("a", b"", 1, 0, v),
                                 [MALFORMED, PROTOCOL_ERROR]),
    "publish QoS 0 with DUP": (lambda v: publish_packet("a", b"", version=v, dup=True),
                               [MALFORMED, PROTOCOL_ERROR]),
    "publish to a wildcard": (lambda v: publish_packet("a/+", version=v),
                              [MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID]),
    "publish without a topic": (lambda v: publish_packet("", version=v),
                                [MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID]),
    "publish with NUL in the topic": (lambda v: publish_packet("a\0b", version=v),
                                      [MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID]),
    "publish with bad UTF-8": (lambda v: publish_packet(b"a\xff", version=v),
                               [MALFORMED, TOPIC_INVALID]),
    "publish with a surrogate": (lambda v: publish_packet(b"a\xed\xa0\x80", version=v),
                                 [MALFORMED, TOPIC_INVALID]),
    "publish cut in its topic": (lambda v: publish_body(b"\0\5ab"), [MALFORMED]),
    "publish cut in its packet id": (lambda v: publish_body(text("a") + b"\0", 2), [MALFORMED]),
    "subscribe with wrong flags": (lambda v: frame(
        Kind.SUBSCRIBE, subscribe_packet(1, [("a", 0)], v)[2:], 0), [MALFORMED]),
    "subscribe with packet id 0": (lambda v: subscribe_packet(0, [("a", 0)], v),
                                   [MALFORMED, PROTOCOL_ERROR]),
    "subscribe cut in its filter": (lambda v: frame(
        Kind.SUBSCRIBE, b"\0\1" + properties_if(v) + b"\0\5a"), [MALFORMED]),
    "pubrel with wrong flags": (lambda v: frame(Kind.PUBREL, b"\0\1", 0), [MALFORMED]),
    "pingreq with a body": (lambda v: frame(Kind.PINGREQ, b"x"), [MALFORMED]),
    "pingreq with flags": (lambda v: frame(Kind.PINGREQ, b"", 1), [MALFORMED]),
    "puback cut": (lambda v: frame(Kind.PUBACK, b"\0"), [MALFORMED]),
    "puback with packet id 0": (lambda v: ack_packet(Kind.PUBACK, 0, v),
                                [MALFORMED, PROTOCOL_ERROR]),
    "connack from a client": (lambda v: frame(Kind.CONNACK, b"\0\0" + properties_if(v)),
                              [MALFORMED, PROTOCOL_ERROR]),
    "suback from a client": (lambda v: frame(Kind.SUBACK, b"\0\1" + properties_if(v) + b"\0"),
                             [MALFORMED, PROTOCOL_ERROR]),
    "pingresp from a client": (lambda v: frame(Kind.PINGRESP), [MALFORMED, PROTOCOL_ERROR]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_packet_ends_its_connection_only(broker, join, bystander, version, name):
    make, codes = BROKEN[name]
    client = join(broker, version)
    client.send(make(version))
    client.expect_refusal(*codes)


def user_property_cut():
    return b"\x05\x26\x00\x09ab"


BROKEN_PROPERTIES = {
    "length beyond the packet": (b"\x40", [MALFORMED]),
    "length of five bytes": (b"\xff\xff\xff\xff\x01", [MALFORMED]),
    "an unknown property": (b"\x02\x7e\x00", [MALFORMED, PROTOCOL_ERROR]),
    "a property of CONNECT": (b"\x03\x21\x00\x05", [MALFORMED]),
    "a property twice": (encode_properties([("content_type", "a"), ("content_type", "b")]),
                         [PROTOCOL_ERROR]),
    "a property cut": (user_property_cut(), [MALFORMED]),
    "payload format 2": (encode_properties({"payload_format_indicator": 2}),
                         [MALFORMED, PROTOCOL_ERROR]),
    "a response topic with a wildcard": (encode_properties({"response_topic": "a/#"}),
                                         [MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID]),
    "a subscription identifier": (encode_properties({"subscription_identifier": 1}),
                                  [MALFORMED, PROTOCOL_ERROR]),
}


@pytest.mark.parametrize("name", BROKEN_PROPERTIES)
def test_broken_properties_end_the_connection(broker, join, name):
    block, codes = BROKEN_PROPERTIES[name]
    client = join(broker, V5)
    client.send(publish_body(text("a") + block))
    client.expect_refusal(*codes)


def connect_with(version, flags, payload):
    head = text("MQTT") + bytes([version, flags]) + struct.pack(">H", 60) + properties_if(version)
    return frame(Kind.CONNECT, head + payload)


BROKEN_CONNECTS = {
    "reserved flag": lambda v: connect_with(v, 0x03, text("c")),
    "will QoS 3": lambda v: connect_with(
        v, 0x1E, text("c") + properties_if(v) + text("w") + text("x")),
    "will QoS without a will": lambda v: connect_with(v, 0x0A, text("c")),
    "will retain without a will": lambda v: connect_with(v, 0x22, text("c")),
    "cut in the client id": lambda v: connect_with(v, 0x02, b"\0\5ab"),
    "user name missing": lambda v: connect_with(v, 0x82, text("c")),
    "bytes behind the end": lambda v: connect_with(v, 0x02, text("c") + b"x"),
    "NUL in the client id": lambda v: connect_packet("a\0b", v),
    "wrong flags": lambda v: b"\x11" + connect_packet("c", v)[1:],
    "wildcard in the will topic": lambda v: connect_packet("c", v, will=Will("#")),
}


# Malformed, protocol error, and what has a code of its own: version, client id, topic.
BROKEN_CODES = (MALFORMED, PROTOCOL_ERROR, 0x84, 0x85, TOPIC_INVALID)


@pytest.mark.parametrize("name", BROKEN_CONNECTS)
def test_a_broken_connect_is_refused(broker, dial, bystander, version, name):
    client = dial(broker, version)
    client.send(BROKEN_CONNECTS[name](version))
    packets = client.expect_closed()
    assert all(p.kind in (Kind.CONNACK, Kind.DISCONNECT) and p.code for p in packets)
    if version == V5:  # Broken, not merely more than this broker offers.
        assert all(p.code in BROKEN_CODES for p in packets)


def test_v311_password_without_user_name_is_refused(broker, dial):
    client = dial(broker, V311)
    client.send(connect_packet("c", V311, password="x"))
    assert all(p.code for p in client.expect_closed())


@pytest.mark.parametrize("properties, code", [
    ([("receive_maximum", 0)], PROTOCOL_ERROR),
    ([("maximum_packet_size", 0)], PROTOCOL_ERROR),
    ([("receive_maximum", 1), ("receive_maximum", 2)], PROTOCOL_ERROR),
    ([("request_problem_information", 2)], PROTOCOL_ERROR),
    ([("content_type", "x")], MALFORMED),
    ([("topic_alias", 1)], MALFORMED),
], ids=str)
def test_broken_connect_properties_are_refused(broker, dial, properties, code):
    """A property in the wrong packet is malformed (2.2.2.2), one that stands twice is not."""
    client = dial(broker, V5)
    client.connect("c", code, properties=properties)
    assert client.expect_closed() == []


def test_a_property_of_connect_makes_a_subscribe_malformed(broker, join):
    client = join(broker, V5)
    client.send(subscribe_packet(1, [("a", 0)], properties={"receive_maximum": 5}))
    client.expect_refusal(MALFORMED)


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\nHost: naru\r\n\r\n", b"\x16\x03\x01\x02\x00",
                                   b"\xff" * 64, b"\x10\xff\xff\xff\x7f"], ids=repr)
def test_noise_is_closed(broker, dial, bystander, version, noise):
    client = dial(broker, version)
    client.socket.sendall(noise)
    client.socket.settimeout(3)
    data = b"x"
    while data:
        try:
            data = client.socket.recv(4096)
        except ConnectionError:
            break


def test_the_last_words_reach_a_client_that_is_still_sending(broker, join, version):
    """A close with input unread would reset the connection, and sending would fail."""
    client = join(broker, version)
    client.socket.sendall(b"\x00\x00" + bytes(8_000_000))
    if version == V5:
        assert client.expect(Kind.DISCONNECT).code == MALFORMED
    assert client.socket.recv(1) == b""


def test_a_hundred_broken_connections_leave_nothing_behind(broker, join, version):
    join(broker, version).ping()
    before = broker.open_files()
    for _ in range(100):
        client = Client(broker.port, version)
        client.connect("")
        client.send(b"\x00\x00")
        client.expect_closed()
        client.close()
    wait_until(lambda: broker.open_files() <= before + 2, what="closed sockets")
