"""RFC 6455 as a table of cases, in the groups that a well known suite of cases made customary:

1 framing, 2 pings and pongs, 3 reserved bits, 4 opcodes, 5 fragmentation, 6 text, 7 closing,
9 limits. MQTT is binary, so group 6 is short: text ends a connection. Data is told by what MQTT
makes of it: a case that must go on publishes to itself and gets the message back.
"""
import os
import socket
import struct

import pytest

from raw_mqtt import V5, Client, Kind, publish_packet
from raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, Websocket, frame

BROKER_SETTINGS = "listener auto 127.0.0.1\nprotocol websockets\nmax_packet_size 4000000\n"
TEXT = 1
TOPIC = "loop"


def dial(broker, name):
    stream = socket.create_connection(("127.0.0.1", broker.port), timeout=8)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = Client(0, V5, stream=Websocket(stream))
    client.connect(name)
    return client


@pytest.fixture
def loop(broker, unique):
    """A connected client that is subscribed to what it publishes."""
    client = dial(broker, unique("c"))
    client.topic = f"{TOPIC}/{unique()}"
    client.subscribe(client.topic, 0)
    yield client
    client.close()


@pytest.fixture
def watcher(broker, unique):
    client = dial(broker, unique("w"))
    yield client
    client.close()


def packet_of(client, size):
    """A PUBLISH of exactly this size."""
    payload = b""
    while len(publish_packet(client.topic, payload)) < size:
        payload += b"x" * (size - len(publish_packet(client.topic, payload)))
        while len(publish_packet(client.topic, payload)) > size:
            payload = payload[:-1]
            if len(publish_packet(client.topic, payload)) < size:
                return None  # Where the length of the length grows there is a gap.
    return publish_packet(client.topic, payload), payload


def head(first, length, wide=None, masked=True):
    """A header that may claim what it likes; wide: bytes of the extended length."""
    mark = 0x80 if masked else 0
    if wide is None:
        wide = 0 if length < 126 else 2 if length <= 0xFFFF else 8
    if wide == 0:
        return bytes([first, mark | length])
    return bytes([first, mark | (126 if wide == 2 else 127)]) + \
        struct.pack(">H" if wide == 2 else ">Q", length)


def goes_on(client):
    client.send(publish_packet(client.topic, b"goes on"))
    assert client.await_kind(Kind.PUBLISH).payload == b"goes on"


def ends_with(client, *codes):
    """The connection is closed, with a close frame of one of these codes first."""
    code = client.socket.expect_close()
    assert code in codes, f"{code}, expected {codes}"


# ----------------------------------------------------------------- 1: framing

SIZES = [20, 125, 126, 127, 128, 65535, 65536, 65537, 1_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_1_a_frame_of_each_size_that_has_its_own_length(loop, size):
    packet, payload = packet_of(loop, size)
    loop.socket.send_raw(frame(BINARY, packet))
    assert loop.await_kind(Kind.PUBLISH).payload == payload


@pytest.mark.parametrize("chop", [1, 2, 3, 7, 997])
def test_1_frames_in_segments_of_any_size(loop, chop):
    packet, payload = packet_of(loop, 300)
    wire = frame(BINARY, packet)
    for at in range(0, len(wire), chop):
        loop.socket.send_raw(wire[at:at + chop])
    assert loop.await_kind(Kind.PUBLISH).payload == payload


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04"])
def test_1_any_mask_is_taken_off(loop, mask):
    packet = publish_packet(loop.topic, bytes(range(100)))
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(packet))
    loop.socket.send_raw(head(0x82, len(packet)) + mask + masked)
    assert loop.await_kind(Kind.PUBLISH).payload == bytes(range(100))


def test_1_an_empty_frame_is_no_data(loop):
    loop.socket.send_raw(frame(BINARY) * 3)
    goes_on(loop)


def test_1_many_frames_in_one_segment(loop):
    packets = [publish_packet(loop.topic, str(n)) for n in range(50)]
    loop.socket.send_raw(b"".join(frame(BINARY, packet) for packet in packets))
    assert [int(loop.await_kind(Kind.PUBLISH).payload) for _ in range(50)] == list(range(50))


