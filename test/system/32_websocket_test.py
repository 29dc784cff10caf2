"""MQTT over WebSocket, plain and secure: a client made by hand, and paho."""
import socket

import paho.mqtt.client as paho
import pytest

import raw_websocket
from certificates import Authority
from narud_server import wait_until
from raw_mqtt import (V5, V311, Client, Kind, Will, connect_packet, frame, publish_packet,
                      subscribe_packet)
from raw_websocket import BINARY, CLOSE, PING, PONG, Websocket

pytestmark = pytest.mark.core
BROKER_SETTINGS = "listener auto 127.0.0.1\nprotocol websockets\n"


def dial_tcp(broker):
    stream = socket.create_connection(("127.0.0.1", broker.port), timeout=8)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def dial(broker, version=V5, protocol="mqtt"):
    return Client(0, version, stream=Websocket(dial_tcp(broker), protocol))


def ask(broker, data):
    """What the broker answers to such a request, to the end of the connection."""
    with dial_tcp(broker) as stream:
        stream.sendall(data)
        answer = b""
        while True:
            got = stream.recv(4096)
            if not got:
                return answer.decode()
            answer += got


@pytest.mark.parametrize("protocol", ["mqtt", "mqttv3.1"])
def test_there_and_back(broker, version, unique, protocol):
    for _ in range(6):
        topic = unique()
        client = dial(broker, version, protocol)
        client.connect(unique("page"))
        client.subscribe(topic, 2)
        for size in (0, 1, 100, 126, 70_000, 500_000):
            client.publish(topic, b"x" * size, 1)
            assert client.take().payload == b"x" * size
        client.publish(topic, b"y", 2)
        assert client.take().payload == b"y"
        client.disconnect()


def test_packets_across_frames_and_many_in_one(broker, unique):
    topic = unique()
    client = dial(broker)
    data = connect_packet(unique("cut")) + subscribe_packet(1, [(topic, 1)])
    data += publish_packet(topic, b"a", 1, 2) + publish_packet(topic, b"b", 1, 3)
    for byte in data[:-4]:
        client.socket.sendall(bytes([byte]))
    client.socket.sendall(data[-4:] + frame(Kind.PINGREQ) + publish_packet(topic, b"c", 1, 4))
    assert client.expect(Kind.CONNACK).code == 0
    assert [client.take().payload for _ in range(3)] == [b"a", b"b", b"c"]
    client.await_kind(Kind.PINGRESP)


def test_request_and_packets_in_one_segment(broker, unique):
    """Nobody has to wait for the answer to the request, nor for CONNACK."""
    for _ in range(8):
        topic = unique()
        with dial_tcp(broker) as stream:
            packets = connect_packet(unique("eager")) + subscribe_packet(1, [(topic, 1)])
            packets += publish_packet(topic, b"at once", 1, 2)
            stream.sendall(raw_websocket.request() + raw_websocket.frame(BINARY, packets))
            opened = Websocket.__new__(Websocket)
            opened.stream, opened.buffer, opened.others = stream, b"", []
            assert opened.read_head().startswith("HTTP/1.1 101 ")
            client = Client(0, V5, stream=opened)
            assert client.expect(Kind.CONNACK).code == 0
            assert client.take().payload == b"at once"


def test_a_ping_between_fragments_is_answered(broker, unique):
    topic = unique()
    client = dial(broker)
    client.connect(unique("c"))
    client.subscribe(topic, 0)
    packet = publish_packet(topic, b"in three parts")
    client.socket.send_raw(raw_websocket.frame(BINARY, packet[:5], final=False)
                           + raw_websocket.frame(PING, b"there?")
                           + raw_websocket.frame(0, packet[5:9], final=False)
                           + raw_websocket.frame(PONG) + raw_websocket.frame(0, packet[9:]))
    assert client.take().payload == b"in three parts"
    assert client.socket.others == [(PONG, b"there?")]


