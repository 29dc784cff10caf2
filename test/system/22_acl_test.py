"""acl_file: who may read and write what, as in mosquitto, and how a refusal shows."""
import subprocess

import pytest

from narud_server import Server, narud_binary, wait_until
from raw_mqtt import V5, Kind, Will, connect_packet

NOT_AUTHORIZED = 0x87

ACL = """# line 1
topic readwrite open/#
topic read news/#
user alice
topic readwrite open/#
topic write in/#
topic read two words/#
topic deny open/closed/#
pattern readwrite own/%c/#
pattern write cars/%u/%c
"""


@pytest.fixture(scope="module")
def acl_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("acl") / "acl"
    file.write_text(ACL)
    return file


@pytest.fixture(scope="module")
def file_broker(acl_file):
    server = Server(f"acl_file {acl_file}")
    yield server
    server.close()


@pytest.fixture
def alice(broker, join, unique):
    def connected(version=V5, **options):
        return join(broker, version, unique("a"), username="alice", **options)
    return connected


def persistent(version):
    return {"clean": False,
            "properties": {"session_expiry_interval": 600} if version == V5 else ()}


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_publish_without_the_right_goes_nowhere(broker, join, alice, version, qos):
    reader = join(broker, V5)
    reader.subscribe("open/#", 2)
    writer = alice(version)
    before = broker.counter("denied_publishes")
    answer = writer.publish("open/closed/door", b"no", qos)
    if version == V5 and qos:
        assert answer.code == NOT_AUTHORIZED
    writer.publish("open/door", b"yes", qos)
    assert reader.take().payload == b"yes"
    assert broker.counter("denied_publishes") == before + 1


@pytest.mark.parametrize("qos", [1, 2])
def test_a_refused_publish_of_a_persistent_session_is_answered(alice, version, qos):
    writer = alice(version, **persistent(version))
    answer = writer.publish("news/1", b"no", qos)
    assert answer.code == (NOT_AUTHORIZED if version == V5 else 0)
    assert writer.publish("in/1", b"yes", qos).code in (0, 0x10)


@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_only_what_may_be_read_is_delivered(broker, join, alice, version, stored, qos):
    reader = alice(version, **(persistent(version) if stored else {}))
    assert reader.subscribe("#", 2) == 2
    before = broker.counter("denied_deliveries")
    writer = join(broker, V5)
    writer.publish("news/1", b"no", qos)  # Its writer may not write it.
    insider = alice(V5)
    for i in range(40):  # Each refused one gives its place in the window back.
        insider.publish("in/x", b"no", qos)
    insider.publish("open/x", b"yes", qos)
    assert reader.take().payload == b"yes"
    assert broker.counter("denied_deliveries") == before + 40
    if stored:
        wait_until(lambda: broker.session(reader.client_id)["queued"] == 0, what="an empty queue")


def test_a_queued_message_is_judged_when_it_is_delivered(broker, join, alice, version):
    reader = alice(version, **persistent(version))
    reader.subscribe("#", 1)
    reader.disconnect()
    writer = alice(V5)
    writer.publish("in/x", b"no", 1)
    writer.publish("open/x", b"yes", 1)
    again = join(broker, version, reader.client_id, username="alice", **persistent(version))
    assert again.take().payload == b"yes"
    wait_until(lambda: broker.session(reader.client_id)["queued"] == 0, what="an empty queue")


def test_a_retained_message_needs_the_right_as_well(alice, join, broker, version):
    writer = alice(V5)
    writer.publish("in/kept", b"no", 1, retain=True)
    writer.publish("open/kept", b"yes", 1, retain=True)
    reader = alice(version)
    reader.subscribe("+/kept", 1)
    assert reader.take().payload == b"yes"
    reader.ping()
    writer.publish("open/kept", b"", 1, retain=True)


def test_a_subscription_that_can_bring_nothing(broker, alice, version):
    client = alice(version)
    before = broker.counter("denied_subscribes")
    codes = client.subscribe_many([("in/#", 1), ("two words/a", 1), ("open/closed/+", 1)])
    if version == V5:
        assert codes == [NOT_AUTHORIZED, 1, NOT_AUTHORIZED]
        assert broker.counter("denied_subscribes") == before + 2
    else:
        assert codes == [1, 1, 1]  # As mosquitto: accepted, and silent.


