"""JSON Web Tokens made with openssl, and keys for them."""
import base64
import hashlib
import hmac
import json
import subprocess
import time

from certificates import openssl

SECRET = b"0123456789abcdef0123456789abcdef"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_signature(der):
    """The two numbers of an ECDSA signature side by side, 32 bytes each."""
    at, halves = 2, []
    for _ in range(2):
        size = der[at + 1]
        halves.append(int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big"))
        at += 2 + size
    return b"".join(halves)


def sign(algorithm, key, text):
    if algorithm == "HS256":
        return hmac.new(key, text, hashlib.sha256).digest()
    done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(key)], input=text,
                          stdout=subprocess.PIPE, check=True, timeout=60)
    return raw_signature(done.stdout) if algorithm == "ES256" else done.stdout


def token(user="car1", algorithm="HS256", key=SECRET, lifetime=600, header=(), **claims):
    claims = {"sub": user, "exp": int(time.time()) + lifetime, **claims}
    head = {"typ": "JWT", "alg": algorithm, **dict(header)}
    text = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
    return text + "." + base64url(sign(algorithm, key, text.encode()))


class Keys:
    """secret, and for RSA and P-256 a private key and NAME.pem with the public one."""

    def __init__(self, directory):
        self.directory = directory
        self.secret = directory / "secret"
        self.secret.write_bytes(SECRET + b"\n")
        self.rsa = self.make("rsa", "RSA", "rsa_keygen_bits:2048")
        self.ec = self.make("ec", "EC", "ec_paramgen_curve:P-256")

    def make(self, name, kind, option):
        key = self.directory / f"{name}.key"
        openssl("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", key)
        openssl("pkey", "-in", key, "-pubout", "-out", self.public(key))
        return key

    @staticmethod
    def public(key):
        return key.with_suffix(".pem")

    def write_public(self, *keys):
        file = self.directory / "keys.pem"
        file.write_text("".join(self.public(key).read_text() for key in keys))
        return file
