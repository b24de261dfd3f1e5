"""An authenticator made of software: one key on P-256, its user verified, a counter, ES256.

By hand, because the library that would do it is one more to pin: the key is worth nothing, so that time does not matter.
Source: Web Authentication Level 3, sections 6.1, 6.5.4 and 5.8.1; RFC 9053, 7.1.1; SEC 1, 4.1.3; FIPS 186-5."""

import base64
import hashlib
import json
import secrets

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def add(one, other):
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P) if one == other else (y2 - y1) * pow(x2 - x1, -1, P)
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def times(number, point):
    sum_of = None
    while number:
        if number & 1:
            sum_of = add(sum_of, point)
        point = add(point, point)
        number >>= 1
    return sum_of


def der(number: int) -> bytes:
    content = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return bytes([2, len(content)]) + content


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Authenticator:
    """The authenticator of a browser that shows the page at `origin`, whose name is `site`."""

    def __init__(self, origin: str, site: str):
        self.origin, self.site = origin, site
        self.key = secrets.randbelow(N - 1) + 1
        self.handle = secrets.token_bytes(32)
        self.counter = 0
        self.user = ""

    def create(self, options: dict) -> dict:
        self.user = options["user"]["id"]
        x, y = (one.to_bytes(32, "big") for one in times(self.key, G))
        key = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y
        data = self.data(ATTESTED) + bytes(16) + len(self.handle).to_bytes(2, "big") + self.handle + key
        made = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58" + bytes([len(data)]) + data
        client = self.client("webauthn.create", options)
        return self.answer({"attestationObject": text(made), "clientDataJSON": text(client), "transports": ["internal"]})

    def get(self, options: dict) -> dict:
        self.counter += 1
        data, client = self.data(0), self.client("webauthn.get", options)
        digest = int.from_bytes(hashlib.sha256(data + hashlib.sha256(client).digest()).digest(), "big")
        once = secrets.randbelow(N - 1) + 1
        r = times(once, G)[0] % N
        s = pow(once, -1, N) * (digest + r * self.key) % N
        pair = der(r) + der(s)
        signature = bytes([0x30, len(pair)]) + pair
        return self.answer(
            {
                "authenticatorData": text(data),
                "clientDataJSON": text(client),
                "signature": text(signature),
                "userHandle": self.user,
            }
        )

    def data(self, more: int) -> bytes:
        flags = bytes([PRESENT | VERIFIED | more])
        return hashlib.sha256(self.site.encode()).digest() + flags + self.counter.to_bytes(4, "big")

    def client(self, kind: str, options: dict) -> bytes:
        made = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(made).encode()

    def answer(self, response: dict) -> dict:
        name = text(self.handle)
        return {"id": name, "rawId": name, "type": "public-key", "clientExtensionResults": {}, "response": response}