@pytest.mark.parametrize("data, code", [
    (raw_websocket.frame(1, b"text"), 1003),
    (raw_websocket.frame(BINARY, b"bare", masked=False), 1002),
    (raw_websocket.frame(3, b"what"), 1002),
    (raw_websocket.frame(0, b"goes on"), 1002),
    (raw_websocket.frame(CLOSE), 1000),
    (raw_websocket.frame(CLOSE, b"\x03\xe9"), 1001),
], ids=["text", "unmasked", "opcode", "continuation", "close", "going away"])
def test_the_end_has_its_code_and_the_will_follows(broker, unique, data, code):
    topic = unique()
    watcher = dial(broker)
    watcher.connect(unique("watcher"))
    watcher.subscribe(topic, 1)
    client = dial(broker)
    client.connect(unique("c"), will=Will(topic, b"gone", 1))
    client.socket.send_raw(data)
    assert client.socket.expect_close() == code
    assert watcher.take().payload == b"gone"


def test_an_mqtt_disconnect_ends_with_a_close_frame(broker, unique):
    client = dial(broker)
    client.connect(unique("c"))
    client.send(frame(Kind.DISCONNECT))
    assert client.socket.expect_close() == 1000


@pytest.mark.parametrize("data, status", [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426),
    (raw_websocket.request(Sec_WebSocket_Version="8"), 426),
    (raw_websocket.request(protocol="chat"), 400),
    (raw_websocket.request().replace(b"GET", b"PUT"), 405),
    (raw_websocket.request(Cookie="c" * 17_000), 431),
    (connect_packet("plain"), 400),
], ids=["no upgrade", "version", "subprotocol", "method", "too large", "plain mqtt"])
def test_a_wrong_request_is_told_why(broker, data, status):
    before = broker.counter("failed_handshakes")
    answer = ask(broker, data)
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert len(answer.split("\r\n\r\n")[1]) > 10
    wait_until(lambda: broker.counter("failed_handshakes") == before + 1)


def test_only_listed_origins_get_in(start_broker):
    broker = start_broker(BROKER_SETTINGS + "websockets_origin https://fleet.example\n")
    assert ask(broker, raw_websocket.request(Origin="https://evil.example"))[9:12] == "403"
    assert ask(broker, raw_websocket.request())[9:12] == "403"
    with dial_tcp(broker) as stream:
        stream.sendall(raw_websocket.request(Origin="https://fleet.example"))
        assert stream.recv(100).startswith(b"HTTP/1.1 101 ")


def test_pings_nobody_reads_answers_to_take_no_memory(broker, unique):
    client = dial(broker)
    client.connect(unique("c"))
    client.socket.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    before = broker.memory_kib()
    flood = raw_websocket.frame(PING, b"x" * 125) * 2000
    client.socket.stream.settimeout(0.5)
    sent = 0
    try:
        while sent < 200:
            client.socket.send_raw(flood)
            sent += 1
    except TimeoutError:
        pass
    assert sent < 200, "the broker read on although nobody took its answers"
    assert broker.memory_kib() - before < 20_000


def application(broker, version, **options):
    client = paho.Client("", transport="websockets",
                         protocol=paho.MQTTv5 if version == V5 else paho.MQTTv311)
    for name, value in options.items():
        getattr(client, name)(value)
    messages = []
    client.on_connect = lambda c, *_: c.subscribe("paho/#", 1)
    client.on_subscribe = lambda c, *_: c.publish("paho/x", b"z" * 3000, 1)
    client.on_message = lambda _c, _d, message: messages.append(message.payload)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        wait_until(lambda: messages == [b"z" * 3000])
    finally:
        client.disconnect()
        client.loop_stop()


def test_paho(broker, version):
    application(broker, version)


def test_paho_over_a_secure_websocket(start_broker, tmp_path, version):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("broker", "localhost", alternative="IP:127.0.0.1")
    broker = start_broker(BROKER_SETTINGS + f"certfile {certificate}\nkeyfile {key}\n")
    application(broker, version, tls_set_context=authority.context())
