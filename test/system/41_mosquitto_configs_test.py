"""Configurations that people have for mosquitto start narud as they are.

What differs from the file as it stands: ports are free ones, and the directories of Debian's
mosquitto are one of the test's own."""
import pathlib
import re
import socket
import ssl
import subprocess

import pytest

from certificates import Authority
from mosquitto_server import BINARY, free_port
from narud_server import Server, narud_binary, wait_until
from raw_mqtt import V5, V311, Client
from raw_websocket import Websocket

CONFIGS = pathlib.Path(__file__).parent / "mosquitto_configs"
SECRET = ("$7$101$rzqJhzfPgg4XV9O5$VZkTkHDIfUApP09mXkYmr9+xb+VAZBC78uaJF6QwfBgnom+"
          "Yjv4PwvSQbRM/YflQMH+De984uEstx2YM5s+jXw==")  # The password "secret".


class Machine:
    """What /etc, /var and /run of a machine with mosquitto hold."""

    def __init__(self, root, authority):
        self.root = root
        for each in "etc/conf.d", "var", "log", "run":
            (root / each).mkdir(parents=True)
        etc = root / "etc"
        (etc / "passwd").write_text(f"bob:{SECRET}\n")
        (etc / "acl").write_text("user car1\ntopic write cars/car1\npattern read for/%u\n")
        (etc / "acl.readers").write_text("topic read #\n")
        crt, key = authority.issue("server", "localhost", alternative="DNS:localhost,IP:127.0.0.1")
        (etc / "server.crt").write_bytes(pathlib.Path(crt).read_bytes())
        (etc / "server.key").write_bytes(pathlib.Path(key).read_bytes())
        (etc / "ca.crt").write_bytes(pathlib.Path(authority.crt).read_bytes())

    def text_of(self, path, replaced=()):
        text = path.read_text()
        for debian, ours in (("/etc/mosquitto", "etc"), ("/var/lib/mosquitto", "var"),
                             ("/var/log/mosquitto", "log"), ("/run/mosquitto", "run")):
            text = text.replace(debian, str(self.root / ours))
        text = re.sub(r"^listener \d+", lambda _: f"listener {free_port()}", text, flags=re.M)
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        return text


class Configured(Server):
    """A narud with this very configuration."""

    def __init__(self, text):
        super().__init__()
        self.config_file.write_text("\n".join(self._environment_settings()) + "\n" + text)

    def _command(self):
        return [self.binary, "-c", str(self.config_file), "--data", str(self.data), "--port-file",
                str(self.port_file), "--api-socket", self.api_socket]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("configs") / "ca")


@pytest.fixture
def machine(tmp_path, authority):
    return Machine(tmp_path / "machine", authority)


@pytest.fixture
def start(servers, machine):
    def configured(name, replaced=()):
        server = Configured(machine.text_of(CONFIGS / name, replaced))
        servers.append(server)
        return server.start()

    yield configured
    for server in servers:
        server.close()


def dial(port, client_id, version=V311, **options):
    client = Client(port, version)
    client.client_id = client_id
    client.connect(client_id, **options)
    return client


def test_debians_default_with_a_file_of_ones_own(machine, start):
    (machine.root / "etc/conf.d/local.conf").write_text(
        machine.text_of(CONFIGS / "conf.d/local.conf"))
    broker = start("debian_default.conf")
    stranger = Client(broker.port, V311)
    stranger.connect("c", expect_code=5)
    bob = dial(broker.port, "c", username="bob", password="secret")
    bob.subscribe("a", 1)
    bob.publish("a", b"x", 1)
    assert bob.take().payload == b"x"
    wait_until(lambda: "listening" in (machine.root / "log/mosquitto.log").read_text(), 10.0,
               "the log file")


def test_debians_default_alone_lets_this_machine_in(machine):
    text = machine.text_of(CONFIGS / "debian_default.conf")
    path = machine.root / "etc/mosquitto.conf"
    path.write_text(text)
    assert check(path) == (0, "the configuration is good\n")


def test_a_bridge_to_a_broker_outside(machine, start, start_broker):
    etc = machine.root / "etc"
    outside = start_broker("\n".join([
        "listener auto 127.0.0.1", f"certfile {etc}/server.crt", f"keyfile {etc}/server.key",
        "allow_anonymous false", f"password_file {etc}/house.passwd",
        "listener auto 127.0.0.1", "listener_allow_anonymous true"]).replace(
            "house.passwd", write_user(etc, "house7")))
    broker = start("bridge.conf", [("localhost:8883", f"localhost:{outside.port}")])
    wait_until(lambda: broker.status()["bridges"][0]["connected"], 20.0, "the bridge")
    there = dial(outside.listeners[1][1], "there", username="house7", password="secret")
    there.subscribe_many([("house7/#", 2), ("clock/#", 2), ("bridges/#", 1)])
    here = dial(broker.port, "here")
    here.subscribe("command/#", 2)
    here.publish("sensor/t", b"21", 1)
    here.publish("clock/local", b"12:00", 1)
    there.publish("house7/command/light", b"on", 2)
    wanted = {("house7/sensor/t", b"21"), ("clock/house7", b"12:00"), ("bridges/house7", b"1")}
    got = set()
    while not wanted <= got:
        message = there.take()
        got.add((message.topic, message.payload))
    command = here.take()
    assert (command.topic, command.payload, command.qos) == ("command/light", b"on", 2)


