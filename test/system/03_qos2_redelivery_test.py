"""QoS 2 once and only once, resending with DUP and the same id, and windows in both directions."""
import pytest

from raw_mqtt import V5, V311, Kind, Missing, ack_packet, keep, publish_packet, reconnect

pytestmark = [pytest.mark.core, pytest.mark.threads]

EXPIRY = {"session_expiry_interval": 600}


def test_a_qos2_publish_sent_twice_is_delivered_once(broker, join, unique, version):
    topic = unique()
    subscriber = join(broker, version)
    subscriber.subscribe(topic, 2)
    publisher = join(broker, version)
    publisher.send(publish_packet(topic, b"once", 2, 7, version))
    assert publisher.expect(Kind.PUBREC).packet_id == 7
    publisher.send(publish_packet(topic, b"once", 2, 7, version, dup=True))
    assert publisher.expect(Kind.PUBREC).packet_id == 7
    publisher.send(ack_packet(Kind.PUBREL, 7))
    assert publisher.expect(Kind.PUBCOMP).packet_id == 7
    publisher.publish(topic, b"end", 2)
    assert [m.payload for m in subscriber.take_until(b"end")] == [b"once"]


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_each_qos2_publish_is_answered_however_fast_it_comes_again(broker, join, unique, version,
                                                                   stored):
    topic = unique()
    subscriber = join(broker, version)
    subscriber.subscribe(topic, 2)
    publisher = join(broker, version, **(keep(version) if stored else {}))
    publisher.send(publish_packet(topic, b"once", 2, 7, version)
                   + publish_packet(topic, b"once", 2, 7, version, dup=True) * 2)
    assert [publisher.expect(Kind.PUBREC).packet_id for _ in range(3)] == [7, 7, 7]
    publisher.send(ack_packet(Kind.PUBREL, 7))
    publisher.expect(Kind.PUBCOMP)
    publisher.publish(topic, b"end", 2)
    assert [m.payload for m in subscriber.take_until(b"end")] == [b"once"]


@pytest.mark.parametrize("crash", [False, True], ids=["reconnect", "kill9"])
def test_a_qos2_publish_resent_after_a_break_is_delivered_once(own_broker, join, dial, version,
                                                               crash):
    subscriber = join(own_broker, version, "sub", **keep(version))
    subscriber.subscribe("a", 2)
    subscriber.disconnect()
    publisher = join(own_broker, version, "pub", **keep(version))
    publisher.send(publish_packet("a", b"once", 2, 9, version))
    publisher.expect(Kind.PUBREC)
    publisher.close()
    if crash:
        own_broker.crash_and_restart()
    publisher = reconnect(own_broker, dial, version, "pub")
    publisher.send(publish_packet("a", b"once", 2, 9, version, dup=True))
    assert publisher.await_ack(Kind.PUBREC, 9).code in (0, 0x10)
    publisher.send(ack_packet(Kind.PUBREL, 9))
    publisher.await_ack(Kind.PUBCOMP, 9)
    publisher.publish("a", b"end", 2)
    subscriber = reconnect(own_broker, dial, version, "sub")
    assert [m.payload for m in subscriber.take_until(b"end")] == [b"once"]


@pytest.mark.parametrize("crash", [False, True], ids=["reconnect", "kill9"])
def test_a_pubrel_sent_again_is_answered_and_releases_once(own_broker, join, dial, version, crash):
    subscriber = join(own_broker, version, "sub", **keep(version))
    subscriber.subscribe("a", 2)
    subscriber.disconnect()
    publisher = join(own_broker, version, "pub", **keep(version))
    publisher.publish("a", b"once", 2)
    packet_id = publisher.last_id
    publisher.close()
    if crash:
        own_broker.crash_and_restart()
    publisher = reconnect(own_broker, dial, version, "pub")
    publisher.send(ack_packet(Kind.PUBREL, packet_id))
    assert publisher.await_ack(Kind.PUBCOMP, packet_id).code in (0, 0x92)
    publisher.last_id = 100
    publisher.publish("a", b"end", 2)
    subscriber = reconnect(own_broker, dial, version, "sub")
    assert [m.payload for m in subscriber.take_until(b"end")] == [b"once"]


