"""Policy variables: rights that follow from what certificates and tokens say of a client."""
import socket
import subprocess

import pytest

from certificates import Authority
from narud_server import naru_binary, narud_binary, wait_until
from raw_mqtt import V5, Client, Kind, Will, connect_packet
from scram import AGAIN, CONTINUE, Scram, auth_packet
from tokens import SECRET, token

pytestmark = pytest.mark.core

NOT_AUTHORIZED = 0x87
GRANTED = (0, 0x10)


@pytest.fixture
def acl(tmp_path):
    file = tmp_path / "acl"

    def write(*lines):
        file.write_text("\n".join(lines) + "\n")
        return file

    return write


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    return file


@pytest.fixture
def with_tokens(start_broker, acl, secret, tmp_path):
    """with_tokens(PATTERNS...): a broker that takes tokens; who has none may read everything on
    its second listener."""
    readers = tmp_path / "readers"
    readers.write_text("topic read #\n")

    def start(*patterns):
        return start_broker(
            "per_listener_settings true\n"
            "listener auto 127.0.0.1\nallow_anonymous false\n"
            f"jwt_secret_file {secret}\nacl_file {acl(*patterns)}\n"
            f"listener auto 127.0.0.1\nallow_anonymous true\nacl_file {readers}\n")

    return start


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    return Fleet(tmp_path_factory.mktemp("fleet"))


class Fleet:
    """An authority, the broker's certificate, and cars with units in theirs."""

    def __init__(self, directory):
        self.authority = Authority(directory)
        self.broker = self.authority.issue("broker", "localhost",
                                           alternative="DNS:localhost,IP:127.0.0.1")
        self.truck = self.authority.issue("truck", "truck1", "Fleet/OU=trucks",
                                          "DNS:truck1.example,URI:urn:truck:1")
        self.van = self.authority.issue("van", "van1", "Fleet/OU=vans")
        self.odd = self.authority.issue("odd", "odd1", "Fleet/OU=R\\+D")
        self.bare = self.authority.issue("bare", "bare1")

    def listener(self, acl_file):
        return (f"acl_file {acl_file}\nlistener auto 127.0.0.1\ncertfile {self.broker[0]}\n"
                f"keyfile {self.broker[1]}\ncafile {self.authority.crt}\n"
                "require_certificate true\nuse_identity_as_username true\n")

    def open(self, broker, certificate, version=V5):
        stream = socket.create_connection(("127.0.0.1", broker.port), timeout=8)
        return Client(0, version, stream=self.authority.context(certificate).wrap_socket(
            stream, server_hostname="localhost"))

    def dial(self, broker, certificate, client_id, version=V5, **options):
        client = self.open(broker, certificate, version)
        client.connect(client_id, **options)
        return client

    def serial(self, certificate):
        done = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", certificate[0]],
                              stdout=subprocess.PIPE, text=True, check=True, timeout=60)
        return done.stdout.strip().partition("=")[2]


def reload(broker):
    return broker.api("POST", "/v1/config/reload")


def denial_of(broker, client_id):
    def lines():
        return [line for line in broker.log().splitlines()
                if "denied" in line and client_id in line]

    wait_until(lines, what="a denial in the log")
    return lines()[0]


def bearer(user="car1", **claims):
    return {"username": user, "password": token(user, **claims)}


# ---- tokens --------------------------------------------------------------------------------------

def test_one_pattern_serves_every_fleet(with_tokens, join, unique, version):
    broker = with_tokens("pattern readwrite fleet/${jwt.fleet}/%c/#")
    for number, fleet in enumerate(["west", "east", 7, -1]):
        client = join(broker, version, unique(f"car{number}-"), **bearer(fleet=fleet))
        mine = f"fleet/{fleet}/{client.client_id}/a"
        client.subscribe("#", 1)
        client.publish(f"fleet/other/{client.client_id}/a", b"no", 1)
        client.publish(mine, b"yes", 1)
        assert client.take().payload == b"yes"
        assert broker.session(client.client_id)["variables"] == {"${jwt.fleet}": str(fleet)}


def test_mosquitto_clients_with_claims(with_tokens, tools, version):
    broker = with_tokens("pattern readwrite fleet/${jwt.fleet}/#")
    west, east = ["-u", "car1", "-P", token(fleet="west")], ["-u", "car1", "-P",
                                                             token(fleet="east")]
    reader = tools.sub(broker, version, *west, "-t", "fleet/#", "-q", "1", "-C", "1")
    reader.wait_subscribed()
    tools.pub(broker, version, *east, "-t", "fleet/west/a", "-m", "no", "-q", "1")
    tools.pub(broker, version, *east, "-t", "fleet/east/a", "-m", "no", "-q", "1")
    tools.pub(broker, version, *west, "-t", "fleet/west/a", "-m", "yes", "-q", "1")
    assert reader.wait_end() == (0, ["yes"])


