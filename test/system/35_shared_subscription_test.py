"""Shared subscriptions: each message of a group goes to one of its members, and to another one when
that member goes before it has it."""
import collections
import threading

import paho.mqtt.client as paho
import pytest

from narud_server import wait_until
from raw_mqtt import V5, Kind, ack_packet, keep, let_quiet, reconnect, subscribe_packet

pytestmark = [pytest.mark.core, pytest.mark.threads]

def no_message(client):
    return [m.payload for m in let_quiet(client)] == []


def drain(client, count):
    return [client.take() for _ in range(count)]


def gather(clients, count):
    """What each has got, when together they have so many messages and nothing more comes."""
    got = {client.client_id: [] for client in clients}

    def listen():
        for client in clients:
            got[client.client_id] += [m.payload for m in let_quiet(client)]
        return len(all_of(got)) >= count

    wait_until(listen, 20, f"{count} messages")
    listen()
    return got


def all_of(got):
    return sorted(payload for payloads in got.values() for payload in payloads)


def numbers(count):
    return [b"%03d" % n for n in range(count)]


# ------------------------------------------------------------------------------ who gets a message


def test_each_message_goes_to_one_member(broker, join, unique, version):
    topic = unique()
    members = [join(broker, version) for _ in range(3)]
    members += [join(broker, version, **keep(version)) for _ in range(2)]
    for member in members:
        assert member.subscribe(f"$share/g/{topic}", 1) == 1
    publisher = join(broker, version)
    for payload in numbers(50):
        publisher.publish(topic, payload, 1)
    got = gather(members, 50)
    assert all_of(got) == numbers(50)
    assert all(len(payloads) == 10 for payloads in got.values()), got


def test_groups_and_plain_subscriptions_each_get_their_own(broker, join, unique, version):
    topic = unique()
    plain, one, other, wide = (join(broker, version, **keep(version)) for _ in range(4))
    plain.subscribe(topic, 1)
    one.subscribe(f"$share/one/{topic}", 1)
    one.subscribe(topic, 1)
    other.subscribe(f"$share/other/{topic}", 1)
    wide.subscribe(f"$share/one/{topic}/#", 1)
    publisher = join(broker, version)
    publisher.publish(topic, b"m", 1)
    got = gather([plain, one, other, wide], 5)
    assert [len(got[client.client_id]) for client in (plain, one, other, wide)] == [1, 2, 1, 1]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_qos_and_identifier_are_the_members_own(broker, join, unique, qos):
    topic = unique()
    member = join(broker)
    assert member.subscribe(f"$share/g/{topic}", qos, {"subscription_identifier": 77}) == qos
    join(broker).publish(topic, b"m", 2, properties=[("user_property", ("k", "v"))])
    message = member.take()
    assert (message.qos, message.payload) == (qos, b"m")
    assert message.property("subscription_identifier") == 77
    assert message.property("user_property") == ("k", "v")
    assert no_message(member)


def test_qos0_messages_go_to_one_connected_member(broker, join, unique, version):
    topic = unique()
    members = [join(broker, version), join(broker, version, **keep(version))]
    away = join(broker, version, **keep(version))
    for member in [*members, away]:
        member.subscribe(f"$share/g/{topic}", 0)
    away.disconnect()
    wait_until(lambda: broker.is_disconnected(away.client_id), what="its end on disk")
    publisher = join(broker, version)
    for payload in numbers(20):
        publisher.publish(topic, payload, 0)
    publisher.ping()
    got = collections.Counter()

    def all_there():
        for member in members:
            got.update(m.payload for m in let_quiet(member))
        return len(got) == 20

    wait_until(all_there, what="twenty messages")
    assert set(got.values()) == {1}


def test_retained_messages_are_not_sent(broker, join, unique, version):
    topic = unique()
    join(broker, version).publish(topic, b"kept", 1, retain=True)
    member = join(broker, version)
    member.subscribe(f"$share/g/{topic}", 1)
    assert no_message(member)


@pytest.mark.parametrize("as_published", [False, True])
def test_retain_as_published_is_the_members_own(broker, join, unique, as_published):
    topic = unique()
    member = join(broker)
    member.subscribe(f"$share/g/{topic}", 1 | (8 if as_published else 0))
    join(broker).publish(topic, b"m", 1, retain=True)
    assert member.take().retain == as_published