def test_a_freed_qos2_id_is_a_new_message(broker, join, unique, version):
    topic = unique()
    subscriber = join(broker, version)
    subscriber.subscribe(topic, 2)
    publisher = join(broker, version)
    for payload in b"first", b"second":
        publisher.last_id = 20
        publisher.publish(topic, payload, 2)
    assert [subscriber.take().payload for _ in range(2)] == [b"first", b"second"]


def test_an_unknown_pubrel_is_answered(broker, join, version):
    client = join(broker, version)
    client.send(ack_packet(Kind.PUBREL, 77))
    answer = client.await_ack(Kind.PUBCOMP, 77)
    assert answer.code in ((0x92, 0) if version == V5 else (0,))


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("ending", ["close", "restart", "kill9"])
def test_unacknowledged_messages_come_again_with_the_same_ids(own_broker, join, dial, version, qos,
                                                              ending):
    subscriber = join(own_broker, version, "sub", **keep(version))
    subscriber.subscribe("a", qos)
    publisher = join(own_broker, version)
    for number in range(3):
        publisher.publish("a", str(number), qos)
    first = [subscriber.expect(Kind.PUBLISH) for _ in range(3)]
    assert len({m.packet_id for m in first}) == 3
    assert not any(m.dup for m in first)
    if ending == "close":
        subscriber.close()
    elif ending == "restart":
        own_broker.restart()
    else:
        own_broker.crash_and_restart()
    again = reconnect(own_broker, dial, version, "sub")
    assert again.connack.session_present
    second = [again.await_kind(Kind.PUBLISH) for _ in range(3)]
    assert [(m.packet_id, m.payload) for m in second] == [(m.packet_id, m.payload) for m in first]
    if ending == "close":
        assert all(m.dup for m in second)
    for message in second:
        again.acknowledge(message)
    publisher = publisher if ending == "close" else join(own_broker, version)
    publisher.publish("a", b"end", qos)
    assert again.take_until(b"end") == []


def test_acknowledged_messages_do_not_come_again(own_broker, join, dial, version):
    subscriber = join(own_broker, version, "sub", **keep(version))
    subscriber.subscribe("a", 1)
    publisher = join(own_broker, version)
    for number in range(5):
        publisher.publish("a", str(number), 1)
    messages = [subscriber.expect(Kind.PUBLISH) for _ in range(5)]
    for at in 0, 1, 3:
        subscriber.acknowledge(messages[at])
    subscriber.ping()
    subscriber.close()
    again = reconnect(own_broker, dial, version, "sub")
    publisher.publish("a", b"end", 1)
    assert [m.payload for m in again.take_until(b"end")] == [b"2", b"4"]


def test_after_pubrec_only_the_pubrel_comes_again(own_broker, join, dial, version):
    subscriber = join(own_broker, version, "sub", **keep(version))
    subscriber.subscribe("a", 2)
    join(own_broker, version).publish("a", b"once", 2)
    message = subscriber.expect(Kind.PUBLISH)
    subscriber.send(ack_packet(Kind.PUBREC, message.packet_id))
    subscriber.await_ack(Kind.PUBREL, message.packet_id)
    subscriber.close()
    again = reconnect(own_broker, dial, version, "sub")
    first = again.receive()
    assert (first.kind, first.packet_id) == (Kind.PUBREL, message.packet_id)
    again.send(ack_packet(Kind.PUBCOMP, message.packet_id))
    again.ping()
    assert again.set_aside == []


