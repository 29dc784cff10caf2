"""auth_http_url and acl_http_url: the operator's service decides; its silence opens nothing."""
import subprocess
import time

import pytest

from access_service import AccessService
from certificates import Authority
from narud_server import let_pass, naru_binary, narud_binary, wait_until
from raw_mqtt import (V5, V311, Kind, Will, connect_packet, publish_packet, subscribe_packet)

pytestmark = pytest.mark.core

NOT_AUTHORIZED = 0x87
ADMINISTRATIVE_ACTION = 0x98


@pytest.fixture
def service():
    running = AccessService()
    yield running
    running.close()


@pytest.fixture
def gated(start_broker, service):
    """A broker whose clients the service lets in."""
    def start(*lines):
        return start_broker("\n".join(["allow_anonymous false",
                                       f"auth_http_url {service.url}/auth", *lines]))
    return start


@pytest.fixture
def ruled(start_broker, service):
    """A broker whose topics the service rules."""
    def start(*lines):
        return start_broker("\n".join(["allow_anonymous true",
                                       f"acl_http_url {service.url}/acl", *lines]))
    return start


def refused(version):
    return 0x86 if version == V5 else 4


def unavailable(version):
    return 0x88 if version == V5 else 3


def explained(broker, text):
    wait_until(lambda: text in broker.log(), what=f"'{text}' in the log")


# ---- who comes in ----------------------------------------------------------------------------


def test_the_service_decides_who_comes_in(gated, service, join, dial, version):
    service.allow = lambda question: 200 if question["password"] == "right" else 403
    broker = gated()
    client = join(broker, version, "car1", username="alice", password="right")
    client.ping()
    dial(broker, version).connect("car2", refused(version), username="alice", password="wrong")
    first, second = service.asked("/auth")
    assert first == {"path": "/auth", "client_id": "car1", "user": "alice", "password": "right",
                     "address": "127.0.0.1"}
    assert second["client_id"] == "car2"
    assert broker.session("car1")["user"] == "alice"
    wait_until(lambda: "auth_http_url denies it" in broker.log())
    assert broker.counter("failed_access_calls") == 0


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 401, 404, 500, 503])
def test_any_other_answer_is_a_failure_and_counted(gated, service, dial, status):
    service.allow = lambda question: status
    broker = gated()
    dial(broker).connect("c", unavailable(V5), username="a", password="b")
    assert broker.counter("failed_access_calls") == 1
    explained(broker, f"auth_http_url failed: it answered {status}")
    assert service.asked("/elsewhere") == [], "nobody follows it elsewhere"


def test_no_answer_in_time_is_a_failure(gated, service, dial, join, version):
    broker = gated("auth_http_timeout 300ms")
    service.allow = lambda question: None
    begun = time.monotonic()
    dial(broker, version).connect("c", unavailable(version), username="a", password="b")
    assert time.monotonic() - begun < 5
    assert broker.counter("failed_access_calls") == 1
    explained(broker, "auth_http_url failed: no answer within 300ms")
    service.allow = lambda question: 200
    join(broker, V5, username="a", password="b").ping()


def test_a_service_that_is_away_lets_nobody_in(start_broker, dial):
    gone = AccessService()
    gone.close()
    broker = start_broker(f"allow_anonymous false\nauth_http_url {gone.url}/auth")
    dial(broker).connect("c", unavailable(V5), username="a", password="b")
    assert broker.counter("failed_access_calls") == 1
    explained(broker, "auth_http_url failed: Failed to connect to 127.0.0.1")


def test_a_service_that_closes_without_an_answer_is_named(gated, service, dial):
    service.allow = lambda question: 0
    broker = gated()
    dial(broker).connect("c", unavailable(V5), username="a", password="b")
    explained(broker, "auth_http_url failed: Empty reply from server")


