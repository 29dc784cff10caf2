"""SCRAM-SHA-256 over AUTH packets: at CONNECT and again later, and everything that may go wrong."""
import subprocess

import pytest

from narud_server import naru_binary, wait_until
from raw_mqtt import (V5, V311, Kind, Will, connect_packet, disconnect_packet, frame,
                      publish_packet, subscribe_packet)
from scram import AGAIN, CONTINUE, METHOD, Scram, auth_packet

pytestmark = pytest.mark.core

PROTOCOL_ERROR = 0x82
MALFORMED = 0x81
BAD_PASSWORD = 0x86
NOT_AUTHORIZED = 0x87
BAD_METHOD = 0x8C
ADMINISTRATIVE_ACTION = 0x98


def set_password(file, user, password, *options):
    subprocess.run([naru_binary(), "passwd", *options, str(file), user], input=password + "\n",
                   text=True, check=True, stdout=subprocess.PIPE, timeout=30)


@pytest.fixture
def passwords(tmp_path):
    file = tmp_path / "passwords"
    set_password(file, "alice", "pencil", "--scram")
    set_password(file, "bob", "b")
    return file


@pytest.fixture
def broker(start_broker, passwords):
    return start_broker(f"allow_anonymous false\npassword_file {passwords}")


def begin(client, scram, client_id="c", **options):
    client.send(connect_packet(client_id, properties={**scram.properties(),
                                                      **options.pop("properties", {})}, **options))
    answer = client.expect(Kind.AUTH)
    assert answer.code == CONTINUE and answer.property("authentication_method") == METHOD
    return answer.property("authentication_data")


def prove(client, scram, client_id="c", **options):
    """A whole exchange; returns its CONNACK."""
    challenge = begin(client, scram, client_id, **options)
    client.send(auth_packet(CONTINUE, scram.final(challenge)))
    connack = client.expect(Kind.CONNACK)
    assert connack.code == 0, connack
    assert connack.property("authentication_method") == METHOD
    scram.check(connack.property("authentication_data"))
    return connack


def again(client, scram):
    client.send(auth_packet(AGAIN, scram.first))
    challenge = client.expect(Kind.AUTH)
    assert challenge.code == CONTINUE
    client.send(auth_packet(CONTINUE, scram.final(challenge.property("authentication_data"))))


def expect_connack(client, code):
    connack = client.expect(Kind.CONNACK)
    assert connack.code == code, connack
    client.expect_closed()


def test_who_knows_the_password_comes_in(broker, dial):
    for number in range(6):  # On several shards most are handed over first.
        client = dial(broker)
        prove(client, Scram("alice", "pencil"), f"c{number}")
        assert broker.session(f"c{number}")["user"] == "alice"
        client.ping()
        assert client.subscribe("a", 1) == 1


def test_a_session_and_a_will_survive_the_exchange(broker, dial, join):
    watcher = join(broker, V5, username="bob", password="b")
    watcher.subscribe("gone", 1)
    first = dial(broker)
    lasting = {"session_expiry_interval": 600}
    prove(first, Scram("alice", "pencil"), "car", clean=False, will=Will("gone", b"x", 1),
          username="alice", properties=lasting)
    first.subscribe("a", 1)
    first.socket.close()
    assert watcher.take().payload == b"x"
    second = dial(broker)
    assert prove(second, Scram("alice", "pencil"), "car", clean=False,
                 properties=lasting).session_present


def test_the_same_line_serves_plain_passwords(broker, join, dial, version):
    join(broker, version, username="alice", password="pencil").ping()
    refused = BAD_PASSWORD if version == V5 else 4
    dial(broker, version).connect("c", refused, username="alice", password="pen")


def test_a_client_id_from_the_user_name(start_broker, passwords, dial):
    broker = start_broker(f"allow_anonymous false\npassword_file {passwords}\n"
                          "listener auto 127.0.0.1\nclientid_from username\n")
    connack = prove(dial(broker), Scram("alice", "pencil"), "")
    assert connack.property("assigned_client_identifier") == "alice"
    assert broker.session("alice")["connected"]


# ---- a fault at every step -------------------------------------------------------------------


@pytest.mark.parametrize("method", ["SCRAM-SHA-1", "scram-sha-256", "PLAIN", ""])
def test_another_method_is_refused(broker, dial, method):
    client = dial(broker)
    client.send(connect_packet("c", properties={
        "authentication_method": method, "authentication_data": Scram("alice", "x").first}))
    expect_connack(client, BAD_METHOD)