def write_user(etc, user):
    (etc / "house.passwd").write_text(f"{user}:{SECRET}\n")
    return "house.passwd"


def test_tls_with_rights(machine, start, authority):
    broker = start("tls_acl.conf")

    context = authority.context(authority.issue("car", "car1"))
    stream = context.wrap_socket(socket.create_connection(("127.0.0.1", broker.port), timeout=8),
                                 server_hostname="localhost")
    car = Client(0, V5, stream=stream)
    car.connect("any")
    assert car.publish("cars/car1", b"x", 1).code in (0, 0x10)
    assert car.publish("cars/car2", b"x", 1).code == 0x87
    assert car.subscribe("for/car1", 1) == 1
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.load_verify_locations(authority.crt)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        bare = plain.wrap_socket(socket.create_connection(("127.0.0.1", broker.port), timeout=8),
                                 server_hostname="localhost")
        bare.recv(1)


def test_websockets_beside_tcp(start):
    broker = start("websockets.conf")
    stream = socket.create_connection(("127.0.0.1", broker.listeners[1][1]), timeout=8)
    page = Client(0, V311, stream=Websocket(stream))
    page.client_id = "page"
    page.connect("page")
    page.subscribe("a", 1)
    dial(broker.port, "device").publish("a", b"x", 1)
    assert page.take().payload == b"x"


def test_each_listener_has_settings_of_its_own(start):
    broker = start("per_listener.conf")
    reader_port, writer_port = (port for _, port in broker.listeners)
    Client(writer_port, V311).connect("c", expect_code=5)
    reader = dial(reader_port, "reader")
    reader.subscribe("#", 1)
    writer = dial(writer_port, "writer", username="bob", password="secret")
    reader.publish("a", b"refused", 1)
    writer.publish("a", b"taken", 1)
    assert [m.payload for m in let_quiet_reader(reader)] == [b"taken"]


def let_quiet_reader(reader):
    """This client may not publish, so a ping has to do."""
    messages = [reader.take()]
    reader.ping()
    return messages


def check(path):
    done = subprocess.run([narud_binary(), "--check", "-c", str(path)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          check=False, cwd=path.parent)
    return done.returncode, done.stdout


def test_all_problems_are_told_at_once_with_line_and_remedy():
    done = subprocess.run([narud_binary(), "--check", "-c", "refused.conf"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
                          cwd=CONFIGS)
    assert done.returncode == 2
    assert done.stdout == (CONFIGS / "refused.expected").read_text()


def test_missing_certificates_of_a_bridge_are_told_with_their_line(tmp_path):
    path = tmp_path / "bridge.conf"
    path.write_text("connection up\naddress a\ntopic # out\nbridge_cafile /no/ca.crt\n")
    code, said = check(path)
    assert code == 2
    assert f"{path}:4: error: bridge_cafile /no/ca.crt: No such file or directory; " in said


def test_authorities_in_a_directory_that_is_not_there_are_told_with_their_line(machine):
    etc = machine.root / "etc"
    path = etc / "mosquitto.conf"
    path.write_text(f"listener 8883\nallow_anonymous true\ncertfile {etc}/server.crt\n"
                    f"keyfile {etc}/server.key\ncapath /no/authorities\n"
                    "connection up\naddress a\ntopic # out\nbridge_capath /no/authorities\n")
    code, said = check(path)
    assert code == 2
    assert f"{path}:5: error: capath /no/authorities: No such file or directory; " in said
    assert f"{path}:9: error: bridge_capath /no/authorities: No such file or directory; " in said


@pytest.mark.parametrize("name", ["websockets.conf", "per_listener.conf", "bridge.conf"])
def test_mosquitto_itself_takes_the_same_files(machine, name):
    """So that they are what mosquitto's users have."""
    text = machine.text_of(CONFIGS / name, [("localhost:8883", f"localhost:{free_port()}")]
                           if name == "bridge.conf" else ())
    path = machine.root / "etc/mosquitto.conf"
    path.write_text("user root\n" + text)
    process = subprocess.Popen([BINARY, "-c", str(path)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        port = int(re.search(r"^listener (\d+)", text, re.M).group(1))

        def answers():
            assert process.poll() is None, process.stdout.read()
            try:
                Client(port, V311).close()
            except ConnectionRefusedError:
                return False
            return True

        wait_until(answers, 20.0, "mosquitto")
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
