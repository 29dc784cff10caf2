"""JSON Web Tokens as passwords: who gets in, for how long, and what no token may do."""
import subprocess

import paho.mqtt.client as paho
import pytest

from narud_server import naru_binary, narud_binary, wait_until
from raw_mqtt import V5, Client, Kind, Will, publish_packet
from tokens import SECRET, Keys, base64url, token

pytestmark = pytest.mark.core

NOT_AUTHORIZED = 0x87
ADMINISTRATIVE_ACTION = 0x98


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


def refused(version):
    return 0x86 if version == V5 else 4


def reload(broker):
    status, answer = broker.api("POST", "/v1/config/reload")
    assert status == 200, answer
    return answer["problems"]


def closed_broker(start_broker, *lines):
    return start_broker("\n".join(["allow_anonymous false", *lines]))


def test_each_algorithm_lets_in_whom_its_key_has_signed(start_broker, join, dial, keys, version):
    public = keys.write_public(keys.rsa, keys.ec)
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}",
                           f"jwt_key_file {public}")
    for number, (algorithm, key) in enumerate([("HS256", SECRET), ("RS256", keys.rsa),
                                               ("ES256", keys.ec)]):
        client = join(broker, version, f"client{number}", username="car1",
                      password=token("car1", algorithm, key))
        client.ping()
        assert broker.session(f"client{number}")["user"] == "car1"
        other = token("car2", algorithm, key)
        dial(broker, version).connect("c", refused(version), username="car1", password=other)
    wait_until(lambda: "names another user" in broker.log())


def test_mosquitto_and_paho_with_a_token(start_broker, tools, keys, version):
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}")
    mine = ["-u", "car1", "-P", token("car1")]
    subscriber = tools.sub(broker, version, *mine, "-t", "t", "-q", "1", "-C", "1")
    subscriber.wait_subscribed()
    tools.pub(broker, version, *mine, "-t", "t", "-m", "by token", "-q", "1")
    assert subscriber.wait_end() == (0, ["by token"])
    codes = []
    client = paho.Client(client_id="paho", protocol=paho.MQTTv311)
    client.username_pw_set("car1", token("car1", lifetime=-60))
    client.on_connect = lambda *arguments: codes.append(arguments[3])
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        wait_until(lambda: codes)
    finally:
        client.loop_stop()
        client.disconnect()
    assert codes[0] == 4, "an old token is no password"


@pytest.mark.parametrize("make, why", [
    (lambda keys: "secret", "no token"),
    (lambda keys: "a.b.c", "base64url"),
    (lambda keys: token(lifetime=-6), "has expired"),
    (lambda keys: token(nbf=4_000_000_000), "not valid yet"),
    (lambda keys: token(exp="never"), "no time"),
    (lambda keys: token(key=b"x" * 32), "none of our keys"),
    (lambda keys: token()[:-3], "none of our keys"),
    (lambda keys: token("car1", "HS256", keys.public(keys.rsa).read_bytes()), "none of our keys"),
    (lambda keys: token("car1", "RS256", keys.ec), "none of our keys"),
    (lambda keys: token(header={"crit": ["exp"]}), "critical"),
    (lambda keys: without_signature("none"), "none of HS256"),
    (lambda keys: without_signature("HS256"), "none of our keys"),
])
def test_what_is_wrong_with_a_token_keeps_its_client_out(start_broker, dial, keys, make, why):
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}",
                           f"jwt_key_file {keys.public(keys.rsa)}")
    dial(broker).connect("c", refused(V5), username="car1", password=make(keys))
    wait_until(lambda: why in broker.log(), what=f"'{why}' in the log")
    assert broker.counter("denied_connects") == 1


def without_signature(algorithm):
    head, claims, _ = token().split(".")
    del head
    return base64url(b'{"alg":"%s"}' % algorithm.encode()) + "." + claims + "."


def test_a_listener_with_keys_lets_no_name_in_without_a_token(start_broker, dial, join, keys):
    """Even where anonymous clients may come in: a name has to be proved."""
    broker = start_broker(f"allow_anonymous true\njwt_secret_file {keys.secret}")
    dial(broker).connect("c", refused(V5), username="car1")
    dial(broker).connect("c", refused(V5), username="car1", password="x")
    join(broker).ping()


