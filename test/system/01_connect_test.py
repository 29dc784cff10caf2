"""CONNECT and CONNACK: who may come in, under which name, and what ends the attempt."""
import base64
import hashlib

import pytest

from narud_server import wait_until
from raw_mqtt import (V5, V311, Client, Closed, Kind, Will, connect_packet, frame, let_quiet,
                      publish_packet)

# Lines as mosquitto_passwd writes them; the password is "secret". $7$ is its PBKDF2 default.
PASSWORDS = (
    "alice:$7$101$rzqJhzfPgg4XV9O5$VZkTkHDIfUApP09mXkYmr9+xb+VAZBC78uaJF6QwfBgnom+"
    "Yjv4PwvSQbRM/YflQMH+De984uEstx2YM5s+jXw==\n"
    "bob:$7$101$rzqJhzfPgg4XV9O5$VZkTkHDIfUApP09mXkYmr9+xb+VAZBC78uaJF6QwfBgnom+"
    "Yjv4PwvSQbRM/YflQMH+De984uEstx2YM5s+jXw==\n"
)
BAD_PASSWORD = {V311: 4, V5: 0x86}
NOT_AUTHORIZED = {V311: 5, V5: 0x87}
BAD_CLIENT_ID = {V311: 2, V5: 0x85}


@pytest.fixture(scope="module")
def password_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("auth") / "passwords"
    file.write_text(PASSWORDS)
    file.chmod(0o600)
    return file


@pytest.fixture
def guarded(start_broker, password_file):
    return start_broker(f"allow_anonymous false\npassword_file {password_file}")


def test_anonymous_on_loopback_is_accepted_by_default(broker, dial, version):
    connack = dial(broker, version).connect("anonymous")
    assert not connack.session_present


def test_right_password_is_accepted(guarded, dial, version):
    for user in "alice", "bob":
        dial(guarded, version).connect(user, username=user, password="secret")


def test_wrong_password_is_refused(guarded, dial, version):
    for user, password in ("alice", "wrong"), ("nobody", "secret"), ("alice", ""):
        client = dial(guarded, version)
        client.connect("c", BAD_PASSWORD[version], username=user, password=password)
        assert client.expect_closed() == []


def test_no_password_and_an_empty_one_are_refused(start_broker, dial, tmp_path, version):
    """Also where the line was made of an empty one, as mosquitto_passwd -b FILE eve "" does."""
    salt = b"saltsaltsalt"
    digest = hashlib.pbkdf2_hmac("sha512", b"", salt, 101)
    parts = [base64.b64encode(part).decode() for part in (salt, digest)]
    file = tmp_path / "passwords"
    file.write_text(f"eve:$7$101${parts[0]}${parts[1]}\n{PASSWORDS}")
    broker = start_broker(f"allow_anonymous false\npassword_file {file}")
    for user in "eve", "alice":
        for given in {}, {"password": ""}:
            client = dial(broker, version)
            client.connect(f"of-{user}", BAD_PASSWORD[version], username=user, **given)
            assert client.expect_closed() == []
    wait_until(lambda: broker.log().count("it gave no password, or an empty one") == 2,
               what="the reasons")


def test_nobody_is_refused_where_anonymous_is_not_allowed(guarded, dial, version):
    client = dial(guarded, version)
    client.connect("c", NOT_AUTHORIZED[version])
    assert client.expect_closed() == []


def test_a_refused_client_leaves_the_session_of_the_same_name_alone(guarded, dial, join, version):
    owner = join(guarded, version, "mine", username="alice", password="secret")
    dial(guarded, version).connect("mine", BAD_PASSWORD[version], username="bob", password="no")
    owner.ping()


def persistent(version):
    return {"properties": {"session_expiry_interval": 600}} if version == V5 else {}


def test_a_clean_session_belongs_to_its_user_while_it_is_connected(guarded, dial, join, version):
    """Nobody else ends it, fires its will, or gets a session in its name."""
    watcher = join(guarded, version, username="bob", password="secret")
    watcher.subscribe("wills/#")
    owner = join(guarded, version, "clean", username="alice", password="secret",
                 will=Will("wills/clean"))
    refused = guarded.counter("wrong_identity")
    for clean in True, False:
        dial(guarded, version).connect("clean", NOT_AUTHORIZED[version], username="bob",
                                       password="secret", clean=clean, **persistent(version))
    owner.ping()
    assert guarded.counter("wrong_identity") == refused + 2
    join(guarded, version, "clean", username="alice", password="secret")  # Its own may.
    owner.expect_refusal(0x8E)
    assert watcher.take().topic == "wills/clean"
    assert let_quiet(watcher) == []