@pytest.mark.parametrize("claims, why", [
    ({}, "no value for ${jwt.fleet}"),
    ({"fleet": ""}, "no value for ${jwt.fleet}"),
    ({"fleet": ["west"]}, "no value for ${jwt.fleet}"),
    ({"fleet": True}, "no value for ${jwt.fleet}"),
    ({"fleet": 1.5}, "no value for ${jwt.fleet}"),
    ({"fleet": "x" * 257}, "no value for ${jwt.fleet}"),
    ({"fleet": "+"}, "the value of ${jwt.fleet} may not stand in a topic"),
    ({"fleet": "#"}, "the value of ${jwt.fleet} may not stand in a topic"),
    ({"fleet": "we+st"}, "the value of ${jwt.fleet} may not stand in a topic"),
    ({"fleet": "we\0st"}, "the value of ${jwt.fleet} may not stand in a topic"),
])
def test_what_is_no_value_grants_nothing_and_says_so(with_tokens, join, unique, claims, why):
    broker = with_tokens("pattern readwrite fleet/${jwt.fleet}/#")
    client = join(broker, V5, unique("odd"), **bearer(**claims))
    for topic in "fleet/west/a", "fleet//a", "fleet/a":
        assert client.publish(topic, b"no", 1).code == NOT_AUTHORIZED
    for wanted in "fleet/#", "fleet/+/a", "#":
        assert client.subscribe(wanted, 1) == NOT_AUTHORIZED
    assert why in denial_of(broker, client.client_id)


def test_a_value_cannot_move_levels_or_reach_what_is_the_brokers(with_tokens, join, unique):
    broker = with_tokens("pattern readwrite fleet/${jwt.fleet}/x", "pattern read ${jwt.top}/#")
    client = join(broker, V5, unique("odd"), **bearer(fleet="west/cars", top="$SYS"))
    assert client.publish("fleet/west/cars/x", b"no", 1).code == NOT_AUTHORIZED
    assert client.publish("fleet/west/x", b"no", 1).code == NOT_AUTHORIZED
    assert client.subscribe("$SYS/#", 1) == NOT_AUTHORIZED


def test_a_new_token_brings_new_claims(with_tokens, join, version):
    broker = with_tokens("pattern readwrite fleet/${jwt.fleet}/#")
    kept = {"clean": False, "properties": {"session_expiry_interval": 60} if version == V5 else ()}
    before = join(broker, version, "car1", **bearer(fleet="west"), **kept)
    before.subscribe("fleet/#", 1)
    before.publish("fleet/west/1", b"west", 1)
    assert before.take().payload == b"west"
    after = join(broker, version, "car1", **bearer(fleet="east"), **kept)  # Takes it over.
    after.publish("fleet/west/1", b"no", 1)
    after.publish("fleet/east/1", b"east", 1)
    assert after.take().payload == b"east", "the session's filter is old, its rights are new"
    assert broker.session("car1")["variables"] == {"${jwt.fleet}": "east"}


def test_a_reload_may_name_other_claims(with_tokens, join, acl, version):
    broker = with_tokens("pattern readwrite fleet/${jwt.fleet}/#")
    client = join(broker, version, "car1", **bearer(fleet="west", region=9))
    client.subscribe("+/#", 1)
    acl("pattern readwrite region/${jwt.region}/#")
    assert reload(broker)[0] == 200
    client.publish("fleet/west/1", b"no", 1)
    client.publish("region/9/1", b"yes", 1)
    assert client.take().payload == b"yes"


def test_variables_in_the_acl_of_a_token(with_tokens, join, version):
    broker = with_tokens("pattern readwrite fleet/#")
    limits = {"read": ["fleet/${jwt.fleet}/#"], "write": ["fleet/${jwt.fleet}/${clientid}"]}
    client = join(broker, version, "car1", **bearer(fleet="west", acl=limits))
    client.subscribe("#", 1)
    client.publish("fleet/west/car2", b"no", 1)
    client.publish("fleet/west/car1", b"yes", 1)
    assert client.take().payload == b"yes"


def test_a_token_with_an_unknown_variable_lets_nobody_in(with_tokens, dial, version):
    broker = with_tokens("pattern readwrite fleet/#")
    dial(broker, version).connect("c", 0x86 if version == V5 else 4,
                                  **bearer(acl={"read": ["${jwt}"]}))


