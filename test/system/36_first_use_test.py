"""What goes wrong in the first hour with a new program: it says what and what to do, and its exit
code does not lie."""
import json
import os
import pathlib
import pty
import shutil
import socket
import stat
import subprocess
import tempfile

import pytest

from narud_server import naru_binary, narud_binary, wait_until
from raw_mqtt import V5, Client

PATIENCE = 30
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")


def run(*command, code, **options):
    options.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run(list(map(str, command)), text=True, check=False, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    assert done.returncode == code, done
    return (done.stdout or "") + done.stderr


def naru(broker, *arguments, code=0, **options):
    return run(naru_binary(), "--socket", broker.api_socket, *arguments, code=code, **options)


@pytest.fixture
def public_directory():
    """Everybody may look into it, unlike the one of a test's broker."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="naru-public-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def for_everybody(public_directory):
    """A copy of a program where any user may start it."""
    return lambda binary: shutil.copy(binary, public_directory)


# ------------------------------------------------------------------ output that cannot be written

def test_what_cannot_be_written_is_no_success(broker, tools):
    tools.pub(broker, V5, "-q", "1", "-t", "vehicles/car1/telemetry", "-m", "1")
    for command in (["status"], ["--json", "status"], ["stream", "list"], ["metrics"],
                    ["stream", "tail", "telemetry"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            said = naru(broker, *command, code=1, stdout=full)
        assert "cannot be written: No space left" in said, command


def test_a_help_that_cannot_be_written_is_no_success():
    with open("/dev/full", "w", encoding="utf-8") as full:
        assert "cannot be written" in run(naru_binary(), "--help", code=1, stdout=full)


def test_a_consumer_that_could_not_write_stays_where_it_was(own_broker, tools):
    tools.pub(own_broker, V5, "-q", "1", "-t", "vehicles/car1/telemetry", "-m", "kept")
    tail = ["stream", "tail", "telemetry", "--consumer", "report"]
    with open("/dev/full", "w", encoding="utf-8") as full:
        naru(own_broker, *tail, code=1, stdout=full)
    assert "kept" in naru(own_broker, *tail)


@pytest.mark.parametrize("qos", ["1", "2"])
def test_a_message_that_could_not_be_written_is_not_acknowledged(own_broker, tools, qos):
    sub = ["sub", "-p", own_broker.port, "-i", "keeper", "-c", "-t", "a", "-q", qos, "-C", "1"]
    naru(own_broker, *sub, "-W", "1", code=1)
    tools.pub(own_broker, V5, "-q", qos, "-t", "a", "-m", "kept")
    with open("/dev/full", "w", encoding="utf-8") as full:
        assert "cannot be written" in naru(own_broker, *sub, code=1, stdout=full)
    assert naru(own_broker, *sub) == "kept\n"


def test_a_reader_that_went_away_is_no_failure(broker):
    reading, writing = os.pipe()
    os.close(reading)
    naru(broker, "status", stdout=writing)
    os.close(writing)


# ------------------------------------------------------------------------- sockets and arguments

@needs_root
def test_another_user_is_told_who_may_speak(own_broker, for_everybody, public_directory):
    command = [for_everybody(naru_binary()), "--socket", own_broker.api_socket, "status"]
    assert "only the broker's user and root" in run(*command, code=3, user=NOBODY)
    own_broker.directory.chmod(0o755)  # Now the socket's own mode is in the way.
    assert "only the broker's user and root" in run(*command, code=3, user=NOBODY)


def test_a_socket_that_is_none_is_named(public_directory):
    path = public_directory / "file"
    path.write_text("")
    assert "not a socket" in run(naru_binary(), "--socket", path, "status", code=3)


def test_a_socket_nobody_listens_on_says_that_the_broker_has_stopped(own_broker):
    own_broker.kill9()
    assert "it has stopped" in naru(own_broker, "status", code=3)


@pytest.mark.parametrize("arguments, hint", [
    (["cmd", "send", "", "unlock"], "device: must not be empty"),
    (["cmd", "send", "car1", ""], "name: must not be empty"),
    (["cmd", "show", "car1", ""], "id: must not be empty"),
    (["cmd", "send", "car1", "unlock", "--expires", "0"], "leaves the device no time"),
    (["stream", "tail", "telemetry", "--consumer", ""], "--consumer: must not be empty"),
    (["store", "backup", ""], "directory: must not be empty"),
])
def test_empty_arguments_are_refused(broker, arguments, hint):
    assert hint in naru(broker, *arguments, code=2)


def test_a_command_with_an_unknown_member_is_refused(broker):
    status, answer = broker.api("POST", "/v1/devices/car1/commands",
                                {"name": "unlock", "expires": 5})
    assert status == 400 and "'expires'" in answer["error"], answer
    assert naru(broker, "cmd", "list", "car1") == ""


def test_a_bench_of_no_process_leaves_nothing_behind(own_broker):
    bench = ["bench", "offline", "-p", own_broker.port, "--subscribers", "2", "--count", "10"]
    assert "no process" in naru(own_broker, *bench, "--pid", "999999999", code=2)
    assert naru(own_broker, "clients") == ""


def test_the_id_of_a_command_is_not_taken_for_another(broker, unique):
    send = ["cmd", "send", unique("car"), "--id", "order-17"]
    naru(broker, *send, "unlock", '{"door":"left","hard":true}')
    assert "order-17\tqueued" in naru(broker, *send, "unlock", '{"door":"left","hard":true}')
    for other in (["lock"], ["unlock"], ["unlock", '{"door":"right","hard":true}']):
        assert "another command, 'unlock'" in naru(broker, *send, *other, code=1)


@pytest.mark.parametrize("words, said", [
    (["nosuch"], "there is no command 'nosuch'; `naru --help` lists them"),
    (["statu"], "there is no command 'statu'; did you mean 'status'?"),
    (["cmd", "snd", "car1"], "there is no command 'snd'; did you mean 'send'?"),
    (["--json", "bench", "fan_in"], "there is no command 'fan_in'; did you mean 'fan-in'?"),
    (["help", "statu"], "did you mean 'status'?"),
    (["stream"], "say what to do: list consumers tail"),
    ([], "First steps"),
])
def test_an_unknown_or_missing_command_is_named(words, said):
    assert said in run(naru_binary(), *words, code=2)


@pytest.mark.parametrize("words, said", [
    (["help"], "First steps"),
    (["-h"], "First steps"),
    (["help", "cmd", "send"], "naru cmd send car-0001"),
    (["cmd", "send", "-h"], "naru cmd send car-0001"),
    (["help", "pub"], "-h,--host"),
])
def test_help_is_found(words, said):
    assert said in run(naru_binary(), *words, code=0)


PUB = ["pub", "-m", "x", "-t"]


@pytest.mark.parametrize("arguments, said", [
    ([*PUB, b"a\xff"], r"'a\xff' is not valid UTF-8"),
    ([*PUB, "x" * 70000], "a topic of 70000 bytes is too long"),
    ([*PUB, "a/#"], "no wildcards"),
    ([*PUB, "a", "--timeout", "0"], "--timeout 0 leaves no time"),
    ([*PUB, "a", "--expiry", "x"], "whole seconds from 1 to 4294967295"),
    ([*PUB, "a", "--expiry", "1500ms"], "whole seconds"),
    ([*PUB, "a", "--keepalive", "70000"], "whole seconds from 0 to 65535"),
    ([*PUB, "a", "-V", "3.1.1", "--expiry", "10"], "--expiry needs MQTT 5"),
    ([*PUB, "a", "-V", "3.1", "--property", "a=b"], "--property needs MQTT 5"),
    (["pub", "-t", "a", "-f", "/tmp"], "it is a directory"),
    (["sub", "-t", "a/#/b"], "# only at the end"),
    (["sub", "-t", "a", "-c", "-i", "s", "-V", "3.1.1", "--session-expiry", "9"], "needs MQTT 5"),
    (["subscriptions", "--filter", "a/#/b"], "# only at the end"),
])
def test_wrong_arguments_are_explained(broker, arguments, said):
    socket_of = [] if arguments[0] in ("pub", "sub") else ["--socket", broker.api_socket]
    done = subprocess.run([naru_binary(), *socket_of, *arguments], check=False, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, capture_output=True)
    told = done.stderr.decode()
    assert done.returncode == 2 and said in told, done
    assert len(told) < 500


def test_seconds_may_be_a_duration(broker):
    port = ["-p", broker.port]
    naru(broker, "pub", *port, "-t", "a", "-m", "x", "--expiry", "1m", "-k", "1m")
    naru(broker, "sub", *port, "-t", "a", "-W", "1s")


@pytest.mark.parametrize("arguments, remedy", [
    (["clients", "show", "nobody"], "`naru clients` lists"),
    (["clients", "kick", "nobody"], "`naru clients` lists"),
    (["cmd", "show", "car1", "none"], "`naru cmd list car1` lists"),
    (["stream", "tail", "nowhere"], "`naru stream list` lists"),
    (["stream", "consumers", "nowhere"], "`naru stream list` lists"),
])
def test_errors_name_commands_and_no_paths_of_http(broker, arguments, remedy):
    said = naru(broker, *arguments, code=1)
    assert remedy in said and "/v1/" not in said, said


def test_a_position_that_is_none_is_told_the_forms(broker):
    said = naru(broker, "stream", "tail", "telemetry", "--from", "nonsense", code=2)
    assert "-15m" in said and "milliseconds" not in said, said


def test_who_names_a_socket_is_not_told_of_another(own_broker, public_directory):
    missing = run(naru_binary(), "--socket", public_directory / "none", "status", code=3)
    own_broker.kill9()
    assert "./var" not in missing + naru(own_broker, "status", code=3)


@pytest.mark.parametrize("command, list_all", [
    ("clients", ["clients"]),
    ("subscriptions", ["subscriptions"]),
    ("retained", ["retained", "list"]),
])
def test_a_list_is_whole(own_broker, join, command, list_all):
    count = 103
    for n in range(count):
        client = join(own_broker, V5, f"car{n}")
        if command == "retained":
            client.publish(f"state/{n}", "x", 1, retain=True)
        client.subscribe(f"a/{n}", 0)
    assert len(naru(own_broker, *list_all).splitlines()) == count
    assert len(json.loads(naru(own_broker, "--json", *list_all))) == count
    assert len(naru(own_broker, *list_all, "--limit", "7").splitlines()) == 7


def test_what_is_wrong_with_a_configuration_is_json(start_broker):
    broker = start_broker("max_queued_messages 10\n")
    broker.config_file.write_text(broker.config_file.read_text() + "\nno_such_option 1\n")
    done = subprocess.run([naru_binary(), "--json", "--socket", broker.api_socket, "config",
                           "reload"], check=False, timeout=PATIENCE, capture_output=True)
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert "no_such_option" in problem
    for command in ["config", "dump", broker.config_file], ["rule", "test", "-t", "a", "-m", "x",
                                                            "-c", broker.config_file]:
        said = json.loads(run(naru_binary(), "--json", *command, code=2))
        assert not said["good"] and "no_such_option" in said["problems"][0]["text"]


# --------------------------------------------------------------------------------- what is shown

def test_dead_letters_show_their_reason(start_broker, tools):
    broker = start_broker(sections="stream s\nrule r\nfrom a\nto s\nkey ${device_no}\n")
    tools.pub(broker, V5, "-q", "1", "-t", "a", "-m", "{}")
    (line,) = naru(broker, "stream", "tail", "dead-letter").splitlines()
    assert line.split("\t")[4:] == ["{}", "r: key_missing: device_no"]
    assert ["dead-letter", "2d"] in [
        [row.split("\t")[0], row.split("\t")[4]]
        for row in naru(broker, "stream", "list").splitlines()]


def on_a_terminal(broker, *arguments):
    ours, theirs = pty.openpty()
    naru(broker, *arguments, stdout=theirs)
    os.close(theirs)
    with open(ours, "rb") as terminal:
        return terminal.read1(65536).decode()


def test_people_see_what_was_dropped(start_broker, tools):
    broker = start_broker("max_queued_messages 2\n")
    tools.sub(broker, V5, "-i", "s", "-c", "-x", "100", "-q", "1", "-t", "a", "-E").wait_end()
    for _ in range(5):
        tools.pub(broker, V5, "-q", "1", "-t", "a", "-m", "x")
    said = on_a_terminal(broker, "status")
    assert "dropped             3 queue full, 0 expired" in said, said


def test_a_client_is_shown_with_readable_times(broker, join, unique):
    name = unique("car")
    join(broker, V5, name)
    rows = dict(row.split("\t") for row in naru(broker, "clients", name).splitlines())
    assert rows["connected_at"].endswith("Z")
    assert isinstance(json.loads(naru(broker, "--json", "clients", name))["connected_at"], int)


def test_a_device_hears_whether_its_reply_was_one(own_broker, join):
    car = join(own_broker, V5, "car1")
    _, command = own_broker.api("POST", "/v1/devices/car1/commands", {"name": "unlock"})
    topic = f"vehicles/car1/commands/{command['id']}/reply"
    for payload in ("no json", '{"state":"flying"}', '"succeeded"'):
        assert car.publish(topic, payload, 1).code == 0x10, payload
    assert car.publish(topic, '{"state":"succeeded"}', 1).code == 0


# ----------------------------------------------------------------------------------- the broker

@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("level", [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
def test_a_reply_that_nests_without_end_is_no_reply(own_broker, join, version, qos, level):
    car = join(own_broker, version, "car1")
    _, command = own_broker.api("POST", "/v1/devices/car1/commands", {"name": "unlock"})
    begin, end = level
    deep = '{"state":"succeeded","result":' + begin * 300_000 + "1" + end * 300_000 + "}"
    car.publish(f"vehicles/car1/commands/{command['id']}/reply", deep, qos)
    car.ping()
    assert own_broker.get(f"/v1/devices/car1/commands/{command['id']}")["state"] == "queued"
    own_broker.check_alive()


def test_port_0_is_any_free_port(public_directory):
    ports = public_directory / "ports"
    process = subprocess.Popen(
        [narud_binary(), "--data", "data", "--listen", "127.0.0.1:0", "--port-file", ports],
        cwd=public_directory, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(ports.exists, PATIENCE, "the port file")
        address, port = ports.read_text().split()
        assert address == "127.0.0.1" and int(port) > 0
        assert not (public_directory / "127.0.0.1").exists()
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_listening_for_this_machine_opens_no_other_address(public_directory):
    """127.0.0.2 stands for an address that is not known to be this machine's own."""
    ports = public_directory / "ports"
    process = subprocess.Popen(
        [narud_binary(), "--data", "data", "--listen", "127.0.0.2:auto", "--listen", "auto",
         "--port-file", ports],
        cwd=public_directory, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(ports.exists, PATIENCE, "the port file")
        (far, far_port), (near, near_port) = map(str.split, ports.read_text().splitlines())
        Client(int(far_port), V5, host=far).connect("nobody", 0x87)
        Client(int(near_port), V5, host=near).connect("nobody")
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("text", ["[::1]:1884", "::1:1884"])
def test_an_ipv6_address_may_stand_in_brackets(text):
    assert "\nlistener 1884 ::1\n" in run(narud_binary(), "--listen", text, "--dump", code=0)


def test_the_store_and_its_copies_are_for_the_broker_alone(own_broker, public_directory):
    copy, again = public_directory / "copy", public_directory / "again"
    naru(own_broker, "store", "backup", copy)
    naru(own_broker, "store", "restore", copy, "--data", again)
    for path in (own_broker.data / "store", copy, again / "store"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path


@needs_root
def test_a_data_directory_that_cannot_be_written_names_the_remedy(public_directory, for_everybody):
    said = run(for_everybody(narud_binary()), "--data", public_directory, "--listen", "auto",
               code=1, user=NOBODY)
    assert "no permission to write; change the owner" in said


def test_a_store_that_was_set_aside_stays_red_until_it_is_moved_away(start_broker,
                                                                     public_directory):
    broker = start_broker("store_on_corrupt start_empty\n")
    broker.terminate()
    (broker.data / "store" / "CURRENT").write_text("garbage\n")
    broker.start()
    (aside,) = broker.data.glob("store.corrupt-*")
    for _ in range(2):
        status = broker.status()
        assert status["health"] == "red" and str(aside) in status["problems"][0]
        broker.restart()
    shutil.move(aside, public_directory / "seen")
    assert broker.status()["health"] == "green"


def connect_without_id(broker, address):
    stream = socket.create_connection(("127.0.0.1", broker.port), PATIENCE, (address, 0))
    client = Client(broker.port, V5, stream=stream)
    client.connect("", expect_code=0x87)
    client.close()


def test_who_gives_no_client_id_is_logged_by_address(start_broker):
    broker = start_broker("allow_anonymous false\nshards 1\n")
    for address in ("127.0.0.1", "127.0.0.1", "127.0.0.2"):
        connect_without_id(broker, address)
    denied = [line for line in broker.log().splitlines() if " denied " in line]
    assert len(denied) == 2, denied
    assert "127.0.0.1" in denied[0] and "127.0.0.2" in denied[1]
