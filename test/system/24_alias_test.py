"""Topic aliases towards the client, response information, and the texts of refusals (MQTT 5)."""
import pytest

from raw_mqtt import V5, V311, Kind, ack_packet, frame, subscribe_packet

BROKER_SETTINGS = "max_topic_alias_broker 3\nresponse_information replies/%c/x"


def heard(client):
    """The topic as written, and the alias."""
    message = client.take()
    return message.topic, message.property("topic_alias")


def numbered(broker, join, most, **properties):
    return join(broker, V5, properties={"topic_alias_maximum": most, **properties})


@pytest.mark.parametrize("qos", (0, 1))
def test_the_second_message_of_a_topic_leaves_it_out(broker, join, unique, qos):
    topic = unique()
    client = numbered(broker, join, 5)
    client.subscribe(topic, qos)
    for payload in (b"1", b"2"):
        client.publish(topic, payload, qos)
    first, second = client.take(), client.take()
    assert (first.topic, first.property("topic_alias"), first.payload) == (topic, 1, b"1")
    assert (second.topic, second.property("topic_alias"), second.payload) == ("", 1, b"2")


def test_no_more_topics_are_numbered_than_both_sides_allow(broker, join, unique):
    for client_allows, used in ((2, 2), (9, 3)):
        base = unique()
        client = numbered(broker, join, client_allows)
        client.subscribe(base + "/+")
        for number in (1, 2, 3, 4, 1, 2, 3, 4):
            client.publish(f"{base}/{number}")
        got = [heard(client) for _ in range(8)]
        for number in (1, 2, 3, 4):
            alias = number if number <= used else None
            name = f"{base}/{number}"
            assert got[number - 1] == (name, alias)
            assert got[number + 3] == ("" if alias else name, alias)


def test_who_did_not_ask_gets_no_alias(broker, join, unique):
    topic = unique()
    for client in (join(broker, V5), join(broker, V311)):
        client.subscribe(topic)
        for _ in range(2):
            client.publish(topic)
            message = client.take()
            assert message.topic == topic
        if client.version == V5:
            assert message.property("topic_alias") is None


def test_a_resumed_session_begins_without_aliases(broker, join, dial, unique):
    topic, name = unique(), unique()
    options = {"clean": False, "properties": {"topic_alias_maximum": 5,
                                              "session_expiry_interval": 100}}
    client = join(broker, V5, client_id=name, **options)
    client.subscribe(topic, 1)
    client.publish(topic, b"1", 1)
    unanswered = client.await_kind(Kind.PUBLISH)
    assert (unanswered.topic, unanswered.property("topic_alias")) == (topic, 1)
    client.close()
    again = dial(broker, V5)
    again.connect(name, **options)
    redelivered = again.take()
    assert redelivered.dup and (redelivered.topic, redelivered.payload) == (topic, b"1")


def test_an_alias_does_not_make_a_packet_too_large(broker, join, unique):
    topic = unique()
    probe = join(broker, V5)
    probe.subscribe(topic)
    probe.publish(topic, b"x" * 60)
    size = len(topic) + 60 + 5  # Header, topic length and an empty property block.
    assert probe.take().payload == b"x" * 60
    client = numbered(broker, join, 5, maximum_packet_size=size)
    client.subscribe(topic)
    probe.publish(topic, b"x" * 60)
    assert heard(client) == (topic, None)
    probe.publish(topic, b"x" * 50)
    assert heard(client) == (topic, 1)
    probe.publish(topic, b"x" * 60)
    assert heard(client) == ("", 1)


# ------------------------------------------------------------------ response information


def test_who_asks_is_told_where_replies_may_go(broker, join):
    client = join(broker, V5, properties={"request_response_information": 1})
    assert client.connack.property("response_information") == f"replies/{client.client_id}/x"


def test_who_does_not_ask_is_not_told(broker, join):
    for properties in ({}, {"request_response_information": 0}):
        client = join(broker, V5, properties=properties)
        assert client.connack.property("response_information") is None


