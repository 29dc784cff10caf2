"""Bridges: what crosses to another narud or a mosquitto and back, what waits, what may not turn."""
import socket
import ssl
import threading

import pytest

from certificates import Authority
from mosquitto_server import Mosquitto, free_port
from narud_server import Server, wait_until
from raw_mqtt import V5, V311, let_quiet

HOST = socket.gethostname()
QUICK = "restart_timeout 1\n"
VERSIONS = ["any", "mqttv311", "mqttv31", "mqttv50"]


def bridge(remote, *lines, name="up"):
    lines = [f"connection {name}", f"address 127.0.0.1:{remote.port}", QUICK, *lines]
    return "\n".join(lines) + "\n"


def is_connected(broker, name="up"):
    found = [each for each in broker.status()["bridges"] if each["name"] == name]
    return bool(found) and found[0]["connected"]


def wait_connected(broker, name="up"):
    wait_until(lambda: is_connected(broker, name), 20.0, f"bridge {name}")


@pytest.fixture
def start_mosquitto():
    started = []

    def start(*arguments, **options):
        started.append(Mosquitto(*arguments, **options))
        return started[-1].start()

    yield start
    for one in started:
        one.close()


@pytest.fixture(params=["narud", "mosquitto"])
def remote(request, start_broker, start_mosquitto):
    return start_broker() if request.param == "narud" else start_mosquitto()


@pytest.fixture
def bridged(start_broker):
    """A narud with this bridge, connected."""
    def start(remote, *lines, settings=""):
        broker = start_broker(settings, sections=bridge(remote, *lines))
        wait_connected(broker)
        return broker

    return start


@pytest.mark.parametrize("speaks", VERSIONS)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_cross_with_their_new_prefixes(remote, bridged, join, qos, speaks):
    here = bridged(remote, f"topic report/# out {qos} here/ site1/",
                   f"topic order/+ in {qos} incoming/ site1/", f"topic chat both {qos}",
                   'topic "" out 1 single/a other/b', f"bridge_protocol_version {speaks}")
    there_client, here_client = join(remote, V311), join(here, V311)
    for each in there_client, here_client:
        each.subscribe("#", 2)
    here_client.publish("here/report/car1", b"42", qos)
    there_client.publish("site1/order/car1", b"open", qos)
    here_client.publish("chat", b"from here", qos)
    there_client.publish("chat", b"from there", qos)
    here_client.publish("single/a", b"one", 1)
    here_client.publish("elsewhere", b"stays", qos)
    seen_there = {(m.topic, m.payload): m.qos for m in (there_client.take() for _ in range(5))}
    seen_here = {(m.topic, m.payload): m.qos for m in (here_client.take() for _ in range(6))}
    assert seen_there == {("site1/report/car1", b"42"): qos, ("site1/order/car1", b"open"): qos,
                          ("chat", b"from here"): qos, ("chat", b"from there"): qos,
                          ("other/b", b"one"): 1}
    assert seen_here == {("here/report/car1", b"42"): qos, ("incoming/order/car1", b"open"): qos,
                         ("chat", b"from here"): qos, ("chat", b"from there"): qos,
                         ("single/a", b"one"): 1, ("elsewhere", b"stays"): qos}
    assert let_quiet(there_client) == []


@pytest.mark.parametrize("speaks", ["any", "mqttv311"])
def test_retained_messages_cross_once_and_stay_retained(remote, start_broker, join, speaks):
    join(remote, V311).publish("down/old", b"kept there", 1, retain=True)
    here = start_broker(sections=bridge(remote, "topic up/# out 1", "topic down/# in 1",
                                        f"bridge_protocol_version {speaks}"))
    wait_connected(here)
    publisher = join(here, V311)
    publisher.publish("up/state", b"on", 1, retain=True)
    for broker, topic, payload in (remote, "up/state", b"on"), (here, "down/old", b"kept there"):
        def is_retained(broker=broker, topic=topic, payload=payload):
            reader = join(broker, V311)
            reader.subscribe(topic, 1)
            found = [(m.payload, m.retain) for m in let_quiet(reader)]
            reader.disconnect()
            return found == [(payload, True)]
        wait_until(is_retained, 10.0, topic)


def test_outgoing_retain_can_be_switched_off(remote, bridged, join):
    here = bridged(remote, "topic # out 1", "bridge_outgoing_retain false")
    reader = join(remote, V5)
    reader.subscribe("a", 1 | 8)  # Retain as published.
    join(here, V5).publish("a", b"x", 1, retain=True)
    assert not reader.take().retain