def test_a_will_has_the_values_of_its_client(with_tokens, dial, join, acl):
    broker = with_tokens("pattern write fleet/${jwt.fleet}/${clientid}/gone")
    reader = Client(broker.listeners[1][1], V5)
    reader.connect("reader")
    reader.subscribe("#", 1)
    dial(broker).connect("car1", NOT_AUTHORIZED, will=Will("fleet/east/car1/gone", b"", 1),
                         **bearer(fleet="west"))
    for end in "first", "second":
        client = join(broker, V5, "car1", will=Will("fleet/west/car1/gone", end.encode(), 1),
                      **bearer(fleet="west"))
        client.close()
        assert reader.take().payload == end.encode()
    client = join(broker, V5, "car1", will=Will("fleet/west/car1/gone", b"no", 1),
                  **bearer(fleet="west"))
    acl("pattern write elsewhere/${jwt.fleet}")
    assert reload(broker)[0] == 200
    before = broker.counter("denied_publishes")
    client.close()
    wait_until(lambda: broker.counter("denied_publishes") == before + 1, what="a refused will")
    reader.close()


# ---- certificates --------------------------------------------------------------------------------

def test_fields_of_a_certificate(start_broker, fleet, acl, version):
    broker = start_broker(fleet.listener(acl(
        "pattern readwrite cn/${cert.cn}/%u", "pattern readwrite o/${cert.o}/${cert.ou}",
        "pattern readwrite serial/${cert.serial}", "pattern readwrite dns/${cert.san.dns}",
        "pattern readwrite uri/${cert.san.uri}")))
    truck = fleet.dial(broker, fleet.truck, "truck", version)
    truck.subscribe("#", 1)
    for topic in ("cn/truck1/truck1", "o/Fleet/trucks", f"serial/{fleet.serial(fleet.truck)}",
                  "dns/truck1.example", "uri/urn:truck:1"):
        truck.publish(topic.replace("1", "2").replace("trucks", "vans"), b"no", 1)
        truck.publish(topic, topic.encode(), 1)
        assert truck.take().payload == topic.encode()
    bare = fleet.dial(broker, fleet.bare, "bare", V5)
    for topic in "o/Fleet/trucks", "o//", "dns/", "uri/urn:truck:1":
        assert bare.publish(topic, b"no", 1).code == NOT_AUTHORIZED
    assert "no value for ${cert.o}" in denial_of(broker, "bare")
    assert bare.publish(f"serial/{fleet.serial(fleet.bare)}", b"", 1).code in GRANTED
    truck.close()
    bare.close()


def test_mosquitto_clients_with_certificates(start_broker, fleet, acl, tools, version):
    broker = start_broker(fleet.listener(acl("pattern readwrite unit/${cert.ou}/#")))

    def options(certificate):
        return ["--cafile", fleet.authority.crt, "--cert", certificate[0], "--key",
                certificate[1]]

    reader = tools.sub(broker, version, *options(fleet.truck), "-t", "#", "-q", "1", "-C", "1")
    reader.wait_subscribed()
    for certificate, text in (fleet.van, "no"), (fleet.odd, "no"), (fleet.truck, "yes"):
        tools.pub(broker, version, *options(certificate), "-t", "unit/trucks/a", "-m", text, "-q",
                  "1")
    assert reader.wait_end() == (0, ["yes"])


def test_a_wildcard_in_a_certificate_is_no_value(start_broker, fleet, acl):
    broker = start_broker(fleet.listener(acl("pattern readwrite unit/${cert.ou}/#")))
    odd = fleet.dial(broker, fleet.odd, "odd")
    for topic in "unit/R/a", "unit/RD/a", "unit/trucks/a":
        assert odd.publish(topic, b"no", 1).code == NOT_AUTHORIZED
    assert "the value of ${cert.ou} may not stand in a topic" in denial_of(broker, "odd")
    odd.close()


def test_a_reload_may_name_other_fields(start_broker, fleet, acl, version):
    """Of clients on either shard, whichever accepted them."""
    broker = start_broker("shards 2\n" + fleet.listener(acl("pattern readwrite car/%c")))
    cars = [fleet.dial(broker, fleet.truck, f"truck{number}", version) for number in range(6)]
    assert broker.session("truck0")["variables"] == {}
    acl("pattern readwrite unit/${cert.ou}/%c")
    assert reload(broker)[0] == 200
    for number, car in enumerate(cars):
        car.subscribe("#", 1)
        car.publish(f"unit/vans/truck{number}", b"no", 1)
        car.publish(f"unit/trucks/truck{number}", b"yes", 1)
        assert car.take().payload == b"yes"
        car.close()


