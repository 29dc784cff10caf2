"""Delayed publishes: $delayed/SECONDS/TOPIC goes to TOPIC that much later, once, whatever dies."""
import json
import time

import pytest
import paho.mqtt.client as paho

from narud_server import let_pass, naru_binary, wait_until
from raw_mqtt import V5, V311, Kind, Missing, Will, ack_packet, connect_packet, keep, let_quiet
from raw_mqtt import publish_packet, reconnect

pytestmark = pytest.mark.core

TOPIC_NAME_INVALID = 0x90
QUOTA_EXCEEDED = 0x97
NOT_AUTHORIZED = 0x87

# More than a test takes to crash and start again.
LONG = 4


def later(seconds, topic):
    return f"$delayed/{seconds}/{topic}"


@pytest.fixture
def watcher(broker, join, unique, version):
    client = join(broker, version)
    client.topic = unique("later/")
    client.subscribe(client.topic, 2)
    return client


def waiting(broker):
    return broker.status()["delayed_messages"]


def sleeper(broker, join, version, *filters, qos=2):
    client = join(broker, version, "sleeper", **keep(version))
    for each in filters or ("a",):
        client.subscribe(each, qos)
    client.disconnect()


def wake(broker, dial, version):
    return reconnect(broker, dial, version, "sleeper", **keep(version))


# ---------------------------------------------------------------------------- when, and as what


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_it_comes_when_its_time_has_come(broker, join, watcher, version, qos, stored):
    publisher = join(broker, version, **(keep(version) if stored else {}))
    began = time.monotonic()
    answer = publisher.publish(later(1, watcher.topic), b"hello", qos)
    if qos:
        assert answer.code == 0
    assert time.monotonic() - began < 0.9, "the acknowledgement does not wait for the time"
    message = watcher.take(wait=5)
    assert time.monotonic() - began >= 0.95
    assert (message.topic, message.payload, message.qos) == (watcher.topic, b"hello", qos)
    assert not message.retain
    assert let_quiet(watcher) == []
    wait_until(lambda: waiting(broker) == 0)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_no_seconds_is_at_once(broker, join, watcher, version, qos):
    join(broker, version).publish(later(0, watcher.topic), b"now", qos)
    assert watcher.take(wait=0.9).payload == b"now"


def test_the_publisher_need_not_stay(broker, join, watcher, version):
    publisher = join(broker, version)
    publisher.publish(later(1, watcher.topic), b"later", 1)
    publisher.disconnect()
    assert watcher.take(wait=5).payload == b"later"


def test_they_come_in_the_order_of_their_times(broker, join, watcher, version):
    publisher = join(broker, version)
    for seconds, payload in ((2, b"3"), (1, b"1"), (1, b"2")):
        publisher.publish(later(seconds, watcher.topic), payload, 1)
    assert [watcher.take(wait=5).payload for _ in range(3)] == [b"1", b"2", b"3"]


def test_a_retained_one_is_retained_from_its_time_on(broker, join, watcher, version):
    join(broker, version).publish(later(1, watcher.topic), b"state", 1, retain=True)
    early = join(broker, version)
    early.subscribe(watcher.topic, 1)
    assert not early.take(wait=5).retain
    watcher.take(wait=5)
    late = join(broker, version)
    late.subscribe(watcher.topic, 1)
    message = late.take()
    assert (message.payload, message.retain) == (b"state", True)


def test_its_properties_go_along(broker, join, unique):
    topic = unique()
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    properties = [("content_type", "text/plain"), ("response_topic", "r"),
                  ("correlation_data", b"\0\xff"), ("user_property", ("z", "1")),
                  ("user_property", ("a", "2"))]
    join(broker, V5).publish(later(1, topic), b"x", 1, properties=properties)
    assert sorted(map(repr, watcher.take(wait=5).properties)) == sorted(map(repr, properties))


def test_an_alias_may_stand_for_it(broker, join, unique):
    topic = unique()
    watcher = join(broker, V5)
    watcher.subscribe(topic, 1)
    publisher = join(broker, V5)
    publisher.publish(later(1, topic), b"1", 1, properties={"topic_alias": 3})
    publisher.publish("", b"2", 1, properties={"topic_alias": 3})
    assert [watcher.take(wait=5).payload for _ in range(2)] == [b"1", b"2"]


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_no_local_means_its_publisher(broker, join, unique, stored):
    topic = unique()
    publisher = join(broker, V5, **(keep(V5) if stored else {}))
    publisher.subscribe(topic, 1 | 4)  # No local.
    other = join(broker, V5)
    other.subscribe(topic, 1)
    publisher.publish(later(1, topic), b"x", 1)
    assert other.take(wait=5).payload == b"x"
    assert let_quiet(publisher) == []