def test_an_assigned_id_is_the_one_in_the_response_information(broker, dial):
    client = dial(broker, V5)
    client.connect("", properties={"request_response_information": 1})
    name = client.connack.property("assigned_client_identifier")
    assert name and client.connack.property("response_information") == f"replies/{name}/x"


# -------------------------------------------------------------------------- reason strings


def refused_with(client):
    packet = client.expect(Kind.DISCONNECT)
    client.expect_closed()
    return packet.code, packet.property("reason_string")


def test_a_client_is_told_what_was_wrong(broker, join):
    client = join(broker, V5)
    client.send(frame(Kind.PUBLISH, b"\x00\x03a/+\x00x"))
    assert refused_with(client) == (0x90, "a topic may not be empty nor contain wildcards")


def test_a_text_too_large_for_the_client_is_left_out(broker, join):
    client = join(broker, V5, properties={"maximum_packet_size": 50})
    client.send(frame(Kind.PUBLISH, b"\x00\x03a/+\x00x"))
    assert refused_with(client) == (0x90, None)


def refusals(client, topic):
    """The answers to one refused packet of each kind that has a code for it."""
    answers = [client.publish("$SYS/broker/x", b"x", qos) for qos in (1, 2)]
    client.send(ack_packet(Kind.PUBREC, 77))
    answers.append(client.await_ack(Kind.PUBREL, 77))
    client.send(ack_packet(Kind.PUBREL, 77))
    answers.append(client.await_ack(Kind.PUBCOMP, 77))
    client.send(subscribe_packet(9, [(topic, 1), ("a/" * 200, 1)]))
    answers.append(client.await_kind(Kind.SUBACK))
    return answers


def test_every_refusal_says_why(broker, join, unique):
    client = join(broker, V5)
    assert [answer.property("reason_string") for answer in refusals(client, unique())] == [
        "the topic is the broker's own", "the topic is the broker's own",
        "no message has this packet id", "no message has this packet id",
        "the filter has more levels than max_filter_levels allows, or more than 4096 bytes"]


def test_who_does_not_ask_for_problems_hears_codes_alone(broker, join, unique):
    """Texts only where they are always allowed."""
    client = join(broker, V5, properties={"request_problem_information": 0})
    answers = refusals(client, unique())
    assert [answer.code for answer in answers[:4]] == [0x87, 0x87, 0x92, 0x92]
    assert answers[4].codes == [1, 0x8F]
    assert all(answer.properties == [] for answer in answers)
    client.send(frame(Kind.PUBLISH, b"\x00\x03a/+\x00x"))
    assert refused_with(client) == (0x90, "a topic may not be empty nor contain wildcards")


def test_a_success_is_as_small_as_ever(broker, join, unique):
    client = join(broker, V5)
    topic = unique()
    client.subscribe(topic, 1)
    assert len(client.publish(topic, b"x", 1).raw) == 2
    assert len(client.publish(unique(), b"x", 1).raw) == 3  # Nobody wanted it: 0x10.


def test_who_is_refused_hears_why_and_nothing_that_helps(start_broker, dial):
    broker = start_broker("allow_anonymous false\n")
    for options, refusal in (({"username": "alice", "password": "x"},
                              (0x86, "bad user name or password")),
                             ({}, (0x87, "not authorized"))):
        client = dial(broker, V5)
        client.connect("car1", refusal[0], **options)
        assert client.connack.property("reason_string") == refusal[1]


def test_a_taken_over_client_hears_why(broker, join):
    client = join(broker, V5)
    join(broker, V5, client.client_id)
    assert refused_with(client) == (0x8E, "another connection uses the client id")


def test_a_malformed_connect_is_told_what_was_wrong(broker, dial):
    client = dial(broker, V5)
    client.connect("c", 0x82, properties=[("receive_maximum", 5), ("receive_maximum", 5)])
    assert client.connack.property("reason_string") == "a property stands twice that may stand once"
