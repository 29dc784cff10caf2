"""SIGHUP and `naru config reload`: new passwords, rights and limits without a restart."""
import signal
import subprocess

import pytest

from narud_server import naru_binary, narud_binary, wait_until
from raw_mqtt import V5, Client, Will

NOT_AUTHORIZED = 0x87
ADMINISTRATIVE_ACTION = 0x98


@pytest.fixture
def passwords(tmp_path):
    """Writes a password file as `naru passwd` does; a user with a new password gets a new line."""
    file = tmp_path / "passwords"

    def write(users):
        file.unlink(missing_ok=True)
        file.touch()
        for user, password in users.items():
            subprocess.run([naru_binary(), "passwd", str(file), user], input=password + "\n",
                           text=True, check=True, stdout=subprocess.PIPE)
        return file

    return write


@pytest.fixture
def acl(tmp_path):
    def write(text):
        file = tmp_path / "acl"
        file.write_text(text)
        return file

    return write


def hang_up(broker):
    """SIGHUP, until the log has its end."""
    ends = ("reloaded", "reload_refused")
    before = sum(broker.log().count(end) for end in ends)
    broker.send_signal(signal.SIGHUP)
    wait_until(lambda: sum(broker.log().count(end) for end in ends) > before, what="a reload")


def reload(broker):
    status, answer = broker.api("POST", "/v1/config/reload")
    assert status == 200, answer
    return answer["problems"]


def naru(broker, *arguments):
    return subprocess.run([naru_binary(), "--socket", broker.api_socket, *arguments], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=30)


def reconfigure(broker, old, new):
    text = broker.config_file.read_text()
    assert old in text
    broker.config_file.write_text(text.replace(old, new))


@pytest.mark.parametrize("how", [reload, hang_up], ids=["api", "sighup"])
def test_who_is_not_let_in_any_more_is_ended(start_broker, join, dial, passwords, version, how):
    file = passwords({"alice": "a", "bob": "b", "carol": "c"})
    kept = file.read_text().splitlines()[0]
    broker = start_broker(f"allow_anonymous false\npassword_file {file}")
    alice, bob, carol = [join(broker, version, user, username=user, password=user[0])
                         for user in ("alice", "bob", "carol")]
    passwords({"bob": "new"})
    file.write_text(kept + "\n" + file.read_text())
    how(broker)
    for gone in bob, carol:  # A new password, no line any more.
        gone.expect_refusal(ADMINISTRATIVE_ACTION)
    alice.ping()
    dial(broker, version).connect("bob", username="bob", password="new")
    refused = 0x86 if version == V5 else 4
    dial(broker, version).connect("carol", refused, username="carol", password="c")


def test_who_is_ended_has_its_line_whatever_was_told_before(start_broker, join, dial, passwords,
                                                            acl):
    file = passwords({"bob": "b"})
    broker = start_broker(f"allow_anonymous false\npassword_file {file}\n"
                          f"acl_file {acl('topic read a')}")
    dial(broker).connect("car1", 0x86, username="bob", password="wrong")
    client = join(broker, V5, "car1", username="bob", password="b")
    assert client.publish("a", b"", 1).code == NOT_AUTHORIZED
    passwords({"bob": "new"})
    reload(broker)
    client.expect_refusal(ADMINISTRATIVE_ACTION)

    def told():
        return [line for line in broker.log().splitlines() if " denied " in line]

    wait_until(lambda: len(told()) >= 3, what="three lines")
    for line, part in zip(told(), ["password is wrong", "what=publish", "after the reload"]):
        assert part in line and "client=car1" in line and "user=bob" in line, line
    assert len(told()) == 3


def test_a_right_that_ended_delivers_nothing_more(start_broker, join, acl, version):
    file = acl("topic #\n")
    broker = start_broker(f"acl_file {file}")
    properties = {"session_expiry_interval": 600} if version == V5 else ()
    reader = join(broker, version, "reader")
    sleeper = join(broker, version, "sleeper", clean=False, properties=properties)
    writer = join(broker, V5)
    for client in reader, sleeper:
        client.subscribe("#", 1)
    sleeper.disconnect()
    writer.publish("secret", b"queued", 1)
    assert reader.take().payload == b"queued"
    acl("topic write #\ntopic read open\n")
    reload(broker)
    writer.publish("secret", b"no", 1)
    writer.publish("open", b"yes", 1)
    assert reader.take().payload == b"yes"
    again = join(broker, version, "sleeper", clean=False, properties=properties)
    assert again.take().payload == b"yes"
    acl("topic #\n")
    reload(broker)
    writer.publish("secret", b"again", 1)
    assert reader.take().payload == b"again"