@pytest.mark.parametrize("qos", [1, 2])
def test_nothing_is_lost_while_the_remote_broker_and_narud_itself_go_away(start_broker, join, qos):
    there = start_broker(f"listener {free_port()} 127.0.0.1")
    here = start_broker(f"listener {free_port()} 127.0.0.1",
                        sections=bridge(there, f"topic up/# out {qos}", f"topic down/# in {qos}"))
    wait_connected(here)
    there_client = join(there, V5, "reader-there", clean=False,
                        properties={"session_expiry_interval": 600})
    there_client.subscribe("up/#", qos)
    here_client = join(here, V5, "reader-here", clean=False,
                       properties={"session_expiry_interval": 600})
    here_client.subscribe("down/#", qos)
    here_client.disconnect()
    count = 0

    def publish(some):
        nonlocal count
        publisher = join(here, V5)
        for _ in range(some):
            publisher.publish("up/n", str(count), qos)
            count += 1
        publisher.disconnect()

    publish(40)
    there_client.disconnect()
    there.kill9()
    publish(40)
    here.crash_and_restart()
    publish(20)
    there.start()
    publish(20)
    other_way = join(there, V5)
    here.kill9()
    for number in range(50):
        other_way.publish("down/n", str(number), qos)
    here.start()
    wait_connected(here)
    publish(10)
    there_client = join(there, V5, "reader-there", clean=False,
                        properties={"session_expiry_interval": 600})
    here_client = join(here, V5, "reader-here", clean=False,
                       properties={"session_expiry_interval": 600})
    up = [int(m.payload) for m in take_all(there_client, count)]
    down = [int(m.payload) for m in take_all(here_client, 50)]
    if qos == 1:
        assert sorted(set(up)) == list(range(count))
        assert sorted(set(down)) == list(range(50))
    else:
        assert up == list(range(count))
        assert down == list(range(50))


def take_all(client, kinds):
    """Messages until there were so many different ones, and what follows at once."""
    messages = []
    while len({m.payload for m in messages}) < kinds:
        messages.append(client.take(20.0))
    return messages + let_quiet(client)


@pytest.mark.parametrize("speaks", ["any", "mqttv311"])
def test_a_message_does_not_come_back_over_the_same_bridge(remote, bridged, join, speaks):
    here = bridged(remote, "topic # both 1", f"bridge_protocol_version {speaks}")
    here_client, there_client = join(here, V311), join(remote, V311)
    for each in here_client, there_client:
        each.subscribe("x/#", 1)
    here_client.publish("x/1", b"a", 1, retain=True)
    there_client.publish("x/2", b"b", 1, retain=True)
    for each in here_client, there_client:
        assert {each.take().payload, each.take().payload} == {b"a", b"b"}
    for each in here_client, there_client:
        assert let_quiet(each) == []
    # Neither does what is retained, on the next connection.
    here.restart()
    wait_connected(here)
    again = join(here, V311)
    again.subscribe("x/1", 1)
    assert again.take().payload == b"a"


def test_two_brokers_that_bridge_to_each_other_do_not_turn(start_broker, join):
    ports = free_port(), free_port()
    brokers = []
    for own, other in ports, ports[::-1]:
        lines = f"connection to{other}\naddress 127.0.0.1:{other}\ntopic # both 1\n" + QUICK
        brokers.append(start_broker(f"listener {own} 127.0.0.1", sections=lines))
    for broker, other in zip(brokers, ports[::-1]):
        wait_connected(broker, f"to{other}")
    clients = [join(broker, V311) for broker in brokers]
    for each in clients:
        each.subscribe("x", 1)
    for own, other in (0, 1), (1, 0):
        clients[own].publish("x", b"once", 1)
        assert clients[other].take().payload == b"once"
        assert clients[other].take().payload == b"once"  # Each bridge brings it.
        assert clients[own].take().payload == b"once"
        for each in clients:
            assert let_quiet(each) == []


def test_a_bridge_of_mosquitto_is_a_client_as_any(own_broker, start_mosquitto, join):
    there = start_mosquitto(f"connection m\naddress 127.0.0.1:{own_broker.port}\n"
                            "topic # both 2\nremote_clientid mosq\nrestart_timeout 1\n")
    watcher = join(own_broker, V311)
    watcher.subscribe("$SYS/broker/connection/mosq/state", 1)
    wait_until(lambda: watcher.take().payload == b"1", 20.0, "mosquitto's bridge")
    here_client, there_client = join(own_broker, V311), join(there, V311)
    for each in here_client, there_client:
        each.subscribe("x/#", 2)
    here_client.publish("x/1", b"a", 2, retain=True)
    there_client.publish("x/2", b"b", 2, retain=True)
    for each in here_client, there_client:
        assert {each.take().payload, each.take().payload} == {b"a", b"b"}
        assert let_quiet(each) == []
    later = join(there, V311)
    later.subscribe("x/1", 2)
    assert later.take().retain
    there.process.kill()  # Its will tells.
    assert watcher.take().payload == b"0"


