"""The same conversation over every transport, all of it in one segment, so that on several shards
the connection is handed over with bytes that nobody has read."""
import socket

import pytest

import raw_websocket
from certificates import Authority
from raw_mqtt import (V5, Client, Kind, ack_packet, connect_packet, keep, publish_packet,
                      subscribe_packet)
from raw_websocket import Websocket

TRANSPORTS = ["tcp", "unix", "tls", "websocket", "secure-websocket"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize("shards", [1, 4])
def test_all_at_once(start_broker, authority, tmp_path, unique, shards):
    certificate, key = authority.issue(f"broker{shards}", "localhost",
                                       alternative="DNS:localhost")
    tls = f"certfile {certificate}\nkeyfile {key}\n"
    path = str(tmp_path / "mqtt.sock")
    tcp = "listener auto 127.0.0.1\n"
    broker = start_broker(f"shards {shards}\n" + tcp + f"listener 0 {path}\n" + tcp + tls
                          + tcp + "protocol websockets\n" + tcp + "protocol websockets\n" + tls)
    for transport, (address, port) in zip(TRANSPORTS, broker.listeners):
        for _ in range(12):
            if transport == "unix":
                stream = socket.socket(socket.AF_UNIX)
                stream.settimeout(8)
                stream.connect(path)
            else:
                stream = socket.create_connection((address, port), timeout=8)
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if transport in ("tls", "secure-websocket"):
                stream = authority.context().wrap_socket(stream, server_hostname="localhost")
            if "websocket" in transport:
                stream = Websocket(stream)
            topic = unique(transport)
            client = Client(0, V5, stream=stream)
            client.send(connect_packet(unique("car")) + subscribe_packet(1, [(topic, 1)])
                        + publish_packet(topic, b"one segment", 1, 2))
            assert client.expect(Kind.CONNACK).code == 0
            assert client.expect(Kind.SUBACK).codes == [1]
            assert client.take().payload == b"one segment"
            client.await_kind(Kind.PUBACK)
            client.disconnect()


@pytest.mark.parametrize("shards", [1, 2, 4])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("prefix", ["", "$share/g/"], ids=["plain", "shared"])
@pytest.mark.parametrize("stored", [False, True], ids=["clean", "persistent"])
def test_what_is_published_behind_a_subscribe_comes_back(start_broker, unique, version, stored,
                                                         prefix, qos, shards):
    """CONNECT, SUBSCRIBE and PUBLISH in one segment, where the SUBSCRIBE has to wait for the disk
    or for a group in another thread."""
    broker = start_broker(f"shards {shards}\nlistener auto 127.0.0.1\n")
    for _ in range(6):
        topic = unique("t")
        client = Client(broker.port, version)
        client.send(connect_packet(unique("car"), version, **(keep(version) if stored else {}))
                    + subscribe_packet(1, [(prefix + topic, qos)], version)
                    + subscribe_packet(2, [(unique("other"), 0)], version)
                    + publish_packet(topic, b"one segment", qos, 3 if qos else None, version))
        client.expect(Kind.CONNACK)
        while (packet := client.receive()).kind != Kind.PUBLISH:
            if packet.kind == Kind.PUBREC:
                client.send(ack_packet(Kind.PUBREL, 3))
        assert packet.payload == b"one segment"
        client.close()


@pytest.mark.parametrize("shards", [1, 4])
def test_what_came_before_the_end_counts(start_broker, unique, shards):
    """Request, packets and close in one segment: read in this order, whoever has the client."""
    broker = start_broker(f"shards {shards}\nlistener auto 127.0.0.1\nprotocol websockets\n"
                          "listener auto 127.0.0.1\n")
    watcher = Client(broker.listeners[1][1], V5)
    watcher.connect("watcher")
    watcher.subscribe("brief/#", 1)
    for number in range(12):
        with socket.create_connection(("127.0.0.1", broker.port), timeout=8) as stream:
            packets = connect_packet(unique("brief")) + publish_packet(f"brief/{number}", b"said")
            stream.sendall(raw_websocket.request() + raw_websocket.frame(2, packets)
                           + raw_websocket.frame(8))
            assert watcher.take().topic == f"brief/{number}"
