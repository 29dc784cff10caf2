"""MQTT packets made and read by hand.

What no polite client library sends (a second CONNECT, a wrong flag, half a packet) and what it
hides (DUP, packet ids, who acknowledges when) is said and seen here. One Client is one TCP
connection; every wait has a deadline, and nothing is acknowledged unless a test asks for it.
"""
import enum
import socket
import struct
import time

V311 = 4
V5 = 5
WAIT = 8.0  # Seconds a packet may take before a test calls it missing.


class Kind(enum.IntEnum):
    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


# id: (name, how its value lies on the wire)
PROPERTIES = {
    0x01: ("payload_format_indicator", "byte"),
    0x02: ("message_expiry_interval", "u32"),
    0x03: ("content_type", "text"),
    0x08: ("response_topic", "text"),
    0x09: ("correlation_data", "binary"),
    0x0B: ("subscription_identifier", "varint"),
    0x11: ("session_expiry_interval", "u32"),
    0x12: ("assigned_client_identifier", "text"),
    0x13: ("server_keep_alive", "u16"),
    0x15: ("authentication_method", "text"),
    0x16: ("authentication_data", "binary"),
    0x17: ("request_problem_information", "byte"),
    0x18: ("will_delay_interval", "u32"),
    0x19: ("request_response_information", "byte"),
    0x1A: ("response_information", "text"),
    0x1C: ("server_reference", "text"),
    0x1F: ("reason_string", "text"),
    0x21: ("receive_maximum", "u16"),
    0x22: ("topic_alias_maximum", "u16"),
    0x23: ("topic_alias", "u16"),
    0x24: ("maximum_qos", "byte"),
    0x25: ("retain_available", "byte"),
    0x26: ("user_property", "pair"),
    0x27: ("maximum_packet_size", "u32"),
    0x28: ("wildcard_subscription_available", "byte"),
    0x29: ("subscription_identifier_available", "byte"),
    0x2A: ("shared_subscription_available", "byte"),
}
PROPERTY_IDS = {name: number for number, (name, _) in PROPERTIES.items()}
NUMBER_FORMATS = {"byte": ">B", "u16": ">H", "u32": ">I"}


class Closed(AssertionError):
    """The broker closed the connection where a packet was expected."""


class Missing(AssertionError):
    """No packet came within the deadline."""


def varint(value):
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def binary(value):
    return struct.pack(">H", len(value)) + value


def text(value):
    return binary(value if isinstance(value, bytes) else value.encode())


def encode_property(name, value):
    number = PROPERTY_IDS[name]
    wire = PROPERTIES[number][1]
    if wire in NUMBER_FORMATS:
        encoded = struct.pack(NUMBER_FORMATS[wire], value)
    elif wire == "varint":
        encoded = varint(value)
    elif wire == "pair":
        encoded = text(value[0]) + text(value[1])
    else:
        encoded = text(value)
    return bytes([number]) + encoded


def encode_properties(properties):
    """properties: a dict, or (name, value) pairs where a name comes twice."""
    pairs = properties.items() if isinstance(properties, dict) else properties
    block = b"".join(encode_property(name, value) for name, value in pairs)
    return varint(len(block)) + block


def frame(kind, body=b"", flags=None):
    if flags is None:
        flags = 2 if kind in (Kind.PUBREL, Kind.SUBSCRIBE, Kind.UNSUBSCRIBE) else 0
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


class Will:
    def __init__(self, topic, payload=b"gone", qos=0, retain=False, properties=()):
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties


def connect_packet(client_id="", version=V5, clean=True, keep_alive=60, will=None, username=None,
                   password=None, properties=(), protocol="MQTT", level=None):
    flags = 0x02 if clean else 0
    payload = text(client_id)
    if will is not None:
        flags |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
        if version == V5:
            payload += encode_properties(will.properties)
        payload += text(will.topic) + binary(will.payload)
    if username is not None:
        flags |= 0x80
        payload += text(username)
    if password is not None:
        flags |= 0x40
        payload += text(password)
    head = text(protocol) + bytes([version if level is None else level, flags])
    head += struct.pack(">H", keep_alive)
    if version == V5:
        head += encode_properties(properties)
    return frame(Kind.CONNECT, head + payload)