def test_a_v5_client_may_refuse_a_message_and_frees_its_place(broker, join, unique):
    topic = unique()
    subscriber = join(broker, V5, properties={"receive_maximum": 1})
    subscriber.subscribe(topic, 2)
    publisher = join(broker, V5)
    publisher.publish(topic, b"refused", 2)
    publisher.publish(topic, b"next", 2)
    message = subscriber.expect(Kind.PUBLISH)
    subscriber.send(ack_packet(Kind.PUBREC, message.packet_id, V5, 0x80))
    assert subscriber.take().payload == b"next"


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_a_v5_client_gets_no_more_than_its_receive_maximum(broker, join, unique, qos, stored):
    topic = unique()
    properties = {"receive_maximum": 2, **(EXPIRY if stored else {})}
    subscriber = join(broker, V5, properties=properties)
    subscriber.subscribe(topic, 2)
    publisher = join(broker, V5)
    for number in range(6):
        publisher.publish(topic, str(number), qos)
    held = [subscriber.expect(Kind.PUBLISH) for _ in range(2)]
    with pytest.raises(Missing):
        subscriber.receive(wait=0.3)
    subscriber.acknowledge(held[0])
    held.append(subscriber.await_kind(Kind.PUBLISH))
    for message in held[1:]:
        subscriber.acknowledge(message)
    rest = [subscriber.take() for _ in range(3)]
    assert [int(m.payload) for m in held + rest] == list(range(6))


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_qos0_does_not_wait_for_the_window(broker, join, unique, stored):
    topic = unique()
    properties = {"receive_maximum": 1, **(EXPIRY if stored else {})}
    subscriber = join(broker, V5, properties=properties)
    subscriber.subscribe(topic, 1)
    publisher = join(broker, V5)
    publisher.publish(topic, b"one", 1)
    publisher.publish(topic, b"free", 0)
    assert {subscriber.expect(Kind.PUBLISH).payload for _ in range(2)} == {b"one", b"free"}


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_max_inflight_messages_bounds_what_is_sent(start_broker, join, version, stored):
    broker = start_broker("max_inflight_messages 3")
    subscriber = join(broker, version, **(keep(version) if stored else {}))
    subscriber.subscribe("a", 1)
    publisher = join(broker, version)
    for number in range(7):
        publisher.publish("a", str(number), 1)
    held = [subscriber.expect(Kind.PUBLISH) for _ in range(3)]
    with pytest.raises(Missing):
        subscriber.receive(wait=0.3)
    for message in held:
        subscriber.acknowledge(message)
    assert [int(subscriber.take().payload) for _ in range(4)] == [3, 4, 5, 6]


def test_more_than_our_receive_maximum_is_refused(broker, join):
    client = join(broker, V5)
    window = client.connack.property("receive_maximum", 65535)
    assert window < 65535, "acknowledgements that wait for a commit need a bound"
    for packet_id in range(1, window + 1):
        client.send(publish_packet("a", b"x", 2, packet_id))
    for _ in range(window):
        client.expect(Kind.PUBREC)
    client.send(publish_packet("a", b"x", 2, window + 1))
    client.expect_refusal(0x93)


def test_within_our_receive_maximum_the_place_is_free_again_after_pubcomp(broker, join, unique):
    client = join(broker, V5)
    window = min(client.connack.property("receive_maximum", 65535), 500)
    for _ in range(2):
        client.last_id = 0
        for _ in range(window):
            client.publish(unique("a"), b"x", 2)
    client.ping()


def test_a_persistent_session_uses_a_packet_id_again(broker, join, version, unique):
    """As mosquitto_pub does, whose every connection begins with 1."""
    topic, name = unique(), unique("car")
    subscriber = join(broker, version, **keep(version))
    subscriber.subscribe(topic, 2)
    for number in range(3):
        publisher = join(broker, version, name, **keep(version))
        publisher.publish(topic, str(number), 2)
        publisher.disconnect()
    assert [int(subscriber.take().payload) for _ in range(3)] == [0, 1, 2]


def test_a_v311_client_acknowledging_the_unknown_stays_or_is_closed(broker, join):
    """What the text leaves open must at least disturb nobody else."""
    other = join(broker, V311)
    client = join(broker, V311)
    client.send(ack_packet(Kind.PUBACK, 999, V311))
    client.send(ack_packet(Kind.PUBCOMP, 999, V311))
    other.ping()