def test_a_group_gets_it_once(broker, join, unique, version):
    topic = unique()
    members = [join(broker, version) for _ in range(2)]
    for member in members:
        member.subscribe(f"$share/group/{topic}", 1)
    join(broker, version).publish(later(1, topic), b"x", 1)

    def got():
        return sum(len(let_quiet(member)) for member in members)
    assert wait_until(got, 5) == 1
    assert got() == 0


# --------------------------------------------------------------------------------------- expiry


def test_it_expires_counted_from_when_it_came_in(own_broker, join):
    watcher = join(own_broker, V5)
    watcher.subscribe("a", 1)
    publisher = join(own_broker, V5)
    publisher.publish(later(2, "a"), b"gone", 1, properties={"message_expiry_interval": 1})
    publisher.publish(later(2, "a"), b"there", 1, properties={"message_expiry_interval": 100})
    message = watcher.take(wait=6)
    assert message.payload == b"there"
    assert message.property("message_expiry_interval") in (97, 98)
    wait_until(lambda: own_broker.counter("dropped_expired") == 1)
    wait_until(lambda: waiting(own_broker) == 0)
    assert own_broker.counter("delayed_published") == 1


# ---------------------------------------------------------------------------------- kill -9


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_it_survives_the_broker_and_comes_once(start_broker, join, dial, version, qos):
    broker = start_broker("downtime_counts always")
    sleeper(broker, join, version)
    publisher = join(broker, version, "publisher", **keep(version))
    publisher.publish(later(LONG, "a"), b"later", qos)
    publisher.publish("a", b"first", 2)
    if qos == 0:  # What nobody waits for is on disk a moment later.
        publisher.publish("b", b"", 2, retain=True)
        publisher.publish("b", b"x", 2, retain=True)
    broker.crash_and_restart()
    assert waiting(broker) == 1
    awake = wake(broker, dial, version)
    assert awake.take().payload == b"first"
    assert awake.take(wait=LONG + 8).payload == b"later"
    wait_until(lambda: waiting(broker) == 0)
    awake.disconnect()
    if qos == 1:
        broker.restart()  # After kill -9 it might come again: a PUBACK need not be on disk.
    else:
        broker.crash_and_restart()
    assert let_quiet(wake(broker, dial, version)) == []
    assert waiting(broker) == 0


def test_what_became_due_meanwhile_comes_at_once(start_broker, join, dial, version):
    broker = start_broker("downtime_counts always")
    sleeper(broker, join, version)
    join(broker, version).publish(later(2, "a"), b"later", 2)
    broker.kill9()
    let_pass(2.5)
    broker.start()
    assert wake(broker, dial, version).take().payload == b"later"


def test_time_that_the_broker_is_down_need_not_count(start_broker, join, dial):
    broker = start_broker("downtime_counts never")
    sleeper(broker, join, V5)
    join(broker, V5).publish(later(3, "a"), b"later", 2)
    broker.kill9()
    let_pass(3.5)
    broker.start()
    awake = wake(broker, dial, V5)
    with pytest.raises(Missing):
        awake.receive(wait=0.8)
    assert awake.take(wait=8).payload == b"later"


@pytest.mark.parametrize("released", [False, True], ids=["before-pubrel", "after-pubrel"])
def test_qos2_goes_on_where_it_was(start_broker, join, dial, version, released):
    broker = start_broker("downtime_counts always")
    sleeper(broker, join, version)
    publisher = join(broker, version, "publisher", **keep(version))
    packet_id = publisher.publish_unanswered(later(1, "a"), b"later", 2)
    publisher.await_ack(Kind.PUBREC, packet_id)
    if released:
        publisher.send(ack_packet(Kind.PUBREL, packet_id))
        publisher.await_ack(Kind.PUBCOMP, packet_id)
    broker.crash_and_restart()
    awake = wake(broker, dial, version)
    if not released:
        with pytest.raises(Missing):
            awake.receive(wait=1.5)
        again = reconnect(broker, dial, version, "publisher", **keep(version))
        again.send(publish_packet(later(1, "a"), b"later", 2, packet_id, version, dup=True))
        again.await_ack(Kind.PUBREC, packet_id)
        again.send(ack_packet(Kind.PUBREL, packet_id))
        again.await_ack(Kind.PUBCOMP, packet_id)
    assert awake.take(wait=8).payload == b"later"
    assert let_quiet(awake) == []