@pytest.mark.parametrize("length, wide", [(5, 2), (125, 2), (5, 8), (126, 8), (65535, 8)])
def test_1_a_length_in_more_bytes_than_it_needs_is_wrong(loop, length, wide):
    loop.socket.send_raw(head(0x82, length, wide) + b"\0\0\0\0")
    ends_with(loop, 1002)


def test_1_a_length_of_64_bits_is_wrong(loop):
    loop.socket.send_raw(head(0x82, 1 << 63, 8) + b"\0\0\0\0")
    ends_with(loop, 1002, 1009)


@pytest.mark.parametrize("first", [0x82, 0x02, 0x89, 0x88])
def test_1_a_client_has_to_mask(loop, first):
    loop.socket.send_raw(head(first, 2, masked=False) + b"\x03\xe8")
    ends_with(loop, 1002)


def test_1_the_server_masks_nothing_and_sends_a_message_a_packet(loop):
    """Websocket asserts the first; the second is for clients that take a message for a packet."""
    loop.socket.send_raw(frame(BINARY, b"".join(publish_packet(loop.topic, str(n))
                                                for n in range(20))))
    for number in range(20):
        opcode, payload = loop.socket.next_frame()
        assert opcode == BINARY
        assert payload[0] == 0x30 and payload[1] == len(payload) - 2
        assert payload.endswith(str(number).encode())


# ------------------------------------------------------------ 2: pings and pongs

@pytest.mark.parametrize("payload", [b"", b"Hello", b"\x00\xff\xfe\xfd", os.urandom(124),
                                     b"\xfe" * 125], ids=len)
def test_2_a_ping_is_answered_with_its_payload(loop, payload):
    loop.socket.send_raw(frame(PING, payload))
    goes_on(loop)
    assert loop.socket.others == [(PONG, payload)]


def test_2_a_ping_in_single_bytes_is_answered(loop):
    for byte in frame(PING, b"\xfe" * 125):
        loop.socket.send_raw(bytes([byte]))
    goes_on(loop)
    assert loop.socket.others == [(PONG, b"\xfe" * 125)]


def test_2_a_ping_of_more_than_125_bytes_is_wrong(loop):
    loop.socket.send_raw(frame(PING, b"x" * 126))
    ends_with(loop, 1002)


@pytest.mark.parametrize("payload", [b"", b"nobody asked", b"x" * 125], ids=len)
def test_2_a_pong_nobody_asked_for_is_nothing(loop, payload):
    loop.socket.send_raw(frame(PONG, payload))
    goes_on(loop)
    assert loop.socket.others == []


def test_2_a_pong_of_more_than_125_bytes_is_wrong(loop):
    loop.socket.send_raw(frame(PONG, b"x" * 126))
    ends_with(loop, 1002)


def test_2_pings_are_answered_in_their_order(loop):
    loop.socket.send_raw(frame(PONG, b"no") + b"".join(frame(PING, b"ping %d" % n)
                                                       for n in range(10)))
    goes_on(loop)
    assert loop.socket.others == [(PONG, b"ping %d" % n) for n in range(10)]


def test_2_a_ping_counts_as_no_mqtt_packet(loop):
    """Only MQTT's own packets are what MQTT sees."""
    loop.socket.send_raw(frame(PING, publish_packet(loop.topic, b"hidden")))
    goes_on(loop)


# -------------------------------------------------------------- 3: reserved bits

@pytest.mark.parametrize("opcode", [BINARY, PING, PONG, CLOSE])
@pytest.mark.parametrize("bits", range(1, 8))
def test_3_reserved_bits_mean_nothing_here(loop, opcode, bits):
    loop.socket.send_raw(head(0x80 | bits << 4 | opcode, 0) + b"\0\0\0\0")
    ends_with(loop, 1002)


def test_3_what_came_before_the_wrong_frame_counts(loop, watcher):
    watcher.subscribe(loop.topic, 0)
    loop.socket.send_raw(frame(BINARY, publish_packet(loop.topic, b"before"))
                         + head(0xC2, 0) + b"\0\0\0\0")
    assert watcher.await_kind(Kind.PUBLISH).payload == b"before"
    ends_with(loop, 1002)


# -------------------------------------------------------------------- 4: opcodes