def test_values_travel_with_a_connection_that_is_handed_over(start_broker, fleet, acl, version):
    """Six client ids hash to both of two shards, and the kernel spreads connections as well."""
    broker = start_broker("shards 2\n" + fleet.listener(acl(
        "pattern readwrite unit/${cert.ou}/${clientid}/#")))
    kept = {"clean": False, "properties": {"session_expiry_interval": 60} if version == V5 else ()}
    for number in range(6):
        name = f"car{number}"
        car = fleet.dial(broker, fleet.truck, name, version, **kept,
                         will=Will(f"unit/trucks/{name}/will", b"gone", 1))
        car.subscribe("#", 1)
        car.publish(f"unit/vans/{name}/a", b"no", 1)
        car.publish(f"unit/trucks/{name}/a", b"yes", 1)
        assert car.take().payload == b"yes"
        car.close()
        again = fleet.dial(broker, fleet.truck, name, version, **kept)
        assert again.take().payload == b"gone"
        again.close()


def test_a_resumed_tls_session_has_its_certificate(start_broker, fleet, acl):
    broker = start_broker(fleet.listener(acl("pattern readwrite unit/${cert.ou}")))
    context = fleet.authority.context(fleet.truck)
    session = None
    for resumed in False, True:
        stream = context.wrap_socket(
            socket.create_connection(("127.0.0.1", broker.port), timeout=8),
            server_hostname="localhost", session=session)
        client = Client(0, V5, stream=stream)
        client.connect("truck")
        assert stream.session_reused == resumed
        assert client.publish("unit/trucks", b"", 1).code in GRANTED
        assert client.publish("unit/vans", b"", 1).code == NOT_AUTHORIZED
        session = stream.session
        client.close()


def test_a_new_proof_leaves_the_certificate_as_it_is(start_broker, fleet, acl, tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run([naru_binary(), "passwd", "--scram", str(passwords), "alice"], input="pencil\n",
                   text=True, check=True, stdout=subprocess.PIPE, timeout=60)
    listener = fleet.listener(acl("pattern readwrite unit/${cert.ou}/%u"))
    broker = start_broker(f"password_file {passwords}\n" +
                          listener.replace("use_identity_as_username true", ""))
    client = fleet.open(broker, fleet.truck)
    answered = Kind.CONNACK
    for number in range(2):
        scram = Scram("alice", "pencil")
        client.send(auth_packet(AGAIN, scram.first) if number else
                    connect_packet("car1", properties=scram.properties()))
        challenge = client.expect(Kind.AUTH)
        client.send(auth_packet(CONTINUE, scram.final(challenge.property("authentication_data"))))
        assert client.expect(answered).code == 0
        answered = Kind.AUTH
        assert client.publish("unit/trucks/alice", b"", 1).code in GRANTED
        assert client.publish("unit/vans/alice", b"", 1).code == NOT_AUTHORIZED
    client.close()


# ---- files ---------------------------------------------------------------------------------------

def test_an_unknown_variable_is_an_error_with_its_line(acl, tmp_path):
    file = acl("# one", "pattern read a/${jwt.fleet}", "pattern read a/${cert.CN}/b",
               "topic read a/${username}", "pattern read ${jwt.fleet")
    config = tmp_path / "narud.conf"
    config.write_text(f"listener auto 127.0.0.1\nacl_file {file}\n")
    for check in ["--check"], []:
        done = subprocess.run(
            [narud_binary(), "--data", str(tmp_path / "data"), "-c", str(config), *check],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60, check=False)
        assert done.returncode in (1, 2)
        assert f"{file}:3: " in done.stdout and "'${cert.CN}' is no variable" in done.stdout
        assert "${cert.cn}" in done.stdout, "what there is"
        assert f"{file}:4: " in done.stdout and "'pattern'" in done.stdout
        assert f"{file}:5: " in done.stdout
        assert f"{file}:2: " not in done.stdout


def test_a_wrong_variable_at_a_reload_keeps_the_old_rules(with_tokens, join, acl):
    broker = with_tokens("pattern readwrite fleet/${jwt.fleet}/#")
    client = join(broker, V5, "car1", **bearer(fleet="west"))
    file = acl("pattern readwrite fleet/${jwt.fleet}/#", "pattern readwrite ${fleet}/#")
    status, answer = reload(broker)
    assert status == 422
    assert any(f"{file}:2: " in each and "${jwt.CLAIM}" in each for each in answer["problems"])
    assert client.publish("fleet/west/a", b"", 1).code in GRANTED
    assert client.publish("${fleet}/a", b"", 1).code == NOT_AUTHORIZED


def test_naru_explains_what_the_rules_know(with_tokens, join):
    broker = with_tokens("pattern readwrite fleet/${jwt.fleet}/${cert.ou}/#")
    join(broker, V5, "car1", **bearer(fleet="west"))
    done = subprocess.run([naru_binary(), "--socket", broker.api_socket, "clients", "explain",
                           "car1"], stdout=subprocess.PIPE, text=True, check=True, timeout=30)
    assert "Its rights know ${jwt.fleet} as 'west'." in done.stdout
    assert "Its rights name ${cert.ou}, for which it has no value." in done.stdout
