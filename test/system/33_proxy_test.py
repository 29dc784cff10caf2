"""The PROXY protocol: whom a load balancer speaks for, before anything else on the connection."""
import socket
import struct

import pytest

from certificates import Authority
from narud_server import wait_until
from raw_mqtt import V5, Client, connect_packet
from raw_websocket import Websocket

pytestmark = pytest.mark.core

LINE = b"PROXY TCP4 203.0.113.9 192.0.2.1 41000 1883\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
BLOCK = (SIGNATURE + b"\x21\x11" + struct.pack(">H", 12) + socket.inet_aton("203.0.113.9")
         + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 41000, 1883))
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
HEADERS = pytest.mark.parametrize("form, header", [(1, LINE), (2, BLOCK)], ids=["v1", "v2"])


def dial_tcp(broker):
    stream = socket.create_connection(("127.0.0.1", broker.port), timeout=8)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def listener(form, *lines):
    return "\n".join(["listener auto 127.0.0.1", f"enable_proxy_protocol {form}", *lines]) + "\n"


@HEADERS
@pytest.mark.parametrize("pieces", ["whole", "with packets", "byte by byte"])
def test_the_address_is_the_clients(start_broker, unique, form, header, pieces):
    broker = start_broker(listener(form))
    for _ in range(6):
        stream = dial_tcp(broker)
        name = unique("car")
        if pieces == "with packets":
            stream.sendall(header + connect_packet(name))
        elif pieces == "whole":
            stream.sendall(header)
            stream.sendall(connect_packet(name))
        else:
            for byte in header:
                stream.sendall(bytes([byte]))
            stream.sendall(connect_packet(name))
        client = Client(0, V5, stream=stream)
        assert client.receive().code == 0
        assert broker.session(name)["address"] == "203.0.113.9:41000"
        client.close()


@pytest.mark.parametrize("form, header", [(1, b"PROXY UNKNOWN\r\n"), (2, LOCAL)])
def test_a_balancer_that_speaks_for_itself_keeps_its_address(start_broker, form, header):
    broker = start_broker(listener(form))
    stream = dial_tcp(broker)
    stream.sendall(header + connect_packet("balancer"))
    assert Client(0, V5, stream=stream).receive().code == 0
    assert broker.session("balancer")["address"].startswith("127.0.0.1:")


@pytest.mark.parametrize("form, data", [
    (1, connect_packet("direct")), (2, connect_packet("direct")), (1, BLOCK), (2, LINE),
    (1, b"PROXY TCP4 nonsense\r\n"), (2, SIGNATURE + b"\x21\x12\x00\x00"),
])
def test_who_has_no_right_header_stays_out(start_broker, form, data):
    broker = start_broker(listener(form))
    stream = dial_tcp(broker)
    stream.sendall(data)
    Client(0, V5, stream=stream).expect_closed()
    wait_until(lambda: broker.counter("failed_handshakes") == 1)
    assert "PROXY" in broker.log()


@pytest.mark.slow
def test_a_header_that_comes_too_late_is_not_waited_for(start_broker):
    broker = start_broker(listener(2))
    with socket.create_connection(("127.0.0.1", broker.port), timeout=20) as stream:
        stream.sendall(BLOCK[:10])
        assert stream.recv(10) == b""
    assert "took too long" in broker.log()


@HEADERS
def test_behind_the_header_may_come_tls_and_websocket(start_broker, tmp_path, form, header):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("broker", "localhost", alternative="DNS:localhost")
    broker = start_broker(listener(form, f"certfile {certificate}", f"keyfile {key}",
                                   "protocol websockets"))
    stream = dial_tcp(broker)
    stream.sendall(header)
    stream = authority.context().wrap_socket(stream, server_hostname="localhost")
    client = Client(0, V5, stream=Websocket(stream))
    client.connect("everything")
    assert broker.session("everything")["address"] == "203.0.113.9:41000"
