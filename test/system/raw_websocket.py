"""A WebSocket made by hand over any socket; behaves like a socket whose bytes are its messages."""
import os
import struct

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3.
CONTINUATION, BINARY, CLOSE, PING, PONG = 0, 2, 8, 9, 10


def request(protocol="mqtt", path="/mqtt", **headers):
    lines = {"Host": "broker", "Upgrade": "websocket", "Connection": "Upgrade",
             "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Protocol": protocol}
    lines.update({name.replace("_", "-"): value for name, value in headers.items()})
    text = f"GET {path} HTTP/1.1\r\n"
    text += "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return (text + "\r\n").encode()


def frame(opcode, payload=b"", final=True, masked=True):
    head = bytes([(0x80 if final else 0) | opcode])
    mark = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mark | len(payload)])
    elif len(payload) <= 0xFFFF:
        head += struct.pack(">BH", mark | 126, len(payload))
    else:
        head += struct.pack(">BQ", mark | 127, len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class Websocket:
    def __init__(self, stream, protocol="mqtt"):
        self.stream = stream
        self.buffer = b""
        self.others = []  # (opcode, payload) of frames that hold no data.
        self.stream.sendall(request(protocol))
        head = self.read_head()
        assert head.startswith("HTTP/1.1 101 "), head
        assert f"Sec-WebSocket-Accept: {ACCEPT}\r\n" in head
        assert f"Sec-WebSocket-Protocol: {protocol}\r\n" in head

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            data = self.stream.recv(4096)
            assert data, f"closed in the head: {self.buffer}"
            self.buffer += data
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head.decode() + "\r\n"

    def settimeout(self, seconds):
        self.stream.settimeout(seconds)

    def sendall(self, data):
        self.stream.sendall(frame(BINARY, data))

    def send_raw(self, data):
        self.stream.sendall(data)

    def _fill(self, size):
        while len(self.buffer) < size:
            data = self.stream.recv(65536)
            if not data:
                return False
            self.buffer += data
        return True

    def next_frame(self):
        """(opcode, payload), or None at the end of the connection."""
        if not self._fill(2):
            return None
        length, start = self.buffer[1], 2
        assert not length & 0x80, "a server does not mask"
        if length >= 126:
            start, form = (4, ">H") if length == 126 else (10, ">Q")
            assert self._fill(start)
            length = struct.unpack(form, self.buffer[2:start])[0]
        assert self._fill(start + length)
        opcode, payload = self.buffer[0] & 0x0F, self.buffer[start:start + length]
        self.buffer = self.buffer[start + length:]
        return opcode, payload

    def recv(self, _size):
        while True:
            got = self.next_frame()
            if got is None:
                return b""
            if got[0] in (BINARY, CONTINUATION):
                return got[1]
            self.others.append(got)

    def expect_close(self):
        """The code of the close frame the connection ends with."""
        assert self.recv(1) == b""
        assert self.others[-1][0] == CLOSE, self.others
        return struct.unpack(">H", self.others[-1][1][:2])[0]

    def close(self):
        self.stream.close()
