"""The client's side of SCRAM-SHA-256 (RFC 7677), from nothing but hashlib."""
import base64
import hashlib
import hmac
import os

from raw_mqtt import Kind, encode_properties, frame

METHOD = "SCRAM-SHA-256"
CONTINUE = 0x18
AGAIN = 0x19


def mac(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


def auth_packet(code, data=None, method=METHOD):
    properties = {}
    if method is not None:
        properties["authentication_method"] = method
    if data is not None:
        properties["authentication_data"] = data
    return frame(Kind.AUTH, bytes([code]) + encode_properties(properties))


class Scram:
    def __init__(self, user, password):
        self.password = password.encode()
        name = user.replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={name},r=" + base64.b64encode(os.urandom(18)).decode()
        self.first = "n,," + self.bare
        self.server_signature = None

    def final(self, challenge):
        """The answer to the server-first-message."""
        challenge = challenge.decode()
        fields = dict(part.split("=", 1) for part in challenge.split(","))
        assert fields["r"].startswith(self.bare.rsplit("r=", 1)[1])
        assert len(fields["r"]) > len(self.bare.rsplit("r=", 1)[1]) + 16
        self.iterations = int(fields["i"])
        self.salt = base64.b64decode(fields["s"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password, self.salt, self.iterations)
        without_proof = "c=biws,r=" + fields["r"]
        everything = ",".join([self.bare, challenge, without_proof]).encode()
        client_key = mac(salted, b"Client Key")
        signature = mac(hashlib.sha256(client_key).digest(), everything)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.server_signature = mac(mac(salted, b"Server Key"), everything)
        return without_proof + ",p=" + base64.b64encode(proof).decode()

    def check(self, data):
        """Whether the broker knows the password as well."""
        assert data == b"v=" + base64.b64encode(self.server_signature)

    def properties(self):
        return {"authentication_method": METHOD, "authentication_data": self.first}