def test_a_service_whose_certificate_is_refused_is_named(start_broker, dial, service, tmp_path):
    authority = Authority(tmp_path)
    identity = authority.issue("service", "127.0.0.1", alternative="IP:127.0.0.1")
    service.use_tls(identity)
    broker = start_broker(f"allow_anonymous false\nauth_http_url {service.url}/auth")
    dial(broker).connect("c", unavailable(V5), username="a", password="b")
    explained(broker, "auth_http_url failed: SSL certificate problem")
    assert service.questions == []


def test_a_slow_service_holds_up_nobody_else(gated, service, dial, join):
    service.allow = lambda question: None if question["user"] == "slow" else 200
    broker = gated("shards 1", "auth_http_timeout 8s")
    waiting = [dial(broker) for _ in range(20)]
    for number, client in enumerate(waiting):
        client.send(connect_packet(f"slow{number}", username="slow", password=str(number)))
    other = join(broker, V5, username="quick", password="q")
    for _ in range(100):
        other.ping()
    service.held.set()
    for client in waiting:
        assert client.expect(Kind.CONNACK).code == 0


def test_answers_are_remembered_for_as_long_as_said(gated, service, join, dial):
    service.allow = lambda question: 200 if question["password"] == "right" else 403
    broker = gated("auth_http_cache 1h")
    for _ in range(3):
        join(broker, V5, "car1", username="alice", password="right").close()
        dial(broker).connect("car1", refused(V5), username="alice", password="wrong")
    passwords = [question["password"] for question in service.asked("/auth")]
    assert passwords == ["right", "wrong"], "once each"
    status, _ = broker.api("POST", "/v1/config/reload")
    assert status == 200
    join(broker, V5, "car1", username="alice", password="right")
    assert len(service.asked("/auth")) == 3, "a reload forgets"


def test_without_a_cache_each_is_asked_for(gated, service, join):
    broker = gated("auth_http_cache 0ms")
    for _ in range(3):
        join(broker, V5, "car1", username="alice", password="right").close()
    assert len(service.asked("/auth")) == 3


def test_users_of_the_password_file_are_not_asked_for(gated, service, join, dial, tmp_path):
    file = tmp_path / "passwords"
    subprocess.run([naru_binary(), "passwd", str(file), "alice"], input="a\n", text=True,
                   check=True, stdout=subprocess.PIPE, timeout=30)
    broker = gated(f"password_file {file}")
    join(broker, V5, username="alice", password="a").ping()
    dial(broker).connect("c", refused(V5), username="alice", password="b")
    assert service.questions == []
    join(broker, V5, username="bob", password="b").ping()
    assert [question["user"] for question in service.questions] == ["bob"]


def reload(broker, old="", new=""):
    text = broker.config_file.read_text()
    assert old in text
    broker.config_file.write_text(text.replace(old, new) if old else text)
    status, answer = broker.api("POST", "/v1/config/reload")
    assert status == 200, answer


def test_a_line_in_the_password_file_ends_whom_the_service_let_in(gated, service, join, dial,
                                                                  tmp_path):
    file = tmp_path / "passwords"
    file.touch()
    broker = gated(f"password_file {file}")
    dev, other = [join(broker, V5, user, username=user, password="x") for user in ("dev", "other")]
    reload(broker)
    dev.ping()
    subprocess.run([naru_binary(), "passwd", str(file), "dev"], input="y\n", text=True, check=True,
                   stdout=subprocess.PIPE, timeout=30)
    reload(broker)
    dev.expect_refusal(ADMINISTRATIVE_ACTION)
    dial(broker).connect("dev", refused(V5), username="dev", password="x")
    other.ping()