@pytest.mark.parametrize("wrong", ["$share//t", "$share/g", "$share/g/", "$share/g+/t",
                                   "$share/#/t", "$share/g/a#"])
def test_a_share_without_group_or_filter_is_refused(broker, join, wrong):
    client = join(broker)
    client.send(subscribe_packet(1, [(wrong, 1)]))
    client.expect_refusal(0x8F)


def test_no_local_is_a_protocol_error(broker, join):
    client = join(broker)
    client.send(subscribe_packet(1, [("$share/g/t", 1 | 4)]))
    client.expect_refusal(0x82)


def test_shared_subscriptions_are_announced(broker, join):
    assert join(broker).connack.property("shared_subscription_available", 1) == 1


def test_who_unsubscribes_gets_nothing_more(broker, join, unique, version):
    topic = unique()
    for options in ({}, keep(version)):
        leaver, stayer = join(broker, version, **options), join(broker, version, **options)
        leaver.subscribe(f"$share/g/{topic}", 1)
        stayer.subscribe(f"$share/g/{topic}", 1)
        assert leaver.unsubscribe(f"$share/g/{topic}") in ([0], [])
        publisher = join(broker, version)
        for payload in numbers(6):
            publisher.publish(topic, payload, 1)
        assert [m.payload for m in drain(stayer, 6)] == numbers(6)
        assert no_message(leaver)
        stayer.unsubscribe(f"$share/g/{topic}")
        publisher.publish(topic, b"nobody", 1)
        assert no_message(stayer)


# ------------------------------------------------------------------------------ members come and go


# A QoS 2 message that was sent belongs to that member, even if its session ends (MQTT-4.8.2-5).
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("kept", [False, True], ids=["clean", "kept"])
def test_what_a_member_leaves_unacknowledged_goes_to_another(broker, join, unique, version, qos,
                                                             kept):
    topic = unique()
    # The session of the kept one ends with its connection all the same, when it is replaced.
    options = keep(version) if kept else {}
    dying = join(broker, version, **options)
    dying.subscribe(f"$share/g/{topic}", qos)
    publisher = join(broker, version)
    for payload in numbers(5):
        publisher.publish(topic, payload, qos)
    held = [dying.await_kind(Kind.PUBLISH) for _ in range(5)]
    assert [m.payload for m in held] == numbers(5)
    heir = join(broker, version)
    heir.subscribe(f"$share/g/{topic}", qos)
    assert no_message(heir)
    dying.acknowledge(held[0])
    dying.ping()
    dying.close()
    if kept:
        join(broker, version, dying.client_id, clean=True)
    inherited = numbers(5)[1:] if qos == 1 else []
    assert sorted(m.payload for m in drain(heir, len(inherited))) == inherited
    assert no_message(heir)


def test_a_qos2_message_whose_pubrec_came_goes_to_nobody_else(broker, join, unique, version):
    topic = unique()
    for options in ({}, keep(version)):
        dying = join(broker, version, **options)
        dying.subscribe(f"$share/g/{topic}", 2)
        heir = join(broker, version)
        join(broker, version).publish(topic, b"once", 2)
        message = dying.await_kind(Kind.PUBLISH)
        heir.subscribe(f"$share/g/{topic}", 2)
        dying.send(ack_packet(Kind.PUBREC, message.packet_id))
        dying.await_ack(Kind.PUBREL, message.packet_id)
        dying.close()
        join(broker, version, dying.client_id, clean=True)
        assert no_message(heir)
        heir.unsubscribe(f"$share/g/{topic}")


def test_a_qos2_message_waits_for_its_member_while_the_session_lives(broker, join, dial, unique,
                                                                     version):
    topic = unique()
    first = join(broker, version, **keep(version))
    first.subscribe(f"$share/g/{topic}", 2)
    join(broker, version).publish(topic, b"mine", 2)
    held = first.await_kind(Kind.PUBLISH)
    other = join(broker, version)
    other.subscribe(f"$share/g/{topic}", 2)
    first.close()
    assert no_message(other)
    first = reconnect(broker, dial, version, first.client_id)
    again = first.await_kind(Kind.PUBLISH)
    assert (again.payload, again.dup, again.packet_id) == (b"mine", True, held.packet_id)
    first.acknowledge(again)
    assert no_message(other)