def test_patterns_are_for_the_clients_own_names(broker, join, alice):
    client = alice(V5)
    client.subscribe("own/#", 1)
    assert client.publish(f"own/{client.client_id}/x", b"1", 1).code == 0
    assert client.take().payload == b"1"
    assert client.publish("own/other/x", b"1", 1).code == NOT_AUTHORIZED
    assert client.publish(f"cars/alice/{client.client_id}", b"1", 1).code in (0, 0x10)


@pytest.mark.parametrize("name", ["+", "#", "x/y"])
def test_a_name_cannot_widen_a_pattern(broker, join, unique, name):
    victim = join(broker, V5)
    victim.subscribe(f"own/{victim.client_id}/#", 1)
    odd = join(broker, V5, name)
    assert odd.publish(f"own/{victim.client_id}/x", b"no", 1).code == NOT_AUTHORIZED
    assert odd.publish(f"own/{name}/x".replace("+", "p").replace("#", "h"), b"no", 1).code \
        == NOT_AUTHORIZED
    assert odd.publish("open/x", b"yes", 1).code in (0, 0x10)


def test_a_will_needs_the_right(broker, dial, join, unique, version):
    reader = join(broker, V5)
    reader.subscribe("#", 1)
    client = dial(broker, version)
    client.send(connect_packet(unique("w"), version, will=Will("news/w", b"no", 1)))
    code = client.expect(Kind.CONNACK).code
    if version == V5:
        assert code == NOT_AUTHORIZED
        client.expect_closed()
    else:
        assert code == 0  # As mosquitto: it comes in, its will goes nowhere.
        client.close()
    good = join(broker, version, will=Will("open/w", b"yes", 1))
    good.close()
    assert reader.take().payload == b"yes"


def test_a_refusal_is_explained_once_with_its_rule(broker, alice, acl_file):
    client = alice(V5)
    for _ in range(5):
        client.publish("open/closed/x", b"no", 1)
        client.publish("nowhere", b"no", 1)

    def told():
        return [line for line in broker.log().splitlines()
                if "denied" in line and client.client_id in line]

    wait_until(told, what="a line in the log")
    assert len(told()) == 1
    for part in "what=publish", "user=alice", "topic=open/closed/x", f"rule={acl_file}:8":
        assert part in told()[0]


@pytest.mark.parametrize("name, options", [("client id", {"client_id": "odd#"}),
                                           ("user name", {"username": "odd+"})])
def test_a_refusal_for_a_name_with_a_wildcard_says_so(broker, join, acl_file, name, options):
    client = join(broker, V5, **options)
    assert client.publish("own/x", b"no", 1).code == NOT_AUTHORIZED
    wait_until(lambda: f"{acl_file}: the {name} has '+' or '#' in it and may not stand in a topic"
               in broker.log(), what="the explanation")


def test_mosquitto_clients_under_an_acl(broker, tools, version, unique):
    topic = f"open/{unique()}"
    reader = tools.sub(broker, version, "-t", topic, "-t", "in/#", "-q", "1").wait_subscribed()
    tools.pub(broker, version, "-u", "alice", "-t", "in/x", "-m", "no", "-q", "1")
    tools.pub(broker, version, "-t", topic, "-m", "yes", "-q", "1")
    assert reader.wait_lines(1) == ["yes"]


def test_without_a_rule_everything_is_refused(start_broker, join, tmp_path):
    file = tmp_path / "acl"
    file.write_text("# nothing yet\n")
    broker = start_broker(f"acl_file {file}")
    client = join(broker, V5)
    assert client.publish("a", b"", 1).code == NOT_AUTHORIZED
    assert client.subscribe("#", 1) == NOT_AUTHORIZED


def test_a_wrong_file_refuses_the_start_with_all_its_lines(tmp_path):
    file = tmp_path / "acl"
    file.write_text("topic writes a\nuser\ntopic read a/#/b\ntopic deny\n")
    config = tmp_path / "narud.conf"
    config.write_text(f"listener auto 127.0.0.1\nacl_file {file}\n")
    done = subprocess.run(
        [narud_binary(), "--data", str(tmp_path / "data"), "-c", str(config)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60, check=False)
    assert done.returncode in (1, 2)
    for line in 1, 2, 3, 4:
        assert f"{file}:{line}: " in done.stdout