def test_many_that_are_due_at_once_all_come_in_order(own_broker, join, dial):
    count = 500
    sleeper(own_broker, join, V5)
    publisher = join(own_broker, V5)
    for number in range(count):
        publisher.send(publish_packet(later(3, "a"), str(number), 1, number + 1))
    for _ in range(count):
        assert publisher.expect(Kind.PUBACK).code == 0
    own_broker.crash_and_restart()
    awake = wake(own_broker, dial, V5)
    assert [int(awake.take(wait=10).payload) for _ in range(count)] == list(range(count))
    assert let_quiet(awake) == []


def test_a_rule_puts_it_into_its_stream_when_it_is_due(own_broker, join):
    publisher = join(own_broker, V5, "truck")
    publisher.publish(later(1, "vehicles/truck/telemetry"), b'{"n": 1}', 1)
    publisher.publish("vehicles/truck/telemetry", b'{"n": 2}', 1)
    assert len(own_broker.records("telemetry")) == 1
    records = wait_until(lambda: (r := own_broker.records("telemetry"))[1:] and r, 5)
    assert [json.loads(record["payload"])["n"] for record in records] == [2, 1]
    assert [record["publish"] for record in records] == [2, 1]


# --------------------------------------------------------------------------------- what is refused


WRONG = ["$delayed", "$delayed/5", "$delayed/5/", "$delayed/x/a", "$delayed/-1/a", "$delayed//a",
         "$delayed/1.5/a", "$delayed/4294968/a", "$delayed/1/$delayed/1/a"]


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("topic", WRONG)
def test_a_wrong_delayed_topic_is_refused(broker, join, version, qos, topic):
    watcher = join(broker, version)
    watcher.subscribe("#", 0)
    let_quiet(watcher)  # What is retained.
    client = join(broker, version)
    answer = client.publish(topic, b"x", qos)
    assert answer.code == (TOPIC_NAME_INVALID if version == V5 else 0)
    client.ping()
    assert let_quiet(watcher) == []


def test_the_longest_delay_is_taken(own_broker, join):
    client = join(own_broker, V5)
    assert client.publish(later(4294967, "a"), b"x", 1).code == 0
    assert waiting(own_broker) == 1


@pytest.mark.parametrize("topic", ["$SYS/broker/uptime", "vehicles/x/commands/1",
                                   "vehicles/me/commands/1/reply"])
def test_the_broker_s_own_topics_stay_closed(broker, join, version, topic):
    client = join(broker, version, "me")
    answer = client.publish(later(1, topic), b"{}", 1)
    assert answer.code == (NOT_AUTHORIZED if version == V5 else 0)
    assert waiting(broker) == 0


def test_a_wildcard_in_it_is_one_in_a_topic(broker, join):
    client = join(broker, V5)
    client.send(publish_packet(later(1, "a/+"), b"x", 1, 1))
    client.expect_refusal(TOPIC_NAME_INVALID)


@pytest.mark.parametrize("version", [V311, V5])
def test_a_will_has_a_delay_of_its_own(broker, dial, unique, version):
    client = dial(broker, version)
    client.send(connect_packet(unique(), version, will=Will(later(1, "a"), b"x")))
    packets = client.expect_closed()
    assert [p.code for p in packets if p.kind == Kind.CONNACK] in ([TOPIC_NAME_INVALID], [5], [3])


def test_nothing_is_to_be_had_from_the_delayed_topics_themselves(broker, join, watcher, version):
    """A subscription is taken as one to any other $ topic, and no message ever has such a topic."""
    nosy = join(broker, version)
    assert nosy.subscribe("$delayed/#", 1) == 1
    nosy.subscribe("#", 1)
    let_quiet(nosy)  # What is retained.
    join(broker, version).publish(later(1, watcher.topic), b"x", 1, retain=True)
    assert nosy.take(wait=5).topic == watcher.topic
    assert let_quiet(nosy) == []


def test_the_right_to_write_is_the_real_topic_s(start_broker, join, tmp_path, version):
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite open/#\ntopic write $delayed/#\ntopic readwrite quiet/#\n")
    broker = start_broker(f"acl_file {acl}\nallow_anonymous true")
    watcher = join(broker, version)
    watcher.subscribe("open/a", 1)
    client = join(broker, version)
    assert client.publish(later(1, "open/a"), b"x", 1).code == 0
    answer = client.publish(later(1, "closed/a"), b"x", 1)
    assert answer.code == (NOT_AUTHORIZED if version == V5 else 0)
    assert waiting(broker) == 1
    assert watcher.take(wait=5).payload == b"x"