def test_without_a_line_for_it_scram_is_not_offered(start_broker, dial, tmp_path):
    file = tmp_path / "plain"
    set_password(file, "bob", "b")
    broker = start_broker(f"allow_anonymous true\npassword_file {file}")
    client = dial(broker)
    client.send(connect_packet("c", properties=Scram("bob", "b").properties()))
    expect_connack(client, BAD_METHOD)


@pytest.mark.parametrize("data", [None, "", "n,,n=alice", "p=tls-unique,,n=alice,r=x",
                                  "n,a=root,n=alice,r=x", "n,,n=al=ice,r=x", "x" * 5000])
def test_a_malformed_first_message_is_refused(broker, dial, data):
    client = dial(broker)
    properties = {"authentication_method": METHOD}
    if data is not None:
        properties["authentication_data"] = data
    client.send(connect_packet("c", properties=properties))
    expect_connack(client, NOT_AUTHORIZED)


def test_the_user_name_of_connect_must_be_the_one_that_is_proved(broker, dial):
    client = dial(broker)
    client.send(connect_packet("c", username="root",
                               properties=Scram("alice", "pencil").properties()))
    expect_connack(client, NOT_AUTHORIZED)


@pytest.mark.parametrize("user, password, why", [
    ("alice", "pen", "its proof is wrong"),
    ("nobody", "pencil", "no line for SCRAM"),
    ("bob", "b", "no line for SCRAM"),
])
def test_a_wrong_proof_is_refused(broker, dial, user, password, why):
    client = dial(broker)
    scram = Scram(user, password)
    client.send(auth_like(client, scram))
    expect_connack(client, NOT_AUTHORIZED)
    wait_until(lambda: why in broker.log())
    assert broker.counter("denied_connects") == 1
    assert broker.counter("refused_connects") == 1


def auth_like(client, scram):
    return auth_packet(CONTINUE, scram.final(begin(client, scram)))


def test_an_unknown_user_looks_like_a_known_one(broker, dial):
    """The same salt each time, and as long as a real one."""
    seen = []
    for user in ["alice", "alice", "nobody", "nobody"]:
        scram = Scram(user, "x")
        scram.final(begin(dial(broker), scram))
        seen.append((scram.salt, scram.iterations))
    assert seen[0] == seen[1] and seen[2] == seen[3] and seen[0] != seen[2]
    assert len(seen[0][0]) == len(seen[2][0]) and seen[0][1] == seen[2][1]


def test_an_exchange_cannot_be_played_again(broker, dial):
    scram = Scram("alice", "pencil")
    final = scram.final(begin(dial(broker), scram))
    other = dial(broker)
    begin(other, scram)
    other.send(auth_packet(CONTINUE, final))
    expect_connack(other, NOT_AUTHORIZED)


@pytest.mark.parametrize("packet, code", [
    (publish_packet("a", b"x"), PROTOCOL_ERROR),
    (subscribe_packet(1, [("a", 0)]), PROTOCOL_ERROR),
    (frame(Kind.PINGREQ), PROTOCOL_ERROR),
    (connect_packet("c"), PROTOCOL_ERROR),
    (auth_packet(AGAIN, "n,,n=alice,r=x"), PROTOCOL_ERROR),
    (auth_packet(CONTINUE, "c=biws", method="PLAIN"), PROTOCOL_ERROR),
    (auth_packet(CONTINUE, None, method=None), PROTOCOL_ERROR),
    (auth_packet(0x02, "c=biws"), PROTOCOL_ERROR),
    (auth_packet(CONTINUE, None), NOT_AUTHORIZED),
    (auth_packet(CONTINUE, ""), NOT_AUTHORIZED),
    (auth_packet(CONTINUE, "c=biws,r=x,p=AAAA"), NOT_AUTHORIZED),
])
def test_nothing_but_the_proof_may_follow(broker, dial, packet, code):
    client = dial(broker)
    begin(client, Scram("alice", "pencil"))
    client.send(packet)
    expect_connack(client, code)
    assert broker.session("c") is None


def test_a_client_may_give_up(broker, dial):
    client = dial(broker)
    begin(client, Scram("alice", "pencil"))
    client.send(disconnect_packet())
    assert client.expect_closed() == []
    vanished = dial(broker)
    begin(vanished, Scram("alice", "pencil"))
    vanished.socket.close()
    prove(dial(broker), Scram("alice", "pencil"))
    assert broker.counter("disconnects") == 0