def test_a_will_whose_right_ended_is_not_published(start_broker, join, acl):
    file = acl("topic #\n")
    broker = start_broker(f"acl_file {file}")
    client = join(broker, V5, will=Will("secret", b"no", 1))
    reader = join(broker, V5)
    reader.subscribe("#", 1)
    acl("topic write open\ntopic read #\n")
    reload(broker)
    before = broker.counter("denied_publishes")
    client.close()
    wait_until(lambda: broker.counter("denied_publishes") == before + 1, what="a refused will")
    reader.ping()
    assert broker.counter("wills") == 0


def test_a_wrong_file_keeps_the_old_rules(start_broker, join, acl, passwords):
    rights = acl("topic #\n")
    broker = start_broker(f"acl_file {rights}\npassword_file {passwords({'alice': 'a'})}")
    client = join(broker, V5)
    acl("topic writes a\ntopic #\nuser\n")
    status, answer = broker.api("POST", "/v1/config/reload")
    assert status == 422
    assert [line.split(": ")[0] for line in answer["problems"]] == [f"{rights}:1", f"{rights}:3"]
    done = naru(broker, "config", "reload")
    assert done.returncode == 1
    assert f"{rights}:1: " in done.stderr and f"{rights}:3: " in done.stderr
    hang_up(broker)
    assert f"{rights}:3: " in broker.log()
    assert client.publish("a", b"", 1).code in (0, 0x10)
    rights.write_text("topic read #\n")
    done = naru(broker, "config", "reload")
    assert done.returncode == 0, done
    assert client.publish("a", b"", 1).code == NOT_AUTHORIZED


def test_a_wrong_configuration_keeps_the_old_one(start_broker, join):
    broker = start_broker("max_keepalive 600")
    client = join(broker, V5)
    reconfigure(broker, "max_keepalive 600", "max_keepalive many\nnonsense 1")
    status, answer = broker.api("POST", "/v1/config/reload")
    assert status == 422
    assert sum("nonsense" in line or "max_keepalive" in line for line in answer["problems"]) == 2
    client.ping()
    reconfigure(broker, "max_keepalive many\nnonsense 1", "max_keepalive 77\nmax_packet_size 5M")
    problems = reload(broker)
    assert any("max_packet_size" in line and "restart" in line for line in problems)
    assert join(broker, V5, keep_alive=600).connack.property("server_keep_alive") == 77
    client.ping()


def test_anonymous_clients_end_when_they_are_not_allowed_any_more(start_broker, join, version):
    broker = start_broker("allow_anonymous true")
    client = join(broker, version)
    reconfigure(broker, "allow_anonymous true", "allow_anonymous false")
    reload(broker)
    client.expect_refusal(ADMINISTRATIVE_ACTION)