def test_a_connected_member_is_preferred(broker, join, unique, version):
    topic = unique()
    away = join(broker, version, **keep(version))
    away.subscribe(f"$share/g/{topic}", 1)
    here = join(broker, version)
    here.subscribe(f"$share/g/{topic}", 1)
    away.disconnect()
    publisher = join(broker, version)
    for payload in numbers(10):
        publisher.publish(topic, payload, 1)
    assert sorted(m.payload for m in drain(here, 10)) == numbers(10)


def test_what_nobody_can_take_waits_for_whoever_comes_first(broker, join, dial, unique, version):
    topic = unique()
    kept = [join(broker, version, **keep(version)) for _ in range(2)]
    for member in kept:
        member.subscribe(f"$share/g/{topic}", 1)
        member.disconnect()
    publisher = join(broker, version)
    for payload in numbers(200):
        publisher.publish(topic, payload, 1)
    clean = join(broker, version)
    clean.subscribe(f"$share/g/{topic}", 1)
    assert [m.payload for m in drain(clean, 150)] == numbers(150)
    clean.disconnect()  # Some were on their way to it.
    back = reconnect(broker, dial, version, kept[1].client_id)
    rest = sorted({m.payload for m in drain(back, 50)})
    assert rest == numbers(200)[150:]
    assert no_message(back)


def test_a_slow_member_does_not_hold_up_the_others(broker, join, unique):
    topic = unique()
    slow = join(broker, properties={"receive_maximum": 1})
    slow.subscribe(f"$share/g/{topic}", 1)
    quick = join(broker)
    quick.subscribe(f"$share/g/{topic}", 1)
    publisher = join(broker)
    for payload in numbers(30):
        publisher.publish(topic, payload, 1)
    one = slow.await_kind(Kind.PUBLISH)
    assert sorted([one.payload] + [m.payload for m in drain(quick, 29)]) == numbers(30)
    slow.acknowledge(one)


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("burst", [False, True], ids=["one by one", "burst"])
@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_what_one_member_cannot_take_another_gets(broker, join, unique, stored, burst, qos):
    topic = unique()
    kept = {"session_expiry_interval": 60} if stored else {}
    small = join(broker, properties={"maximum_packet_size": 60, **kept})
    small.subscribe(f"$share/g/{topic}", qos)
    large = join(broker, properties={"receive_maximum": 2, **kept})
    large.subscribe(f"$share/g/{topic}", qos)
    publisher = join(broker)
    too_large, unfit = broker.counter("dropped_too_large"), broker.counter("dropped_unfit")
    expected = [b"%d" % n for n in range(6)]
    got = []
    for n in range(6):
        publisher.publish(topic, b"%d" % n + b"x" * 100, qos)
        if not burst:
            got += drain(large, 1)
    got += drain(large, 6 - len(got))
    assert sorted(m.payload[:1] for m in got) == expected
    assert no_message(small)
    assert broker.counter("dropped_too_large") == too_large
    assert broker.counter("dropped_unfit") == unfit


def test_a_qos2_message_its_member_may_know_goes_to_nobody_else_too_large_or_not(broker, join, dial,
                                                                                 unique):
    topic = unique()
    first = join(broker, properties={"session_expiry_interval": 60})
    first.subscribe(f"$share/g/{topic}", 2)
    join(broker).publish(topic, b"x" * 100, 2)
    first.expect(Kind.PUBLISH)
    other = join(broker)
    other.subscribe(f"$share/g/{topic}", 2)
    first.close()
    before = broker.counter("dropped_too_large")
    again = reconnect(broker, dial, V5, first.client_id, **keep(V5, 60, maximum_packet_size=60))
    wait_until(lambda: broker.counter("dropped_too_large") == before + 1, what="a counted drop")
    assert no_message(again) and no_message(other)


def test_what_no_member_can_take_is_dropped_and_counted(broker, join, unique):
    topic = unique()
    kept = join(broker, properties={"maximum_packet_size": 60, "session_expiry_interval": 60})
    kept.subscribe(f"$share/g/{topic}", 1)
    clean = join(broker, properties={"maximum_packet_size": 60})
    clean.subscribe(f"$share/g/{topic}", 1)
    publisher = join(broker)
    before = broker.counter("dropped_unfit")
    publisher.publish(topic, b"x" * 100, 1)
    wait_until(lambda: broker.counter("dropped_unfit") == before + 1, what="a counted drop")
    assert no_message(kept) and no_message(clean)