@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"something"], ids=len)
def test_4_an_opcode_without_a_meaning_is_wrong(loop, opcode, payload):
    loop.socket.send_raw(frame(opcode, payload))
    ends_with(loop, 1002)


# -------------------------------------------------------------- 5: fragmentation

def test_5_a_message_in_fragments(loop):
    packet, payload = packet_of(loop, 500)
    loop.socket.send_raw(frame(BINARY, packet[:200], final=False)
                         + frame(CONTINUATION, packet[200:200], final=False)
                         + frame(CONTINUATION, packet[200:499], final=False)
                         + frame(CONTINUATION, packet[499:]))
    assert loop.await_kind(Kind.PUBLISH).payload == payload


def test_5_an_empty_message_in_fragments(loop):
    loop.socket.send_raw(frame(BINARY, b"", final=False) + frame(CONTINUATION, b"", final=False)
                         + frame(CONTINUATION))
    goes_on(loop)


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_5_a_control_frame_in_fragments_is_wrong(loop, opcode):
    loop.socket.send_raw(frame(opcode, b"\x03\xe8", final=False) + frame(CONTINUATION, b"x"))
    ends_with(loop, 1002)


@pytest.mark.parametrize("cut", [1, 10, 250])
def test_5_pings_between_fragments_are_answered_at_once(loop, cut):
    packet, payload = packet_of(loop, 500)
    loop.socket.send_raw(frame(BINARY, packet[:cut], final=False) + frame(PING, b"now"))
    assert loop.socket.next_frame() == (PONG, b"now")
    loop.socket.send_raw(frame(PONG) + frame(CONTINUATION, packet[cut:]))
    assert loop.await_kind(Kind.PUBLISH).payload == payload


@pytest.mark.parametrize("final", [True, False])
def test_5_a_continuation_of_nothing_is_wrong(loop, final):
    loop.socket.send_raw(frame(CONTINUATION, b"goes on", final=final))
    ends_with(loop, 1002)


def test_5_a_continuation_after_the_end_is_wrong(loop):
    loop.socket.send_raw(frame(BINARY, b"", final=False) + frame(CONTINUATION)
                         + frame(CONTINUATION))
    ends_with(loop, 1002)


@pytest.mark.parametrize("opcode", [BINARY, TEXT])
def test_5_a_message_inside_a_message_is_wrong(loop, opcode):
    loop.socket.send_raw(frame(BINARY, b"", final=False) + frame(opcode, b"new"))
    ends_with(loop, 1002, 1003)


def test_5_a_thousand_fragments_of_a_byte(loop):
    packet, payload = packet_of(loop, 1000)
    wire = frame(BINARY, packet[:1], final=False)
    wire += b"".join(frame(CONTINUATION, packet[i:i + 1], final=i == 999) for i in range(1, 1000))
    loop.socket.send_raw(wire)
    assert loop.await_kind(Kind.PUBLISH).payload == payload


# ----------------------------------------------------------------------- 6: text

@pytest.mark.parametrize("payload", [b"", b"Hello", "나루".encode(), b"\xce\xba\xff",
                                     b"\xed\xa0\x80"], ids=repr)
def test_6_text_is_not_what_mqtt_speaks(loop, payload):
    """[MQTT-6.0.0-1]: whatever the text is, good UTF-8 or not."""
    loop.socket.send_raw(frame(TEXT, payload))
    ends_with(loop, 1003)


def test_6_text_in_fragments_is_refused_at_its_start(loop):
    loop.socket.send_raw(frame(TEXT, b"He", final=False))
    ends_with(loop, 1003)


# -------------------------------------------------------------------- 7: closing

GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


def close_with(code, reason=b""):
    return frame(CLOSE, struct.pack(">H", code) + reason)


@pytest.mark.parametrize("code", GOOD_CODES)
def test_7_a_close_is_answered_with_its_code(loop, code):
    loop.socket.send_raw(close_with(code, b"so long"))
    ends_with(loop, code)


def test_7_a_close_without_a_code_is_answered(loop):
    loop.socket.send_raw(frame(CLOSE))
    ends_with(loop, 1000)