def test_only_a_client_itself_tells_of_its_bridge(broker, join):
    liar = join(broker, V5)
    assert liar.publish("$SYS/broker/connection/another/state", b"1", 1).code == 0x87
    topic = f"$SYS/broker/connection/{liar.client_id}/state"
    assert liar.publish(topic, b"1", 1).code in (0, 0x10)


@pytest.mark.parametrize("version", [3, 4])
def test_a_bridge_of_3x_gets_retained_flags_and_no_echo(broker, dial, join, unique, version):
    topic = unique("retained")
    client = dial(broker, V311)
    protocol = "MQIsdp" if version == 3 else "MQTT"
    client.connect(unique("bridge"), protocol=protocol, level=0x80 | version)
    client.subscribe("#", 1)
    client.publish(topic, b"mine", 1)
    join(broker, V311).publish(topic, b"kept", 1, retain=True)
    message = client.take()
    assert (message.payload, message.retain) == (b"kept", True)


def test_its_state_is_told_on_both_sides(start_broker, start_mosquitto, join):
    there = start_mosquitto()
    here = start_broker(sections=bridge(there, "topic a out", "remote_clientid car7"))
    topic = "$SYS/broker/connection/car7/state"
    watchers = [join(here, V311), join(there, V311)]
    for each in watchers:
        each.subscribe(topic, 1)
        wait_until(lambda each=each: each.take().payload == b"1", 20.0, "its state")
    there.stop()
    assert watchers[0].take().payload == b"0"
    there.start()
    assert watchers[0].take(20.0).payload == b"1"
    again = join(there, V311)
    again.subscribe(topic, 1)
    wait_until(lambda: again.take().payload == b"1", 20.0, "its state")
    here.terminate()
    assert again.take().payload == b"0"


@pytest.mark.parametrize("lines, told", [
    (["notifications false"], (False, False)),
    (["notifications_local_only true", "notification_topic b/state"], (True, False)),
    (["notification_topic b/state"], (True, True)),
], ids=["never", "here", "elsewhere"])
def test_notifications_are_the_operators_choice(own_broker, bridged, join, lines, told):
    here = bridged(own_broker, "topic a out", "remote_clientid car7", *lines)

    def states(broker):
        watcher = join(broker, V311)
        watcher.subscribe_many([("$SYS/broker/connection/#", 1), ("b/state", 1)])
        return [(m.topic, m.payload) for m in let_quiet(watcher)]

    for broker, expected in zip((here, own_broker), told):
        known = [("b/state", b"1")] if expected else []  # Elsewhere once it has been sent.
        wait_until(lambda: states(broker) == known, 20.0, "its state")


def test_nobody_else_may_be_the_bridges_client(own_broker, bridged, dial, join):
    here = bridged(own_broker, "topic a out 1", "local_clientid local.mine")
    stranger = dial(here, V5)
    stranger.connect("local.mine", expect_code=0x85)
    assert is_connected(here)


def test_no_acl_stands_in_its_way_and_the_remote_broker_knows_it(start_broker, join, tmp_path):
    (tmp_path / "acl").write_text("topic read nothing\n")
    (tmp_path / "passwords").write_text(
        "bridge:$7$101$rzqJhzfPgg4XV9O5$VZkTkHDIfUApP09mXkYmr9+xb+VAZBC78uaJF6QwfBgnom+"
        "Yjv4PwvSQbRM/YflQMH+De984uEstx2YM5s+jXw==\n")
    there = start_broker(f"allow_anonymous true\npassword_file {tmp_path}/passwords")
    here = start_broker(f"acl_file {tmp_path}/acl", sections=bridge(
        there, "topic a in 1", "remote_username bridge", "remote_password secret"))
    wait_connected(here)
    join(there, V5).publish("a", b"x", 1, retain=True)
    wait_until(lambda: here.get("/v1/retained?filter=a")["retained"], 10.0, "the message")


def test_a_wrong_password_is_told_once_and_tried_again(start_broker, tmp_path):
    there = start_broker("allow_anonymous false")
    here = start_broker(sections=bridge(there, "topic a out"))
    wait_until(lambda: "bridge_down" in here.log(), 10.0, "the refusal")
    assert "not_authorized" in here.log()
    wait_until(lambda: there.counter("refused_connects") >= 3, 20.0, "more attempts")
    assert here.log().count("bridge_down") == 1
    status = here.status()["bridges"][0]
    assert not status["connected"]
    assert "not_authorized" in status["state"]