@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_its_member_refuses_goes_to_nobody_else(broker, join, unique, qos):
    topic = unique()
    for options in ({}, keep(V5)):
        picky = join(broker, **options)
        picky.subscribe(f"$share/g/{topic}", qos)
        join(broker).publish(topic, b"no", qos)
        message = picky.await_kind(Kind.PUBLISH)
        other = join(broker)
        other.subscribe(f"$share/g/{topic}", qos)
        kind = Kind.PUBACK if qos == 1 else Kind.PUBREC
        picky.send(ack_packet(kind, message.packet_id, code=0x97))
        picky.ping()
        picky.close()
        join(broker, V5, picky.client_id, clean=True)
        assert no_message(other)
        other.unsubscribe(f"$share/g/{topic}")


def test_a_member_that_moves_its_subscription_changes_its_qos(broker, join, unique):
    topic = unique()
    member = join(broker)
    member.subscribe(f"$share/g/{topic}", 1)
    member.subscribe(f"$share/g/{topic}", 2)
    join(broker).publish(topic, b"m", 2)
    assert member.take().qos == 2
    assert no_message(member)


# ---------------------------------------------------------------------------------------- crashes


@pytest.mark.parametrize("how", ["restart", "kill9"])
def test_a_groups_queue_survives(own_broker, join, dial, version, how):
    member = join(own_broker, version, "member", **keep(version))
    member.subscribe("$share/g/t", 2)
    member.disconnect()
    publisher = join(own_broker, version, "pub")
    for payload in numbers(20):
        publisher.publish("t", payload, 1 + int(payload) % 2)
    if how == "kill9":
        own_broker.crash_and_restart()
    else:
        own_broker.restart()
    other = join(own_broker, version, "other")
    other.subscribe("$share/g/t", 2)
    assert [m.payload for m in drain(other, 20)] == numbers(20)
    other.disconnect()
    back = reconnect(own_broker, dial, version, "member")
    assert no_message(back)


def test_kill9_with_messages_in_flight_loses_none(own_broker, join, dial, version):
    kept = join(own_broker, version, "kept", **keep(version))
    kept.subscribe("$share/g/t", 2)
    clean = join(own_broker, version, "clean")
    clean.subscribe("$share/g/t", 2)
    publisher = join(own_broker, version, "pub")
    for payload in numbers(12):
        publisher.publish("t", payload, 2)
    mine = [kept.await_kind(Kind.PUBLISH) for _ in range(6)]
    his = [clean.await_kind(Kind.PUBLISH) for _ in range(6)]
    clean.acknowledge(his[0])
    own_broker.crash_and_restart()
    other = join(own_broker, version, "other")
    other.subscribe("$share/g/t", 2)
    # The clean one's come to somebody else; what the kept one may know waits for it.
    assert sorted(m.payload for m in drain(other, 5)) == sorted(m.payload for m in his[1:])
    assert no_message(other)
    kept = reconnect(own_broker, dial, version, "kept")
    again = drain(kept, 6)
    assert [(m.payload, m.packet_id) for m in again] == [(m.payload, m.packet_id) for m in mine]
    assert no_message(kept)


def test_a_qos2_publish_taken_up_after_a_crash_reaches_one_member_once(own_broker, join, dial,
                                                                       version):
    for n in range(3):
        member = join(own_broker, version, f"member{n}", **keep(version))
        member.subscribe("$share/g/t", 2)
        member.disconnect()
    publisher = join(own_broker, version, "pub", **keep(version))
    packet_id = publisher.publish_unanswered("t", b"once", 2)
    publisher.await_ack(Kind.PUBREC, packet_id)
    publisher.send(ack_packet(Kind.PUBREL, packet_id))
    own_broker.crash_and_restart()
    publisher = reconnect(own_broker, dial, version, "pub")
    publisher.send(ack_packet(Kind.PUBREL, packet_id))
    publisher.await_ack(Kind.PUBCOMP, packet_id)
    members = [reconnect(own_broker, dial, version, f"member{n}") for n in range(3)]
    assert all_of(gather(members, 1)) == [b"once"]


