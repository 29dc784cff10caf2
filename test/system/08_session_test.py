"""Sessions: what a client finds when it comes back, how long, and what a crash may not take."""
import pytest

from raw_mqtt import V5, V311, Kind, keep, let_quiet
from narud_server import let_pass, wait_until

pytestmark = pytest.mark.core

NEVER = 0xFFFFFFFF
ENDINGS = ["reconnect", "restart", "kill9"]


def back(broker, dial, version, client_id, **options):
    client = dial(broker, version)
    client.client_id = client_id
    client.connect(client_id, **(options or keep(version)))
    return client


def present(broker, dial, version, client_id, **options):
    client = back(broker, dial, version, client_id, **options)
    return client.connack.session_present


def sleep_subscribed(broker, join, version, topic_filter="a", qos=1, **options):
    """A client that subscribed and went to sleep."""
    client = join(broker, version, "sleeper", **(options or keep(version)))
    client.subscribe(topic_filter, qos)
    client.disconnect()


def end(broker, how):
    if how == "restart":
        broker.restart()
    elif how == "kill9":
        broker.crash_and_restart()


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("qos", [1, 2])
def test_a_sleeping_client_finds_what_came_meanwhile(own_broker, join, dial, version, how, qos):
    sleep_subscribed(own_broker, join, version, "a/#", qos)
    publisher = join(own_broker, version)
    for number in range(50):
        publisher.publish(f"a/{number % 4}", str(number), qos)
    end(own_broker, how)
    sleeper = back(own_broker, dial, version, "sleeper")
    assert sleeper.connack.session_present
    got = [sleeper.take() for _ in range(50)]
    assert [int(m.payload) for m in got] == list(range(50))
    assert all(m.qos == qos and not m.retain for m in got)
    assert let_quiet(sleeper) == []


@pytest.mark.parametrize("how", ENDINGS)
def test_what_was_taken_does_not_come_again(own_broker, join, dial, version, how):
    sleep_subscribed(own_broker, join, version)
    publisher = join(own_broker, version)
    for number in range(10):
        publisher.publish("a", str(number), 1)
    sleeper = back(own_broker, dial, version, "sleeper")
    assert [int(sleeper.take().payload) for _ in range(10)] == list(range(10))
    sleeper.disconnect()
    if how != "kill9":  # Acknowledgements may be written late; only losing one may not happen.
        end(own_broker, how)
        assert let_quiet(back(own_broker, dial, version, "sleeper")) == []
    else:
        end(own_broker, how)
        again = let_quiet(back(own_broker, dial, version, "sleeper"))
        assert {int(m.payload) for m in again} <= set(range(10))


@pytest.mark.parametrize("how", ENDINGS)
def test_subscriptions_outlive_the_connection(own_broker, join, dial, version, how):
    client = join(own_broker, version, "sleeper", **keep(version))
    client.subscribe_many([("kept", 1), ("gone", 1), ("changed", 0)])
    client.unsubscribe("gone")
    client.subscribe("changed", 2)
    client.disconnect()
    end(own_broker, how)
    sleeper = back(own_broker, dial, version, "sleeper")
    assert sleeper.connack.session_present
    publisher = join(own_broker, version)
    for topic in "gone", "kept", "changed":
        publisher.publish(topic, topic, 2)
    assert [(sleeper.take().topic) for _ in range(2)] == ["kept", "changed"]


def test_a_session_without_subscriptions_is_present_too(own_broker, join, dial, version):
    join(own_broker, version, "sleeper", **keep(version)).disconnect()
    assert present(own_broker, dial, version, "sleeper")
    own_broker.crash_and_restart()
    assert present(own_broker, dial, version, "sleeper")


def test_qos0_is_not_queued_for_a_sleeper(own_broker, join, dial, version):
    sleep_subscribed(own_broker, join, version)
    publisher = join(own_broker, version)
    publisher.publish("a", b"zero", 0)
    publisher.publish("a", b"one", 1)
    sleeper = back(own_broker, dial, version, "sleeper")
    assert sleeper.take().payload == b"one"