def test_a_session_belongs_to_the_user_who_created_it(guarded, dial, join, version):
    owner = join(guarded, version, "mine", clean=False, username="alice", password="secret",
                 **persistent(version))
    owner.subscribe("a", 1)
    for clean in False, True:
        dial(guarded, version).connect("mine", NOT_AUTHORIZED[version], clean=clean,
                                       username="bob", password="secret")
    owner.ping()
    owner.disconnect()
    again = dial(guarded, version).connect("mine", clean=False, username="alice",
                                           password="secret", **persistent(version))
    assert again.session_present


def test_mosquitto_clients_log_in_with_user_and_password(guarded, tools, version):
    subscriber = tools.sub(guarded, version, "-u", "alice", "-P", "secret", "-t", "a", "-C", "1")
    subscriber.wait_subscribed()
    tools.pub(guarded, version, "-u", "bob", "-P", "secret", "-t", "a", "-m", "hello", "-q", "1")
    assert subscriber.wait_end() == (0, ["hello"])
    tools.pub(guarded, version, "-u", "bob", "-P", "no", "-t", "a", "-m", "x", expect_code=1)


@pytest.mark.parametrize("level", [0, 2, 6, 127])
def test_an_unsupported_version_is_refused(broker, level):
    client = Client(broker.port, V311)
    client.send(connect_packet("c", version=V311, level=level))
    connack = client.expect(Kind.CONNACK)
    assert connack.code in (1, 0x84)
    client.expect_closed()


def test_another_protocol_name_is_refused_or_closed(broker):
    client = Client(broker.port, V311)
    client.send(connect_packet("c", version=V311, protocol="HTTP"))
    packets = client.expect_closed()
    assert all(p.kind == Kind.CONNACK and p.code in (1, 0x84) for p in packets)


def test_an_empty_client_id_gets_one_assigned_in_v5(broker, dial):
    names = set()
    for _ in range(3):
        connack = dial(broker, V5).connect("")
        names.add(connack.property("assigned_client_identifier"))
    assert None not in names
    assert "" not in names
    assert len(names) == 3


def test_an_assigned_client_id_names_a_session_that_can_be_resumed(broker, dial):
    properties = {"session_expiry_interval": 600}
    client = dial(broker, V5)
    name = client.connect("", properties=properties).property("assigned_client_identifier")
    client.disconnect()
    again = dial(broker, V5).connect(name, clean=False, properties=properties)
    assert again.session_present
    assert again.property("assigned_client_identifier") is None


def test_empty_client_ids_of_clean_v311_clients_do_not_collide(broker, dial):
    first, second = dial(broker, V311), dial(broker, V311)
    first.connect("")
    second.connect("")
    first.ping()
    second.ping()


def test_an_empty_client_id_without_clean_session_is_refused_in_v311(broker, dial):
    client = dial(broker, V311)
    client.connect("", BAD_CLIENT_ID[V311], clean=False)
    assert client.expect_closed() == []


def test_a_second_connect_ends_the_connection(broker, join, version):
    client = join(broker, version)
    client.send(connect_packet(client.client_id, version))
    client.expect_refusal(0x82)


def test_the_first_packet_has_to_be_connect(broker, dial, version):
    for packet in (publish_packet("a", b"x", version=version), frame(Kind.PINGREQ),
                   frame(Kind.DISCONNECT), frame(Kind.CONNACK, b"\0\0")):
        client = dial(broker, version)
        client.send(packet)
        said = client.expect_closed()
        assert all(p.kind == Kind.DISCONNECT and p.code in (0x81, 0x82) for p in said)


def test_a_silent_connection_does_not_disturb_others(broker, dial, join, version):
    silent = dial(broker, version)
    join(broker, version).ping()
    silent.connect("late")


def test_connack_names_only_what_is_not_there(broker, join):
    """In MQTT 5 what the broker lacks is said before anyone asks for it."""
    connack = join(broker, V5).connack
    for name in "maximum_qos", "retain_available", "wildcard_subscription_available":
        assert connack.property(name, 1) != 0
    assert connack.property("subscription_identifier_available", 1) == 1
    assert connack.property("receive_maximum", 65535) >= 1


def test_a_long_client_id_with_every_kind_of_letter_is_accepted(broker, join, version):
    name = "Fahrzeug-Äöü-나루-🚗-" + "x" * 60
    join(broker, version, name).ping()


def test_no_connack_code_other_than_those_of_the_version(guarded, dial):
    """A 3.1.1 client only knows the codes 0 to 5."""
    client = dial(guarded, V311)
    client.send(connect_packet("c", V311, username="alice", password="no"))
    assert client.expect(Kind.CONNACK).code in range(1, 6)
    with pytest.raises(Closed):
        client.receive()