def test_what_waits_is_told(start_broker, join):
    here = start_broker(sections=f"connection up\naddress 127.0.0.1:{free_port()}\n"
                                 "topic # out 1\n" + QUICK)
    publisher = join(here, V311)
    for number in range(7):
        publisher.publish("a", str(number), 1)
    assert here.status()["bridges"][0]["queued"] == 7


def test_the_next_address_serves_where_the_first_is_away(own_broker, start_broker, join):
    here = start_broker(sections=f"connection up\naddress 127.0.0.1:{free_port()} "
                                 f"127.0.0.1:{own_broker.port}\ntopic # out 1\n" + QUICK)
    wait_connected(here)
    reader = join(own_broker, V311)
    reader.subscribe("a", 1)
    join(here, V311).publish("a", b"x", 1)
    assert reader.take().payload == b"x"


def test_start_type_once_does_not_come_back(start_broker):
    there = start_broker(f"listener {free_port()} 127.0.0.1")
    here = start_broker(sections=bridge(there, "topic a out", "start_type once"))
    wait_connected(here)
    there.restart()
    wait_until(lambda: not is_connected(here), 10.0, "the end")
    assert there.counter("connects") == 0


def test_a_large_message_is_dropped_counted_and_told(own_broker, bridged, join):
    here = bridged(own_broker, "topic # out 1", "bridge_max_packet_size 100")
    reader = join(own_broker, V311)
    reader.subscribe("#", 1)
    publisher = join(here, V311)
    publisher.publish("a", b"x" * 200, 1)
    publisher.publish("a", b"small", 1)
    assert reader.take().payload == b"small"
    wait_until(lambda: here.status()["bridges"][0]["dropped"] == 1, 10.0, "the count")
    assert "bridge_dropped" in here.log()


# ---- TLS -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("bridge") / "ca")


def test_tls_with_a_certificate_of_its_own(authority, start_broker, join):
    server = authority.issue("server", "localhost", alternative="DNS:localhost,IP:127.0.0.1")
    client = authority.issue("client", "bridge1")
    there = start_broker("\n".join([
        "listener auto 127.0.0.1", f"certfile {server[0]}", f"keyfile {server[1]}",
        f"cafile {authority.crt}", "require_certificate true", "use_identity_as_username true",
        "listener auto 127.0.0.1", "allow_anonymous true"]))
    plain = Server()
    plain.port = there.listeners[1][1]
    here = start_broker(sections=bridge(there, "topic # out 1", f"bridge_cafile {authority.crt}",
                                        f"bridge_certfile {client[0]}",
                                        f"bridge_keyfile {client[1]}", "remote_clientid b1"))
    wait_connected(here)
    assert there.session("b1")["user"] == "bridge1"
    reader = join(plain, V311)
    reader.subscribe("a", 1)
    join(here, V311).publish("a", b"x" * 300_000, 1)
    assert len(reader.take().payload) == 300_000


@pytest.mark.parametrize("insecure", [False, True])
def test_tls_wants_the_host_in_the_certificate(authority, start_broker, insecure):
    server = authority.issue(f"other{insecure}", "elsewhere", alternative="DNS:elsewhere")
    there = start_broker("\n".join(["listener auto 127.0.0.1", f"certfile {server[0]}",
                                    f"keyfile {server[1]}", "allow_anonymous true"]))
    here = start_broker(sections=bridge(there, "topic a out", f"bridge_cafile {authority.crt}",
                                        f"bridge_insecure {str(insecure).lower()}"))
    if insecure:
        wait_connected(here)
    else:
        wait_until(lambda: "bridge_down" in here.log(), 10.0, "the refusal")
        assert "mismatch" in here.log()


def test_alpn_and_the_name_that_is_called_are_sent(authority, start_broker):
    certificate = authority.issue("aws", "localhost", alternative="DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["x-amzn-mqtt-ca"])
    named = []
    context.sni_callback = lambda stream, name, context: named.append(name)
    chosen = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            stream, _ = server.accept()
            with context.wrap_socket(stream, server_side=True) as secure:
                chosen.append((secure.selected_alpn_protocol(), secure.recv(1)))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        start_broker(sections="\n".join([
            "connection aws", f"address localhost:{server.getsockname()[1]}", "topic a out 1",
            f"bridge_cafile {authority.crt}", "bridge_alpn x-amzn-mqtt-ca"]) + "\n")
        thread.join(15.0)
    assert chosen == [("x-amzn-mqtt-ca", b"\x10")]
    assert named == ["localhost"]
