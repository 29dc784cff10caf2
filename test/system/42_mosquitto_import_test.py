"""`naru import`: files a real mosquitto wrote, taken over with all they hold, or not at all."""
import json
import subprocess

import pytest

from mosquitto_server import Mosquitto, free_port
from narud_server import let_pass, naru_binary
from raw_mqtt import V5, V311, Kind, ack_packet, let_quiet, publish_packet

FOREVER = {"clean": False, "properties": {"session_expiry_interval": 0xFFFFFFFF}}


@pytest.fixture
def start_mosquitto():
    started = []

    def start(sections):
        started.append(Mosquitto(sections))
        return started[-1].start()

    yield start
    for one in started:
        one.close()


@pytest.fixture
def mosquitto(start_mosquitto):
    return start_mosquitto("max_queued_messages 0\n")


def run_import(file, data):
    done = subprocess.run([naru_binary(), "--json", "import", str(file), "--data", str(data)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def left_of(counts):
    return {each["what"]: each["count"] for each in counts["left"]}


def take_over(mosquitto, start_broker, sections=None):
    """narud on what mosquitto had."""
    file = mosquitto.save()
    broker = start_broker()
    assert broker.terminate() == 0
    for path in sorted(broker.data.rglob("*"), reverse=True):
        path.unlink() if not path.is_dir() else path.rmdir()
    code, counts, errors = run_import(file, broker.data)
    assert code == 0, errors
    broker.sections = sections
    return broker.start(), counts


def keep(version):
    return FOREVER if version == V5 else {"clean": False}


@pytest.mark.parametrize("qos", [1, 2])
def test_sessions_queues_and_retained_messages_come_along(mosquitto, start_broker, join, dial,
                                                          version, qos):
    sleeper = join(mosquitto, version, "sleeper", **keep(version))
    sleeper.subscribe_many([("a/#", qos), ("b", 0)])
    sleeper.disconnect()
    publisher = join(mosquitto, V5)
    for number in range(200):
        publisher.publish("a/x", str(number), qos)
    publisher.publish("kept/1", b"one", 1, retain=True,
                      properties={"content_type": "text/plain"})
    publisher.publish("kept/2", b"two", 1, retain=True,
                      properties={"message_expiry_interval": 600})
    publisher.publish("kept/3", b"gone", 1, retain=True)
    publisher.publish("kept/3", b"", 1, retain=True)
    broker, counts = take_over(mosquitto, start_broker)
    assert (counts["sessions"], counts["subscriptions"], counts["queued"]) == (1, 2, 200)
    assert (counts["retained"], counts["left"]) == (2, [])
    client = dial(broker, version)
    client.client_id = "sleeper"
    client.connect("sleeper", **keep(version))
    assert client.connack.session_present
    assert [int(client.take().payload) for _ in range(200)] == list(range(200))
    join(broker, V311).publish("a/y", b"new", qos)
    assert client.take().payload == b"new"
    reader = join(broker, V5)
    reader.subscribe("kept/#", 1)
    found = {m.payload: m for m in let_quiet(reader)}
    assert set(found) == {b"one", b"two"}
    assert found[b"one"].property("content_type") == "text/plain"
    assert 0 < found[b"two"].property("message_expiry_interval") <= 600


def test_a_session_is_its_first_clients_with_or_without_a_user(mosquitto, start_broker, join, dial):
    """mosquitto 2.0.11 writes the user of another client where there is none, or bytes of its
    memory, so no name in its file counts."""
    users = {"c1": "bob", "c2": None, "c3": None, "c4": "gregory-the-driver", "c5": None}
    for client_id, user in users.items():
        join(mosquitto, V311, client_id, clean=False, username=user).subscribe("a", 1)
    broker, counts = take_over(mosquitto, start_broker)
    assert counts["sessions"] == len(users)
    for client_id, user in users.items():
        owner = join(broker, V311, client_id, clean=False, username=user)
        assert owner.connack.session_present
        owner.disconnect()
        dial(broker, V311).connect(client_id, expect_code=5, clean=False, username="eve")
    again = join(broker, V311, "c1", clean=False, username="bob")
    assert again.connack.session_present


def test_options_of_subscriptions_come_along(mosquitto, start_broker, join, dial):
    client = join(mosquitto, V5, "c1", **FOREVER)
    client.subscribe("a", 1 | 4 | 8, {"subscription_identifier": 77})
    client.disconnect()
    broker, _ = take_over(mosquitto, start_broker)
    client = dial(broker, V5)
    client.connect("c1", **FOREVER)
    client.publish("a", b"mine", 1)
    join(broker, V5).publish("a", b"kept", 1, retain=True)
    message = client.take()
    assert (message.payload, message.retain) == (b"kept", True)
    assert message.property("subscription_identifier") == 77


def test_a_member_of_a_group_gets_what_waited_and_subscribes_again(mosquitto, start_broker, join,
                                                                   dial, version):
    """mosquitto.db has the queues of members, but not that they are members."""
    filters = [("$share/workers/jobs/#", 1), ("own", 1)]
    member = join(mosquitto, version, "member", **keep(version))
    assert member.subscribe_many(filters) == [1, 1]
    member.disconnect()
    publisher = join(mosquitto, V5)
    for number in range(5):
        publisher.publish("jobs/x", str(number), 1)
    broker, counts = take_over(mosquitto, start_broker)
    assert (counts["sessions"], counts["subscriptions"], counts["queued"]) == (1, 1, 5)
    assert counts["left"] == []
    client = dial(broker, version)
    client.connect("member", **keep(version))
    assert client.connack.session_present
    assert [int(client.take().payload) for _ in range(5)] == list(range(5))
    publisher = join(broker, V5)
    publisher.publish("jobs/x", b"for nobody", 1)
    client.subscribe_many(filters)
    publisher.publish("jobs/x", b"new", 1)
    assert client.take().payload == b"new"


def test_qos2_goes_on_where_it_was_both_ways(mosquitto, start_broker, join, dial):
    client = join(mosquitto, V311, "car", clean=False)
    client.subscribe("down", 2)
    watcher = join(mosquitto, V311, "watcher", clean=False)
    watcher.subscribe("up", 2)
    watcher.disconnect()
    publisher = join(mosquitto, V311)
    for payload in b"first", b"second":
        publisher.publish("down", payload, 2)
    messages = [client.await_kind(Kind.PUBLISH) for _ in range(2)]
    client.send(ack_packet(Kind.PUBREC, messages[0].packet_id))
    client.await_ack(Kind.PUBREL, messages[0].packet_id)  # Its PUBCOMP is never sent.
    client.send(publish_packet("up", b"half", 2, 1234, V311))
    client.await_ack(Kind.PUBREC, 1234)
    mosquitto.save()
    client.close()
    broker, counts = take_over(mosquitto, start_broker)
    assert counts["unreleased"] == 1
    client = dial(broker, V311)
    client.connect("car", clean=False)
    client.await_ack(Kind.PUBREL, messages[0].packet_id)
    client.send(ack_packet(Kind.PUBCOMP, messages[0].packet_id))
    again = client.await_kind(Kind.PUBLISH)
    assert (again.payload, again.packet_id, again.dup) == (b"second", messages[1].packet_id, True)
    client.acknowledge(again)
    client.send(ack_packet(Kind.PUBREL, 1234))
    client.await_ack(Kind.PUBCOMP, 1234)
    watcher = dial(broker, V311)
    watcher.connect("watcher", clean=False)
    assert watcher.take().payload == b"half"


def test_what_is_on_its_way_keeps_its_id_behind_one_that_is_done(mosquitto, start_broker, join,
                                                                 dial):
    client = join(mosquitto, V311, "car", clean=False)
    client.subscribe("h/#", 2)
    publisher = join(mosquitto, V311)
    for number, qos in enumerate((2, 1, 1), 1):
        publisher.publish(f"h/{number}", str(number), qos)
    first, second, third = (client.await_kind(Kind.PUBLISH) for _ in range(3))
    client.send(ack_packet(Kind.PUBACK, second.packet_id))
    client.send(ack_packet(Kind.PUBREC, first.packet_id))
    client.await_ack(Kind.PUBREL, first.packet_id)
    client.close()
    broker, counts = take_over(mosquitto, start_broker)
    assert (counts["queued"], counts["sent_again"]) == (2, 0)
    client = join(broker, V311, "car", clean=False)
    released = client.receive()
    assert (released.kind, released.packet_id) == (Kind.PUBREL, first.packet_id)
    client.send(ack_packet(Kind.PUBCOMP, released.packet_id))
    again = client.receive()
    assert (again.payload, again.packet_id, again.dup) == (b"3", third.packet_id, True)
    client.acknowledge(again)
    assert not let_quiet(client)
    broker.restart()
    client = join(broker, V311, "car", clean=False)
    assert not let_quiet(client)
    publisher = join(broker, V311)
    publisher.publish("h/4", b"4", 2)
    assert client.take().payload == b"4"


@pytest.mark.parametrize("local_id", ["local.house7", "uplink"])
def test_what_a_bridge_has_queued_goes_out(start_mosquitto, start_broker, join, local_id):
    def bridge(port):
        return (f"connection cloud\naddress 127.0.0.1:{port}\nrestart_timeout 1\n"
                f"remote_clientid house7\nlocal_clientid {local_id}\n"
                'topic up/# out 1 "" house7/\n')

    mosquitto = start_mosquitto(bridge(free_port()))  # Nobody answers there.
    publisher = join(mosquitto, V311)
    for number in range(3):
        publisher.publish("up/x", str(number), 1)
    broker, counts = take_over(mosquitto, start_broker, sections="")
    assert (counts["sessions"], counts["bridges"], counts["queued"]) == (1, 1, 3)
    assert counts["left"] == []
    assert [(each["client_id"], each["state"], each["queued"])
            for each in broker.status()["bridges"]] == [(local_id, "removed", 3)]
    there = start_broker()
    reader = join(there, V5)
    reader.subscribe("#", 1)
    broker.sections = bridge(there.port)
    broker.restart()
    messages = [reader.take() for _ in range(3)]
    assert [(m.topic, int(m.payload)) for m in messages] == [
        ("house7/up/x", number) for number in range(3)]
    join(broker, V5).publish("up/y", b"new", 1)
    assert reader.take().payload == b"new"


def test_a_session_whose_time_is_over_stays_behind(mosquitto, start_broker, join):
    client = join(mosquitto, V5, "brief", clean=False, properties={"session_expiry_interval": 1})
    client.subscribe("a", 1)
    client.disconnect()
    file = mosquitto.save()
    let_pass(2.1)
    data = mosquitto.directory / "data"
    code, counts, errors = run_import(file, data)
    assert code == 0, errors
    assert (counts["sessions"], left_of(counts)) == (0, {"expired_sessions": 1,
                                                        "subscriptions": 1})


def test_what_stays_behind_is_said_with_its_reason(mosquitto, join, tmp_path):
    brief = join(mosquitto, V5, "brief", clean=False)
    brief.subscribe_many([("a", 1), ("b", 1)])
    publisher = join(mosquitto, V5)
    publisher.publish("a", b"unanswered", 1)
    brief.await_kind(Kind.PUBLISH)
    publisher.publish("kept", b"short", 1, retain=True,
                      properties={"message_expiry_interval": 1})
    file = mosquitto.save()
    let_pass(2.1)
    code, counts, errors = run_import(file, tmp_path / "json")
    assert (code, counts["sessions"]) == (0, 0), errors
    assert left_of(counts) == {"ending_sessions": 1, "subscriptions": 2, "queued_messages": 1,
                               "expired_messages": 1}
    assert all(each["why"] for each in counts["left"])
    done = subprocess.run([naru_binary(), "import", str(file), "--data", str(tmp_path / "text")],
                          stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("left.")]
    assert lines == [f"left.{each['what']}\t{each['count']}\t{each['why']}"
                     for each in counts["left"]]
    text = subprocess.run([naru_binary(), "import", "--help"], stdout=subprocess.PIPE, text=True,
                          timeout=60, check=True).stdout
    for each in counts["left"]:
        assert f"{each['what']}: {each['why']}" in text


def test_a_damaged_file_imports_nothing_and_says_where(mosquitto, join, tmp_path):
    join(mosquitto, V311).publish("a", b"x" * 100, 1, retain=True)
    whole = mosquitto.save().read_bytes()
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(whole[:-20])
    code, counts, errors = run_import(damaged, tmp_path / "data")
    assert (code, counts) == (1, None)
    assert "damaged at byte " in errors
    assert not (tmp_path / "data").exists()


def test_what_is_there_is_not_touched(mosquitto, join, tmp_path):
    join(mosquitto, V311).publish("a", b"x", 1, retain=True)
    data = tmp_path / "data"
    data.mkdir()
    (data / "mine").write_text("mine")
    code, _, errors = run_import(mosquitto.save(), data)
    assert code == 1
    assert "not empty" in errors
    assert [path.name for path in data.iterdir()] == ["mine"]
    code, _, errors = run_import(tmp_path / "none.db", tmp_path / "other")
    assert code == 1
    assert "cannot read" in errors