def check(config, *arguments):
    done = subprocess.run([narud_binary(), "--check", "-c", str(config), *arguments], text=True,
                          check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0, done
    return done.stdout


def test_what_listeners_mean_together_is_said_of_those_that_are_opened(tmp_path, passwords):
    nobody, somebody = tmp_path / "nobody.conf", tmp_path / "somebody.conf"
    file = passwords({"alice": "a"})
    file.chmod(0o600)
    nobody.write_text("listener 1883\n")
    somebody.write_text(f"listener 1883\npassword_file {file}\n")
    good = "the configuration is good\n"
    assert "no client can connect" in check(nobody)
    assert "no client can connect" in check(nobody, "--listen", "0.0.0.0:1883")
    assert check(nobody, "--listen", "1883") == good
    assert check(somebody) == check(somebody, "--listen", "0.0.0.0:1883") == good


def test_a_secret_that_everybody_may_read_is_noticed(start_broker, passwords):
    file = passwords({"alice": "a"})
    file.chmod(0o644)
    broker = start_broker(f"allow_anonymous false\npassword_file {file}")
    line = broker.config_file.read_text().splitlines().index(f"password_file {file}") + 1
    notice = (f"{broker.config_file}:{line}: notice: password_file {file}: everybody on this "
              "machine may read it; chmod 640 it, ")
    assert broker.log().count(notice) == 1
    assert check(broker.config_file).count(notice) == 1
    assert naru(broker, "config", "check", broker.config_file).stdout.startswith("notice\t")
    problem, = reload(broker)
    assert problem.startswith(notice)
    file.chmod(0o640)
    assert reload(broker) == []
    assert check(broker.config_file) == "the configuration is good\n"


def test_check_reads_the_files_too(tmp_path, acl):
    file = acl("topic writes a\n")
    config = tmp_path / "narud.conf"
    config.write_text(f"listener 1883\nallow_anonymous true\nacl_file {file}\n")
    done = subprocess.run([narud_binary(), "--check", "-c", str(config)], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 2
    assert f"{file}:1: " in done.stdout


# ------------------------------------------------------------------- client ids


def test_client_ids_with_the_prefix_alone(start_broker, dial, join, version):
    broker = start_broker("clientid_prefixes car-")
    refused = NOT_AUTHORIZED if version == V5 else 5
    join(broker, version, "car-1").ping()
    before = broker.counter("denied_connects")
    for client_id in "bike-1", "ca", "":
        dial(broker, version).connect(client_id, refused)
    assert broker.counter("denied_connects") == before + 3


def test_the_user_name_is_the_client_id(start_broker, dial, version):
    broker = start_broker("listener auto 127.0.0.1\nuse_username_as_clientid true")
    first = dial(broker, version)
    first.connect("whatever", username="car-1")
    wait_until(lambda: broker.session("car-1"), what="the client by its user name")
    assert broker.session("whatever") is None
    second = dial(broker, version)
    connack = second.connect("", username="car-1")  # The same client: it takes over.
    if version == V5:
        assert connack.property("assigned_client_identifier") == "car-1"
    first.expect_closed()
    dial(broker, version).connect("c", NOT_AUTHORIZED if version == V5 else 5)


def test_each_listener_has_its_own_rules(start_broker, passwords, acl, version):
    broker = start_broker(
        "per_listener_settings true\n"
        f"listener auto 127.0.0.1\nallow_anonymous true\nacl_file {acl('topic open')}\n"
        f"listener auto 127.0.0.1\nallow_anonymous false\npassword_file {passwords({'a': 'x'})}\n")
    ports = [int(line.split("\t")[1]) for line in broker.port_file.read_text().splitlines()]
    one, two = Client(ports[0], version), Client(ports[1], version)
    one.connect("one")
    two.connect("two", username="a", password="x")
    if version == V5:
        assert one.publish("closed", b"", 1).code == NOT_AUTHORIZED
    assert two.publish("closed", b"", 1).code in (0, 0x10)
    third = Client(ports[1], version)
    third.connect("three", NOT_AUTHORIZED if version == V5 else 5)
    for client in one, two, third:
        client.close()


def test_a_reload_keeps_each_listener_to_its_own_rules(start_broker, passwords, acl):
    file = acl("topic open")
    broker = start_broker(
        "per_listener_settings true\n"
        f"listener auto 127.0.0.1\nallow_anonymous true\nacl_file {file}\n"
        f"listener auto 127.0.0.1\npassword_file {passwords({'a': 'x'})}\n")
    ports = [int(line.split("\t")[1]) for line in broker.port_file.read_text().splitlines()]
    one, two = Client(ports[0], V5), Client(ports[1], V5)
    one.connect("one")
    two.connect("two", username="a", password="x")
    acl("topic other")
    problems = reload(broker)
    assert len([each for each in problems if "takes any user name unproved" in each]) == 1
    assert all(": notice: " in each for each in problems)
    assert one.publish("open", b"", 1).code == NOT_AUTHORIZED
    assert two.publish("open", b"", 1).code in (0, 0x10)
    for client in one, two:
        client.close()