def test_another_service_or_a_kick_ends_whom_this_one_let_in(gated, service, join):
    """Not its second thoughts: nobody's password is kept to ask it again."""
    broker = gated()
    one, two = [join(broker, V5, name, username=name, password="x") for name in ("one", "two")]
    service.allow = lambda question: 403
    reload(broker)
    one.ping()
    done = subprocess.run([naru_binary(), "--socket", broker.api_socket, "clients", "kick", "one"],
                          stdout=subprocess.PIPE, timeout=30, check=False)
    assert done.returncode == 0
    one.expect_refusal(ADMINISTRATIVE_ACTION)
    two.ping()
    reload(broker, f"{service.url}/auth", f"{service.url}/auth2")
    two.expect_refusal(ADMINISTRATIVE_ACTION)


def test_a_password_that_is_no_text_is_refused_unasked(gated, service, dial):
    broker = gated()
    dial(broker).connect("c", refused(V5), username="a", password=b"\xff\xfe")
    assert service.questions == []


def test_nobody_comes_in_without_a_name_unasked(gated, service, dial):
    broker = gated()
    dial(broker).connect("c", NOT_AUTHORIZED)
    assert service.questions == []


def test_a_client_that_leaves_while_it_is_asked_for(gated, service, dial, join):
    service.allow = lambda question: None if question["user"] == "gone" else 200
    broker = gated()
    client = dial(broker)
    client.send(connect_packet("gone", username="gone", password="x"))
    wait_until(lambda: service.questions)
    client.close()
    service.held.set()
    join(broker, V5, username="alice", password="x").ping()
    wait_until(lambda: broker.session("gone") is None)


def test_the_end_does_not_wait_for_an_answer(gated, service, dial):
    service.allow = lambda question: None
    broker = gated("auth_http_timeout 8s")
    client = dial(broker)
    client.send(connect_packet("c", username="a", password="x"))
    wait_until(lambda: service.questions)
    begun = time.monotonic()
    assert broker.terminate() == 0
    assert time.monotonic() - begun < 6


# ---- what they may do ------------------------------------------------------------------------


def own_topics(question):
    mine = question["topic"].startswith(question["client_id"] + "/")
    return 200 if mine or question["topic"] == "news" and question["access"] == "read" else 403


def test_the_service_rules_publishes_and_filters(ruled, service, join, version):
    service.allow = own_topics
    broker = ruled()
    car1, car2 = join(broker, version, "car1"), join(broker, version, "car2")
    assert car1.subscribe("news", 1) == 1
    assert car1.subscribe("car1/#", 1) == 1
    assert car1.subscribe("car2/#", 1) == (NOT_AUTHORIZED if version == V5 else 0x80)
    ack = car2.publish("car2/t", b"x", 1)
    car2.publish("car1/t", b"forbidden", 1)
    car1.publish("car1/t", b"mine", 1)
    assert car1.take().payload == b"mine"
    assert ack is None or ack.code in (0, 0x10)
    assert service.questions[0] == {"path": "/acl", "client_id": "car1", "user": "",
                                    "address": "127.0.0.1", "access": "read", "topic": "news"}
    assert broker.counter("denied_publishes") == 1 and broker.counter("denied_subscribes") == 1


def test_a_shared_filter_is_asked_about_without_its_group(ruled, service, join, version):
    service.allow = lambda question: 403 if question["topic"].startswith("secret") else 200
    broker = ruled()
    client = join(broker, version, "car1")
    refusal = NOT_AUTHORIZED if version == V5 else 0x80
    for filter_, code in [("$share/g/secret/#", refusal), ("secret/#", refusal),
                          ("$share/g/news", 1), ("$share/h/news", 1), ("news", 1)]:
        assert client.subscribe(filter_, 1) == code, filter_
    asked = [(question.get("group"), question["topic"]) for question in service.questions]
    assert asked == [("g", "secret/#"), (None, "secret/#"), ("g", "news"), ("h", "news"),
                     (None, "news")]