def test_the_proof_and_what_follows_it_may_come_together(broker, dial):
    client = dial(broker)
    scram = Scram("alice", "pencil")
    client.send(auth_like(client, scram) + subscribe_packet(7, [("a", 1)]))
    assert client.expect(Kind.CONNACK).code == 0
    assert client.expect(Kind.SUBACK).packet_id == 7


@pytest.mark.slow
def test_an_exchange_that_stands_still_is_ended(broker, dial):
    client = dial(broker)
    begin(client, Scram("alice", "pencil"))
    client.expect_closed(wait=20)


# ---- again -----------------------------------------------------------------------------------


def test_who_is_connected_may_prove_itself_again(broker, dial):
    client = dial(broker)
    prove(client, Scram("alice", "pencil"))
    client.subscribe("a", 1)
    for _ in range(3):
        scram = Scram("alice", "pencil")
        client.send(auth_packet(AGAIN, scram.first))
        challenge = client.expect(Kind.AUTH)
        client.publish("a", b"meanwhile", 1)
        assert client.take().payload == b"meanwhile"
        client.send(auth_packet(CONTINUE, scram.final(challenge.property("authentication_data"))))
        done = client.expect(Kind.AUTH)
        assert done.code == 0 and done.property("authentication_method") == METHOD
        scram.check(done.property("authentication_data"))
    client.ping()


@pytest.mark.parametrize("user, password", [("alice", "pen"), ("nobody", "x")])
def test_a_wrong_proof_ends_the_connection(broker, dial, user, password):
    client = dial(broker)
    prove(client, Scram("alice", "pencil"))
    if user == "alice":
        again(client, Scram(user, password))
    else:
        client.send(auth_packet(AGAIN, Scram(user, password).first))
    client.expect_refusal(NOT_AUTHORIZED)


def test_a_connection_stays_with_its_user(broker, dial, passwords):
    set_password(passwords, "carol", "pencil", "--scram")
    status, _ = broker.api("POST", "/v1/config/reload")
    assert status == 200
    client = dial(broker)
    prove(client, Scram("alice", "pencil"))
    client.send(auth_packet(AGAIN, Scram("carol", "pencil").first))
    client.expect_refusal(NOT_AUTHORIZED)


@pytest.mark.parametrize("packets, code", [
    ([auth_packet(AGAIN, "n,,n=alice,r=x", method="SCRAM-SHA-1")], PROTOCOL_ERROR),
    ([auth_packet(AGAIN, None, method=None)], PROTOCOL_ERROR),
    ([auth_packet(CONTINUE, "c=biws")], PROTOCOL_ERROR),
    ([auth_packet(AGAIN, "n,,n=alice,r=x"), auth_packet(AGAIN, "n,,n=alice,r=x")], PROTOCOL_ERROR),
    ([auth_packet(AGAIN, "nonsense")], NOT_AUTHORIZED),
    ([auth_packet(0x01)], PROTOCOL_ERROR),
    ([frame(Kind.AUTH, b"\x19\x05\x15\x00")], MALFORMED),
])
def test_re_authentication_out_of_turn_ends_the_connection(broker, dial, packets, code):
    client = dial(broker)
    prove(client, Scram("alice", "pencil"))
    for packet in packets:
        client.send(packet)
    client.expect_refusal(code)


def test_who_came_without_a_method_cannot_begin_one(broker, join):
    client = join(broker, V5, username="alice", password="pencil")
    client.send(auth_packet(AGAIN, Scram("alice", "pencil").first))
    client.expect_refusal(PROTOCOL_ERROR)


def test_auth_is_nothing_in_3_1_1(broker, join):
    client = join(broker, V311, username="alice", password="pencil")
    client.send(auth_packet(AGAIN, Scram("alice", "pencil").first))
    client.expect_closed()


def test_a_new_line_ends_who_came_in_by_the_old_one(broker, dial, passwords):
    client, bystander = dial(broker), dial(broker)
    prove(client, Scram("alice", "pencil"))
    bystander.connect("bob", username="bob", password="b")
    set_password(passwords, "alice", "pen", "--scram")
    status, _ = broker.api("POST", "/v1/config/reload")
    assert status == 200
    client.expect_refusal(ADMINISTRATIVE_ACTION)
    bystander.ping()
    prove(dial(broker), Scram("alice", "pen"))