def publish_packet(topic, payload=b"", qos=0, packet_id=None, version=V5, retain=False, dup=False,
                   properties=()):
    body = text(topic)
    if qos > 0:
        body += struct.pack(">H", packet_id)
    if version == V5:
        body += encode_properties(properties)
    body += payload if isinstance(payload, bytes) else payload.encode()
    return frame(Kind.PUBLISH, body, (8 if dup else 0) | qos << 1 | (1 if retain else 0))


def subscribe_packet(packet_id, filters, version=V5, properties=()):
    """filters: (filter, options byte) pairs; the options byte of QoS n alone is n."""
    body = struct.pack(">H", packet_id)
    if version == V5:
        body += encode_properties(properties)
    for topic_filter, options in filters:
        body += text(topic_filter) + bytes([options])
    return frame(Kind.SUBSCRIBE, body)


def unsubscribe_packet(packet_id, filters, version=V5):
    body = struct.pack(">H", packet_id)
    if version == V5:
        body += encode_properties(())
    return frame(Kind.UNSUBSCRIBE, body + b"".join(text(f) for f in filters))


def ack_packet(kind, packet_id, version=V5, code=0):
    body = struct.pack(">H", packet_id)
    if version == V5 and code:
        body += bytes([code])
    return frame(kind, body)


def disconnect_packet(version=V5, code=0, properties=()):
    if version != V5 or (code == 0 and not properties):
        return frame(Kind.DISCONNECT)
    body = bytes([code]) + (encode_properties(properties) if properties else b"")
    return frame(Kind.DISCONNECT, body)