# ----------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_a_client_may_have_only_so_many(start_broker, join, qos, stored):
    broker = start_broker("max_delayed_messages 2\nshards 1")
    client = join(broker, V5, **(keep(V5) if stored else {}))
    late_refusal = qos == 2 and not stored  # Its PUBREC said yes; PUBCOMP cannot say no.
    for _ in range(2):
        assert client.publish(later(2, "a"), b"x", qos).code == 0
    if late_refusal:
        packet_id = client.publish_unanswered(later(2, "a"), b"x", 2)
        client.await_ack(Kind.PUBREC, packet_id)
        client.send(ack_packet(Kind.PUBREL, packet_id))
        client.expect_refusal(QUOTA_EXCEEDED)
    else:
        assert client.publish(later(2, "a"), b"x", qos).code == QUOTA_EXCEEDED
        client.publish(later(2, "a"), b"x", 0)  # Not taken, counted all the same.
        assert client.publish("a", b"x", qos).code in (0, 0x10)
    other = join(broker, V5)
    assert other.publish(later(2, "a"), b"x", qos).code == 0
    assert broker.counter("refused_delayed") == (1 if late_refusal else 2)
    assert waiting(broker) == 3
    wait_until(lambda: waiting(broker) == 0)
    again = join(broker, V5, client.client_id)
    assert again.publish(later(2, "a"), b"x", qos).code == 0


def test_a_v311_client_beyond_the_limit_is_held(start_broker, join):
    """It cannot be told: without an acknowledgement it ends, within 2 s as the disk has room."""
    broker = start_broker("max_delayed_messages 1")
    client = join(broker, V311)
    client.publish(later(60, "a"), b"x", 1)
    client.publish_unanswered(later(60, "a"), b"x", 1)
    wait_until(lambda: broker.counter("held_clients") == 1)
    client.expect_closed(10)
    assert waiting(broker) == 1


def test_the_limit_holds_over_a_restart(start_broker, join):
    broker = start_broker("max_delayed_messages 1")
    client = join(broker, V5, "car")
    assert client.publish(later(60, "a"), b"x", 1).code == 0
    broker.crash_and_restart()
    client = join(broker, V5, "car")
    assert client.publish(later(60, "a"), b"x", 1).code == QUOTA_EXCEEDED


# ------------------------------------------------------------------------------- clients, operators


def test_mosquitto_pub_and_sub(broker, tools, unique, version):
    topic = unique()
    watcher = tools.sub(broker, version, "-t", topic, "-q", "1", "-C", "1").wait_subscribed()
    tools.pub(broker, version, "-t", later(1, topic), "-m", "hello", "-q", "1")
    assert watcher.wait_end() == (0, ["hello"])


def test_paho(own_broker):
    got = []
    client = paho.Client(client_id="paho", protocol=paho.MQTTv5)
    client.on_message = lambda _client, _data, message: got.append((message.topic,
                                                                    message.payload))
    client.connect("127.0.0.1", own_broker.port)
    client.loop_start()
    try:
        wait_until(client.is_connected)
        client.subscribe("a", 2)
        for qos in (0, 1, 2):
            client.publish(later(1, "a"), str(qos), qos).wait_for_publish(5)
        wait_until(lambda: len(got) == 3)
    finally:
        client.loop_stop()
        client.disconnect()
    assert sorted(got) == [("a", b"0"), ("a", b"1"), ("a", b"2")]


def test_an_operator_sees_them(own_broker, join):
    import subprocess
    publisher = join(own_broker, V5)
    publisher.publish(later(600, "a"), b"x", 1)
    publisher.publish(later(0, "a"), b"x", 1)
    said = subprocess.run([naru_binary(), "--socket", own_broker.api_socket, "status"],
                          capture_output=True, text=True, timeout=30, check=True).stdout
    assert any("delayed" in line and line.split()[-1] == "1" for line in said.splitlines()), said
    metrics = subprocess.run([naru_binary(), "--socket", own_broker.api_socket, "metrics"],
                             capture_output=True, text=True, timeout=30, check=True).stdout
    assert "naru_delayed_messages 1" in metrics
    assert "naru_delayed_published_total 0" in metrics