def test_a_downgrade_to_qos0_is_not_queued(own_broker, join, dial, version):
    sleep_subscribed(own_broker, join, version, "a", 0)
    join(own_broker, version).publish("a", b"x", 2)
    assert let_quiet(back(own_broker, dial, version, "sleeper")) == []


@pytest.mark.parametrize("crash", [False, True])
def test_a_clean_start_wipes_the_session(own_broker, join, dial, version, crash):
    sleep_subscribed(own_broker, join, version)
    publisher = join(own_broker, version)
    publisher.publish("a", b"old", 1)
    wiping = back(own_broker, dial, version, "sleeper", clean=True)
    assert not wiping.connack.session_present
    if crash:
        own_broker.crash_and_restart()
        publisher = join(own_broker, version)
    else:
        wiping.disconnect()
    sleeper = back(own_broker, dial, version, "sleeper")
    assert not sleeper.connack.session_present
    publisher.publish("a", b"new", 1)
    assert let_quiet(sleeper) == []


def test_a_clean_session_ends_with_its_connection(own_broker, join, dial, version):
    for end_connection in "disconnect", "close":
        client = join(own_broker, version, "short")
        client.subscribe("a", 1)
        getattr(client, end_connection)()
        wait_until(lambda: own_broker.is_disconnected("short"))
        again = back(own_broker, dial, version, "short")
        assert not again.connack.session_present
        again.disconnect()
        assert present(own_broker, dial, version, "short")


def test_connack_never_claims_a_session_for_a_clean_start(own_broker, join, dial, version):
    join(own_broker, version, "c", **keep(version)).disconnect()
    assert not present(own_broker, dial, version, "c", clean=True)


@pytest.mark.slow
def test_a_v311_session_does_not_expire(own_broker, join, dial):
    sleep_subscribed(own_broker, join, V311)
    join(own_broker, V311).publish("a", b"patient", 1)
    let_pass(1.2)
    own_broker.restart()
    let_pass(1.2)
    assert back(own_broker, dial, V311, "sleeper").take().payload == b"patient"


def gone(broker, client_id):
    return wait_until(lambda: broker.session(client_id) is None, 8, f"the end of {client_id}")


def test_v5_a_session_ends_after_its_interval(own_broker, join, dial):
    sleep_subscribed(own_broker, join, V5, **keep(V5, 1))
    join(own_broker, V5, "second", **keep(V5, 600)).disconnect()
    assert own_broker.session("sleeper") is not None
    gone(own_broker, "sleeper")
    assert not present(own_broker, dial, V5, "sleeper")
    assert present(own_broker, dial, V5, "second")


@pytest.mark.slow
def test_v5_an_interval_counts_from_the_end_of_the_connection(own_broker, join, dial):
    client = join(own_broker, V5, "car", **keep(V5, 1))
    let_pass(1.5)
    client.disconnect()
    assert present(own_broker, dial, V5, "car", **keep(V5, 1))


def test_v5_an_interval_ends_across_a_crash(own_broker, join, dial):
    sleep_subscribed(own_broker, join, V5, **keep(V5, 1))
    own_broker.crash_and_restart()
    gone(own_broker, "sleeper")
    assert not present(own_broker, dial, V5, "sleeper")


@pytest.mark.slow
def test_v5_never_means_never(own_broker, join, dial):
    join(own_broker, V5, "car", **keep(V5, NEVER)).disconnect()
    let_pass(1.2)
    own_broker.crash_and_restart()
    assert present(own_broker, dial, V5, "car")


def test_v5_interval_zero_ends_with_the_connection_even_without_clean_start(own_broker, join, dial):
    join(own_broker, V5, "car", **keep(V5, 0)).disconnect()
    assert not present(own_broker, dial, V5, "car")


def test_v5_disconnect_may_shorten_the_interval(own_broker, join, dial):
    client = join(own_broker, V5, "car", **keep(V5, 600))
    client.disconnect(0, {"session_expiry_interval": 0})
    assert not present(own_broker, dial, V5, "car")