class Reader:
    """A cursor over one packet's bytes."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        assert self.at + count <= len(self.data), f"packet too short: {self.data.hex()}"
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def u16(self):
        return self.number(">H")

    def varint(self):
        value, shift = 0, 0
        while True:
            digit = self.take(1)[0]
            value |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return value

    def binary(self):
        return self.take(self.u16())

    def text(self):
        return self.binary().decode()

    def rest(self):
        return self.take(len(self.data) - self.at)

    def left(self):
        return len(self.data) - self.at

    def value(self, wire):
        if wire in NUMBER_FORMATS:
            return self.number(NUMBER_FORMATS[wire])
        if wire == "pair":
            return self.text(), self.text()
        return {"varint": self.varint, "text": self.text, "binary": self.binary}[wire]()

    def properties(self):
        block = Reader(self.take(self.varint()))
        pairs = []
        while block.left():
            name, wire = PROPERTIES[block.varint()]
            pairs.append((name, block.value(wire)))
        return pairs


class Packet:
    """One packet from the broker, with the fields of its kind as attributes."""

    def __init__(self, first, body, version):
        self.kind = Kind(first >> 4)
        self.flags = first & 0x0F
        self.raw = body
        self.properties = []
        self.code = 0
        read = Reader(body)
        v5 = version == V5
        if self.kind == Kind.CONNACK:
            self._connack(read, v5)
        elif self.kind == Kind.PUBLISH:
            self._publish(read, v5)
        elif self.kind in (Kind.SUBACK, Kind.UNSUBACK):
            self.packet_id = read.u16()
            self.properties = read.properties() if v5 else []
            self.codes = list(read.rest())
        elif self.kind in (Kind.DISCONNECT, Kind.AUTH):
            self._code_and_properties(read)
        elif self.kind in (Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP):
            self.packet_id = read.u16()
            self._code_and_properties(read)

    def _connack(self, read, v5):
        self.session_present = read.take(1)[0] == 1
        self.code = read.take(1)[0]
        # A refusal in the form of 3.1.1 may answer a CONNECT of a version nobody knows.
        self.properties = read.properties() if v5 and read.left() else []

    def _publish(self, read, v5):
        self.dup = bool(self.flags & 8)
        self.qos = self.flags >> 1 & 3
        self.retain = bool(self.flags & 1)
        self.topic = read.text()
        self.packet_id = read.u16() if self.qos else None
        self.properties = read.properties() if v5 else []
        self.payload = read.rest()

    def _code_and_properties(self, read):
        if read.left():
            self.code = read.take(1)[0]
        if read.left():
            self.properties = read.properties()

    def property(self, name, default=None):
        values = self.all_properties(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else default

    def all_properties(self, name):
        return [value for key, value in self.properties if key == name]

    def __repr__(self):
        fields = {k: v for k, v in vars(self).items() if k not in ("kind", "raw") and v}
        return f"<{self.kind.name} {fields}>"


class Client:
    """One TCP connection that speaks MQTT only as far as it is told to."""

    def __init__(self, port, version=V5, host="127.0.0.1", stream=None):
        """stream: a connected socket, or what behaves like one, in place of a new one."""
        self.version = version
        self.socket = stream
        if stream is None:
            self.socket = socket.create_connection((host, port), timeout=WAIT)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.set_aside = []
        self.last_id = 0
        self.connack = None

    # ------------------------------------------------------------------ bytes

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The broker may close before it has read all; what it said first still counts.

    def _fill(self, deadline):
        self.socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise Missing("no packet before the deadline") from None
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        if not data:
            raise Closed("the broker closed the connection")
        self.buffer += data

    def _cut_packet(self):
        length, shift = 0, 0
        for at in range(1, min(len(self.buffer), 5)):
            length |= (self.buffer[at] & 0x7F) << shift
            shift += 7
            if not self.buffer[at] & 0x80:
                end = at + 1 + length
                if len(self.buffer) < end:
                    return None
                packet = Packet(self.buffer[0], bytes(self.buffer[at + 1:end]), self.version)
                del self.buffer[:end]
                return packet
        return None

    # ---------------------------------------------------------------- packets

    def _next_from_wire(self, deadline):
        while True:
            packet = self._cut_packet()
            if packet is not None:
                return packet
            self._fill(deadline)

    def receive(self, wait=WAIT):
        """The next packet, whatever it is."""
        if self.set_aside:
            return self.set_aside.pop(0)
        return self._next_from_wire(time.monotonic() + wait)

    def expect(self, kind, wait=WAIT):
        """The next packet, which has to be of this kind."""
        packet = self.receive(wait)
        assert packet.kind == kind, f"expected {kind.name}, got {packet}"
        return packet

    def await_kind(self, kind, wait=WAIT):
        """The first packet of this kind; what comes before it waits for its own reader."""
        for at, packet in enumerate(self.set_aside):
            if packet.kind == kind:
                return self.set_aside.pop(at)
        deadline = time.monotonic() + wait
        while True:
            packet = self._next_from_wire(deadline)
            if packet.kind == kind:
                return packet
            self.set_aside.append(packet)

    def expect_closed(self, wait=WAIT):
        """Reads to the end of the connection; returns the packets that came before it."""
        packets = []
        deadline = time.monotonic() + wait
        while True:
            try:
                packets.append(self.receive(max(0.001, deadline - time.monotonic())))
            except Closed:
                return packets
            except Missing:
                raise AssertionError(f"still open; got {packets}") from None

    def expect_refusal(self, *codes, wait=WAIT):
        """Closed; in MQTT 5 after a DISCONNECT with one of the codes, which is returned."""
        packets = self.expect_closed(wait)
        said = [p for p in packets if p.kind == Kind.DISCONNECT]
        if self.version != V5:
            assert not said, f"3.1.1 has no DISCONNECT from a broker: {said}"
            return None
        assert said and packets[-1].kind == Kind.DISCONNECT, f"no DISCONNECT in {packets}"
        assert said[-1].code in codes, f"code {said[-1].code:#x}, expected {codes}"
        return said[-1]

    # --------------------------------------------------------------- dialogues

    def next_id(self):
        self.last_id = self.last_id % 65535 + 1
        return self.last_id

    def connect(self, client_id="", expect_code=0, **options):
        self.send(connect_packet(client_id, version=self.version, **options))
        self.connack = self.expect(Kind.CONNACK)
        code = self.connack.code
        assert code == expect_code, f"CONNACK {code:#x}, expected {expect_code:#x}"
        return self.connack

    def subscribe(self, topic_filter, options=0, properties=()):
        """One filter; returns its SUBACK code."""
        codes = self.subscribe_many([(topic_filter, options)], properties)
        return codes[0]

    def subscribe_many(self, filters, properties=()):
        packet_id = self.next_id()
        self.send(subscribe_packet(packet_id, filters, self.version, properties))
        suback = self.await_kind(Kind.SUBACK)
        assert suback.packet_id == packet_id
        assert len(suback.codes) == len(filters)
        return suback.codes

    def unsubscribe(self, *filters):
        packet_id = self.next_id()
        self.send(unsubscribe_packet(packet_id, filters, self.version))
        unsuback = self.await_kind(Kind.UNSUBACK)
        assert unsuback.packet_id == packet_id
        return unsuback.codes

    def publish(self, topic, payload=b"", qos=0, retain=False, properties=()):
        """A whole publish: for QoS 1 and 2 it returns when the broker has taken it over."""
        packet_id = self.next_id() if qos else None
        self.send(publish_packet(topic, payload, qos, packet_id, self.version, retain,
                                 properties=properties))
        if qos == 1:
            return self.await_ack(Kind.PUBACK, packet_id)
        if qos == 2:
            answer = self.await_ack(Kind.PUBREC, packet_id)
            if answer.code < 0x80:
                self.send(ack_packet(Kind.PUBREL, packet_id))
                return self.await_ack(Kind.PUBCOMP, packet_id)
            return answer
        return None

    def publish_unanswered(self, topic, payload=b"", qos=1, properties=()):
        """Only the PUBLISH; its answer is for the test to read. Returns the packet id."""
        packet_id = self.next_id()
        self.send(publish_packet(topic, payload, qos, packet_id, self.version,
                                 properties=properties))
        return packet_id

    def await_ack(self, kind, packet_id):
        answer = self.await_kind(kind)
        assert answer.packet_id == packet_id, f"{answer} does not answer id {packet_id}"
        return answer

    def acknowledge(self, message):
        """The subscriber's part of taking over a message."""
        if message.qos == 1:
            self.send(ack_packet(Kind.PUBACK, message.packet_id))
        elif message.qos == 2:
            self.send(ack_packet(Kind.PUBREC, message.packet_id))
            assert self.await_ack(Kind.PUBREL, message.packet_id).flags == 2
            self.send(ack_packet(Kind.PUBCOMP, message.packet_id))

    def take(self, wait=WAIT):
        """The next message, acknowledged."""
        message = self.await_kind(Kind.PUBLISH, wait)
        self.acknowledge(message)
        return message

    def take_until(self, last_payload, wait=WAIT):
        """Messages up to the one with this payload, without it: so a test shows what did not
        come, since a publisher's messages keep their order."""
        messages = []
        while True:
            message = self.take(wait)
            if message.payload == last_payload:
                return messages
            messages.append(message)

    def ping(self):
        self.send(frame(Kind.PINGREQ))
        return self.await_kind(Kind.PINGRESP)

    def disconnect(self, code=0, properties=()):
        self.send(disconnect_packet(self.version, code, properties))
        self.expect_closed()
        self.close()

    def close(self):
        """Without a DISCONNECT, as when a vehicle drives into a tunnel."""
        self.socket.close()


def let_quiet(client):
    """What is on its way to the client now, acknowledged: until two PINGs bring nothing more.

    A PINGRESP alone proves little where another thread delivers, so the client also sends
    itself a message through the same doors and waits for it."""
    topic = f"quiet/{client.client_id if hasattr(client, 'client_id') else id(client)}"
    client.subscribe(topic, 1)
    client.publish(topic, b"quiet-marker", 1)
    messages = client.take_until(b"quiet-marker")
    client.unsubscribe(topic)
    client.ping()
    while any(p.kind == Kind.PUBLISH for p in client.set_aside):
        messages.append(client.take())
    return messages


def keep(version, seconds=600, **more):
    """Options of a CONNECT whose session outlives the connection."""
    properties = {"session_expiry_interval": seconds, **more} if version == V5 else ()
    return {"clean": False, "properties": properties}


def reconnect(broker, dial, version, client_id, **options):
    client = dial(broker, version)
    client.connect(client_id, **(options or keep(version)))
    client.client_id = client_id
    return client