@pytest.mark.parametrize("code", BAD_CODES)
def test_7_a_code_that_may_not_be_said_is_wrong(loop, code):
    loop.socket.send_raw(close_with(code))
    ends_with(loop, 1002)


def test_7_half_a_code_is_wrong(loop):
    loop.socket.send_raw(frame(CLOSE, b"\x03"))
    ends_with(loop, 1002)


@pytest.mark.parametrize("reason", [b"", "나루 - 안녕".encode(), b"x" * 123,
                                    "\U0001F697".encode() * 30], ids=len)
def test_7_a_reason_in_utf8_is_fine(loop, reason):
    loop.socket.send_raw(close_with(1000, reason))
    ends_with(loop, 1000)


@pytest.mark.parametrize("reason", [b"\xff", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80",
                                    b"\xc0\xaf", b"\xf4\x90\x80\x80", b"cut \xe2\x82"], ids=repr)
def test_7_a_reason_in_no_utf8_is_wrong(loop, reason):
    loop.socket.send_raw(close_with(1000, reason))
    ends_with(loop, 1007)


def test_7_a_close_of_more_than_125_bytes_is_wrong(loop):
    loop.socket.send_raw(close_with(1000, b"x" * 124))
    ends_with(loop, 1002)


def test_7_nothing_is_heard_after_a_close(loop, watcher):
    watcher.subscribe(loop.topic, 0)
    loop.socket.send_raw(close_with(1000) + frame(BINARY, publish_packet(loop.topic, b"ghost"))
                         + frame(PING, b"too late") + close_with(1001))
    ends_with(loop, 1000)
    assert [opcode for opcode, _ in loop.socket.others] == [CLOSE]
    watcher.publish(loop.topic, b"end")
    assert watcher.await_kind(Kind.PUBLISH).payload == b"end"


def test_7_a_close_between_fragments_ends_the_connection(loop):
    packet = publish_packet(loop.topic, b"never whole")
    loop.socket.send_raw(frame(BINARY, packet[:5], final=False) + close_with(1000))
    ends_with(loop, 1000)


def test_7_the_connection_is_closed_by_the_server_first(loop):
    """TCP's waiting state belongs to the server: it closes, and the client reads the end."""
    loop.socket.send_raw(close_with(1000))
    ends_with(loop, 1000)
    assert loop.socket.stream.recv(1) == b""


def test_7_half_a_close_is_waited_for(loop):
    loop.socket.send_raw(close_with(1000, b"reason")[:7])
    with pytest.raises(TimeoutError):
        loop.socket.settimeout(0.3)
        loop.socket.next_frame()


# --------------------------------------------------------------------- 9: limits

@pytest.mark.parametrize("size", [256 * 1024, 1024 * 1024, 3_900_000])
def test_9_large_messages_in_one_frame(loop, size):
    loop.socket.send_raw(frame(BINARY, publish_packet(loop.topic, b"z" * size)))
    assert len(loop.await_kind(Kind.PUBLISH, 20).payload) == size


@pytest.mark.parametrize("fragment", [1300, 64 * 1024, 1024 * 1024])
def test_9_large_messages_in_fragments(loop, fragment):
    packet = publish_packet(loop.topic, b"z" * 2_000_000)
    wire = b""
    for at in range(0, len(packet), fragment):
        wire += frame(BINARY if at == 0 else CONTINUATION, packet[at:at + fragment],
                      final=at + fragment >= len(packet))
    loop.socket.send_raw(wire)
    assert len(loop.await_kind(Kind.PUBLISH, 20).payload) == 2_000_000


def test_9_a_frame_larger_than_any_packet_is_refused_by_its_header(loop):
    loop.socket.send_raw(head(0x82, 1 << 32) + b"\0\0\0\0")
    ends_with(loop, 1009)


def test_9_a_large_packet_is_delivered_with_pongs_in_between(loop):
    """What comes in fragments leaves room for control frames and stays one message."""
    payload = os.urandom(3_000_000)
    loop.socket.send_raw(frame(BINARY, publish_packet(loop.topic, payload)) + frame(PING, b"!"))
    message = loop.await_kind(Kind.PUBLISH, 20)
    assert message.payload == payload
    goes_on(loop)
    assert loop.socket.others == [(PONG, b"!")]