def test_issuer_audience_and_claim(start_broker, dial, join, keys):
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}",
                           "jwt_issuer https://id.example", "jwt_audience fleet",
                           "jwt_username_claim device")
    good = {"iss": "https://id.example", "aud": ["fleet", "shop"], "device": "car7"}
    join(broker, V5, "c", username="car7", password=token("x", **good))
    for change in {"iss": "https://id.example.org"}, {"aud": "shop"}, {"device": "car8"}:
        dial(broker).connect("d", refused(V5), username="car7",
                             password=token("x", **{**good, **change}))


def test_without_a_user_name_the_token_names_the_user(start_broker, join, keys, tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("pattern readwrite of/%u\n")
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}", f"acl_file {acl}")
    client = join(broker, V5, "c", password=token("car9"))
    assert broker.session("c")["user"] == "car9"
    assert client.subscribe("of/car9", 1) == 1
    assert client.subscribe("of/car8", 1) == NOT_AUTHORIZED


def test_the_name_of_a_token_is_the_client_id(start_broker, dial, keys):
    """On whichever shard its packet comes in."""
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}",
                           "shards 3", "listener auto 127.0.0.1", "clientid_from username")
    for number in range(8):
        client, name = dial(broker), f"car{number}"
        connack = client.connect("whatever", password=token(name))
        assert connack.code == 0
        assert broker.session(name)["user"] == name
        assert client.subscribe("t", 1) == 1
        client.ping()
    assert broker.session("whatever") is None


def test_the_acl_of_a_token_narrows_what_its_client_may(start_broker, join, dial, keys, tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("pattern readwrite car/#\npattern readwrite both\n")
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}", f"acl_file {acl}")
    rights = {"read": ["car/%c/#", "both", "only/token"], "write": ["car/%c/telemetry"]}
    client = join(broker, V5, "7", username="u", password=token("u", acl=rights))
    free = join(broker, V5, "8", username="u", password=token("u"))
    assert client.subscribe("car/7/#", 1) == 1 and client.subscribe("both", 1) == 1
    assert client.subscribe("car/8/#", 1) == NOT_AUTHORIZED
    assert client.subscribe("only/token", 1) == NOT_AUTHORIZED
    free.publish("both", b"for both", 1)
    assert client.take().payload == b"for both"
    for topic, code in [("car/7/telemetry", 0), ("car/7/x", NOT_AUTHORIZED),
                        ("both", NOT_AUTHORIZED)]:
        client.send(publish_packet(topic, b"x", 1, client.next_id()))
        assert client.await_kind(Kind.PUBACK).code == code, topic
    reload(broker)
    assert client.subscribe("car/8/#", 1) == NOT_AUTHORIZED, "the token still counts"
    will = Will("car/7/x", b"no")
    dial(broker).connect("7", NOT_AUTHORIZED, username="u", password=token("u", acl=rights),
                         will=will)
    dial(broker).connect("7", refused(V5), username="u", password=token("u", acl={"read": "#"}))


def test_each_listener_may_have_keys_of_its_own(start_broker, keys):
    broker = start_broker("\n".join(["per_listener_settings true", "listener auto 127.0.0.1",
                                     "allow_anonymous false", f"jwt_secret_file {keys.secret}",
                                     "listener auto 127.0.0.1",
                                     f"jwt_key_file {keys.public(keys.ec)}"]))
    secret, public = token(), token("car1", "ES256", keys.ec)
    for place, (good, bad) in enumerate([(secret, public), (public, secret)]):
        port = broker.listeners[place][1]
        Client(port).connect("c", username="car1", password=good)
        Client(port).connect("d", refused(V5), username="car1", password=bad)


def test_tokens_and_passwords_side_by_side(start_broker, join, dial, keys, tmp_path):
    file = tmp_path / "passwords"
    subprocess.run([naru_binary(), "passwd", str(file), "alice"], input="a.b\n", text=True,
                   check=True, stdout=subprocess.PIPE, timeout=30)
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}",
                           f"password_file {file}")
    join(broker, V5, username="alice", password="a.b").ping()
    join(broker, V5, username="car1", password=token()).ping()
    dial(broker).connect("c", refused(V5), username="car1", password="a.b")
    dial(broker).connect("c", refused(V5), username="alice", password=token())