def test_the_order_of_a_client_stays(ruled, service, join):
    service.allow = lambda question: (let_pass(0.02), 200)[1]
    broker = ruled()
    client = join(broker, V5, "c")
    client.subscribe("#", 0)
    packets = [publish_packet(f"t/{number % 7}", str(number)) for number in range(70)]
    client.send(b"".join(packets))
    assert [int(client.take().payload) for _ in range(70)] == list(range(70))
    assert len([q for q in service.questions if q["access"] == "write"]) == 7


def test_many_filters_in_one_packet(ruled, service, join):
    service.allow = lambda question: 403 if question["topic"] == "f150" else 200
    broker = ruled()
    client = join(broker, V5, "c")
    filters = [(f"f{number}", 0) for number in range(200)]
    client.send(subscribe_packet(1, filters))
    codes = client.expect(Kind.SUBACK).codes
    assert codes == [0] * 150 + [NOT_AUTHORIZED] + [0] * 49
    client.ping()


def test_no_answer_allows_nothing(ruled, service, join):
    service.allow = lambda question: 500
    broker = ruled()
    client = join(broker, V5, "c")
    assert client.subscribe("a", 1) == NOT_AUTHORIZED
    client.send(publish_packet("a", b"x", 1, 9))
    assert client.expect(Kind.PUBACK).code == NOT_AUTHORIZED
    assert broker.counter("failed_access_calls") == 2
    explained(broker, "acl_http_url failed: it answered 500")


def test_a_will_that_the_service_did_not_answer_for_is_no_refusal(ruled, service, dial, version):
    service.allow = lambda question: 500
    broker = ruled()
    dial(broker, version).connect("c", unavailable(version), will=Will("a", b"x", 1))
    explained(broker, "acl_http_url failed: it answered 500")


def test_a_will_is_asked_for_as_well(ruled, service, join, dial):
    service.allow = own_topics
    broker = ruled()
    watcher = join(broker, V5, "car1")
    watcher.subscribe("car1/#", 1)
    dial(broker).connect("car2", NOT_AUTHORIZED, will=Will("car1/x", b"no", 1))
    good = join(broker, V5, "car3", will=Will("car3/x", b"yes", 1))
    good.ping()
    plain = dial(broker, V311)
    plain.connect("car4", will=Will("car1/x", b"no", 1))
    plain.socket.close()
    watcher.ping()
    assert [q["topic"] for q in service.questions if q["access"] == "write"] == [
        "car1/x", "car3/x", "car1/x"]


def test_both_file_and_service_have_to_allow(ruled, service, join, tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite a\n")
    broker = ruled(f"acl_file {acl}")
    client = join(broker, V5, "c")
    assert client.subscribe("a", 1) == 1
    assert client.subscribe("b", 1) == NOT_AUTHORIZED
    assert [question["topic"] for question in service.questions] == ["a"]


def test_rights_end_with_the_time_they_are_kept(ruled, service, join):
    broker = ruled("auth_http_cache 0ms")
    client = join(broker, V5, "c")
    client.publish("a", b"x", 1)
    service.allow = lambda question: 403

    def is_refused():
        client.send(publish_packet("a", b"x", 1, client.next_id()))
        return client.expect(Kind.PUBACK).code == NOT_AUTHORIZED

    wait_until(is_refused, what="the end of the second for which every answer counts")


# ---- configuration ---------------------------------------------------------------------------


@pytest.mark.parametrize("line, hint", [
    ("auth_http_url fleet.example/auth", "http://"),
    ("acl_http_url ftp://fleet.example/acl", "http://"),
    ("auth_http_timeout 1h", "auth_http_timeout"),
    ("auth_http_cache many", "auth_http_cache"),
])
def test_a_wrong_line_is_named(tmp_path, line, hint):
    file = tmp_path / "wrong.conf"
    file.write_text(f"listener auto 127.0.0.1\nallow_anonymous true\n{line}\n")
    done = subprocess.run([narud_binary(), "-c", str(file), "--check"], text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 2 and "wrong.conf:3: error: " in done.stdout, done.stdout
    assert hint in done.stdout