def test_a_group_without_members_is_gone(own_broker, join):
    member = join(own_broker, V5, "m")
    member.subscribe("$share/g/t", 1)
    before = own_broker.status()["subscriptions"]
    member.disconnect()
    wait_until(lambda: own_broker.status()["subscriptions"] == before - 1,
               what="the group's filter to go")
    publisher = join(own_broker, V5)
    assert publisher.publish("t", b"m", 1).code == 0x10


# ------------------------------------------------------------------------------- rights, tools, API


def test_rights_are_those_of_the_filter_inside(start_broker, join):
    broker = start_broker()
    acl = broker.directory / "acl"
    acl.write_text("topic readwrite open/#\n")
    broker.terminate()
    broker.settings = f"acl_file {acl}"
    broker.start()
    client = join(broker)
    assert client.subscribe("$share/g/secret/#", 1) == 0x87
    assert client.subscribe("$share/g/open/#", 1) == 1
    client.publish("open/a", b"m", 1)
    assert client.take().payload == b"m"


def test_mosquitto_sub_shares_the_work(broker, tools, unique, version):
    topic = unique()
    members = [tools.sub(broker, version, "-q", "1", "-t", f"$share/g/{topic}", "-i",
                         unique("worker")).wait_subscribed() for _ in range(2)]
    for n in range(10):
        tools.pub(broker, version, "-q", "1", "-t", topic, "-m", f"m{n}")
    wait_until(lambda: sum(len(m.lines) for m in members) == 10, what="ten lines")
    assert sorted(line for m in members for line in m.lines) == [f"m{n}" for n in range(10)]
    assert all(m.lines for m in members)


def test_mosquitto_sub_killed_in_flight_loses_nothing(broker, tools, join, unique, version):
    topic = unique()
    member = join(broker, version, **keep(version))
    member.subscribe(f"$share/g/{topic}", 1)
    worker = tools.sub(broker, version, "-q", "1", "-t", f"$share/g/{topic}", "-i",
                       unique("worker")).wait_subscribed()
    publisher = join(broker, version)
    for payload in numbers(100):
        publisher.publish(topic, payload, 1)
        if payload == b"050":
            worker.kill()
    # It acknowledges between its debug line and its message: the last may have ended with it.
    heard = sum("received PUBLISH" in line for line in worker.debug)
    printed = {line.encode() for line in worker.lines}
    assert heard - len(printed) in (0, 1)
    got = set()

    def all_there():
        got.update(m.payload for m in let_quiet(member))
        return len(got | printed) >= 100 - (heard - len(printed))

    wait_until(all_there, what="a hundred messages")


def test_paho_workers_that_vanish_leave_their_work_to_others(broker, join, unique):
    topic = unique()
    got, workers = [], []
    for _ in range(3):
        worker = paho.Client(unique("worker"), protocol=paho.MQTTv311)
        there = threading.Event()
        worker.on_message = lambda _client, _data, message: got.append(message.payload)
        worker.on_subscribe = lambda *_, there=there: there.set()
        worker.connect("127.0.0.1", broker.port)
        worker.loop_start()
        worker.subscribe(f"$share/g/{topic}", 1)
        assert there.wait(15)
        workers.append(worker)
    publisher = join(broker)
    workers[0].loop_stop()  # It hears no more, and acknowledges nothing.
    for payload in numbers(30):
        publisher.publish(topic, payload, 1)
    workers[0].socket().close()
    wait_until(lambda: len(set(got)) == 30, 15, "thirty messages")
    assert sorted(set(got)) == numbers(30)
    for worker in workers[1:]:
        worker.disconnect()
        worker.loop_stop()


def test_the_api_shows_members_and_not_groups_as_clients(own_broker, join):
    member = join(own_broker, V5, "m", **keep(V5))
    member.subscribe("$share/g/t/+", 1)
    listed = own_broker.get("/v1/subscriptions?topic=t/1")["subscriptions"]
    assert [(s["client_id"], s["filter"], s["group"]) for s in listed] == [("m", "$share/g/t/+",
                                                                            "g")]
    clients = own_broker.get("/v1/clients")["clients"]
    assert [c["client_id"] for c in clients] == ["m"]
    assert own_broker.status()["sessions"] == 1