def test_a_connection_ends_with_its_token(start_broker, join, dial, keys, version):
    """The skew of five seconds counts at both ends."""
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}")
    short = [join(broker, version, username="car1", password=token(lifetime=-4), keep_alive=seconds)
             for seconds in (0, 60)]
    long = join(broker, version, username="car1", password=token(lifetime=600))
    for client in short:
        said = client.expect_refusal(NOT_AUTHORIZED)
        if version == V5:
            assert said.property("reason_string") == "the token has expired"
    long.ping()
    assert broker.counter("protocol_errors") == 0
    assert "its token has expired" in broker.log()


def test_its_will_goes_out_when_a_token_ends(start_broker, join, keys):
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}")
    watcher = join(broker, V5, username="w", password=token("w"))
    watcher.subscribe("gone", 1)
    join(broker, V5, username="car1", password=token(lifetime=-4), will=Will("gone", b"car1"))
    assert watcher.take().payload == b"car1"


def test_a_key_that_is_withdrawn_ends_whom_it_let_in(start_broker, join, dial, keys, version):
    file = keys.write_public(keys.rsa, keys.ec)
    broker = closed_broker(start_broker, f"jwt_key_file {file}")
    old = join(broker, version, username="car1", password=token("car1", "RS256", keys.rsa))
    kept = join(broker, version, username="car1", password=token("car1", "ES256", keys.ec))
    keys.write_public(keys.ec)
    assert reload(broker) == []
    old.expect_refusal(ADMINISTRATIVE_ACTION)
    kept.ping()
    dial(broker, version).connect("c", refused(version), username="car1",
                                  password=token("car1", "RS256", keys.rsa))


@pytest.mark.parametrize("line, hint", [
    ("jwt_key_file /nowhere/keys.pem", "No such file"),
    ("jwt_key_file PRIVATE", "only the issuer"),
    ("jwt_key_file SECRET", "PEM"),
    ("jwt_secret_file PUBLIC", "name it in jwt_key_file"),
    ("jwt_secret_file SHORT", "32 bytes"),
    ("jwt_issuer https://id.example", "needs a jwt_key_file or jwt_secret_file"),
])
def test_a_wrong_line_is_named_with_what_to_do(keys, tmp_path, line, hint):
    short = tmp_path / "short"
    short.write_text("short")
    for word, path in {"PRIVATE": keys.rsa, "SECRET": keys.secret, "SHORT": short,
                       "PUBLIC": keys.public(keys.ec)}.items():
        line = line.replace(word, str(path))
    file = tmp_path / "wrong.conf"
    for text, number in [(f"listener auto 127.0.0.1\n{line}\n", 2),
                         (f"per_listener_settings true\nlistener auto 127.0.0.1\n{line}\n", 3)]:
        file.write_text(text)
        done = subprocess.run([narud_binary(), "-c", str(file), "--check"], text=True, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 2, done
        assert f"wrong.conf:{number}: error: {line.split()[0]} " in done.stdout
        assert hint in done.stdout


def test_a_wrong_key_file_at_a_reload_keeps_the_old_keys(start_broker, join, keys, tmp_path):
    file = tmp_path / "keys.pem"
    file.write_text(keys.public(keys.ec).read_text())
    broker = closed_broker(start_broker, f"jwt_key_file {file}")
    before = join(broker, V5, username="car1", password=token("car1", "ES256", keys.ec))
    file.write_text("nothing")
    status, answer = broker.api("POST", "/v1/config/reload")
    assert status == 422 and "error: jwt_key_file" in answer["error"]
    before.ping()
    join(broker, V5, username="car1", password=token("car1", "ES256", keys.ec)).ping()


def test_secrets_and_signatures_stay_out_of_the_log(start_broker, dial, keys):
    broker = closed_broker(start_broker, f"jwt_secret_file {keys.secret}", "log_type all")
    text = token(key=b"y" * 32)
    dial(broker).connect("c", refused(V5), username="car1", password=text)
    wait_until(lambda: "none of our keys" in broker.log())
    assert text.split(".")[2] not in broker.log()