@pytest.mark.slow
def test_v5_disconnect_may_lengthen_the_interval(own_broker, join, dial):
    client = join(own_broker, V5, "car", **keep(V5, 1))
    client.disconnect(0, {"session_expiry_interval": 600})
    let_pass(2)
    own_broker.crash_and_restart()
    assert present(own_broker, dial, V5, "car")


def test_v5_disconnect_may_not_make_a_session_that_had_none(own_broker, join):
    client = join(own_broker, V5, "car", **keep(V5, 0))
    client.send(b"\xe0\x07\x00\x05\x11\x00\x00\x02\x58")
    client.expect_refusal(0x82)
    wait_until(lambda: own_broker.session("car") is None)


def test_v5_clean_start_with_an_interval_keeps_the_new_session(own_broker, join, dial):
    join(own_broker, V5, "car", properties={"session_expiry_interval": 600}).disconnect()
    assert present(own_broker, dial, V5, "car")


def test_a_session_changes_its_version(own_broker, join, dial, version):
    """A car gets new firmware: the same session is asked for in the other version."""
    other = V5 if version == V311 else V311
    sleep_subscribed(own_broker, join, version)
    join(own_broker, version).publish("a", b"queued", 1)
    assert back(own_broker, dial, other, "sleeper").take().payload == b"queued"


@pytest.mark.parametrize("drop,left", [("oldest", [7, 8, 9]), ("newest", [0, 1, 2])])
def test_a_queue_limit_drops_and_counts(start_broker, join, dial, version, drop, left):
    broker = start_broker(f"max_queued_messages 3\nqueue_drop {drop}")
    sleep_subscribed(broker, join, version)
    publisher = join(broker, version)
    for number in range(10):
        publisher.publish("a", str(number), 1)
    wait_until(lambda: broker.counter("dropped_queue_full") == 7, what="7 counted drops")
    got = let_quiet(back(broker, dial, version, "sleeper"))
    assert [int(m.payload) for m in got] == left


def test_a_queue_limit_in_bytes_drops_and_counts(start_broker, join, dial, version):
    broker = start_broker("max_queued_bytes 5000\nqueue_drop oldest")
    sleep_subscribed(broker, join, version)
    publisher = join(broker, version)
    for number in range(10):
        publisher.publish("a", str(number).encode() * 1000, 1)
    wait_until(lambda: broker.counter("dropped_queue_full") >= 5, what="counted drops")
    got = [int(m.payload[:1]) for m in let_quiet(back(broker, dial, version, "sleeper"))]
    assert got == list(range(10))[-len(got):]
    assert 3 <= len(got) <= 5


def test_without_a_limit_ten_thousand_messages_wait(own_broker, join, dial, version):
    sleep_subscribed(own_broker, join, version)
    publisher = join(own_broker, version)
    for base in range(0, 10000, 500):
        publish_block(publisher, base)
    own_broker.crash_and_restart()
    sleeper = back(own_broker, dial, version, "sleeper")
    assert [int(sleeper.take().payload) for _ in range(10000)] == list(range(10000))


def publish_block(publisher, base):
    """500 QoS 1 publishes in one write, as a vehicle out of a tunnel would, within any sane
    Receive Maximum only because their acknowledgements are read along the way."""
    window = min(publisher.connack.property("receive_maximum", 65535), 500)
    for start in range(base, base + 500, window):
        count = min(window, base + 500 - start)
        for number in range(start, start + count):
            publisher.publish_unanswered("a", str(number), 1)
        for _ in range(count):
            publisher.expect(Kind.PUBACK)


@pytest.mark.parametrize("how", ENDINGS)
def test_mosquitto_sub_sleeps_and_wakes(own_broker, tools, version, how):
    options = ["-i", "sleeper", "-c", "-q", "1", "-t", "a"]
    if version == V5:
        options += ["-x", "600"]
    falling_asleep = tools.sub(own_broker, version, *options, "-E")
    falling_asleep.wait_end()
    for number in range(5):
        tools.pub(own_broker, version, "-t", "a", "-q", "1", "-m", str(number))
    end(own_broker, how)
    awake = tools.sub(own_broker, version, *options, "-C", "5")
    assert awake.wait_end() == (0, ["0", "1", "2", "3", "4"])
