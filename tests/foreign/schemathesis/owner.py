"""Owns a person's way into a node over HTTP: the first set-up, signing in, and coming back after whatever was asked."""

import base64
import hashlib
import hmac
import os
import struct
import time

import requests

NAME = "olga"
PASSWORD = "four plain old words"
PASSPHRASE = os.environ.get("FLASH_PASSPHRASE", "nine green bottles on a wall")


class Owner:
    """The owner of the node at `url`, with a browser's cookies."""

    def __init__(self, url: str):
        self.url = url
        self.browser = requests.Session()

    def ask(self, method: str, path: str, body=None, **more) -> requests.Response:
        return self.browser.request(method, self.url + path, json=body, timeout=60, **more)

    def done(self, method: str, path: str, body=None) -> requests.Response:
        answer = self.ask(method, path, body)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def set_up(self, code: str) -> requests.Response:
        return self.done(
            "POST",
            "/api/v1/set-up",
            {"code": code, "name": NAME, "password": PASSWORD, "language": "en"},
        )

    def sign_in(self) -> None:
        """Opens the vault where it is sealed, and signs in: both as a person would."""
        answer = self.ask("POST", "/api/v1/session", {"name": NAME, "password": PASSWORD})
        if answer.status_code == 423:
            self.done("POST", "/api/v1/vault/unlock", {"passphrase": PASSPHRASE})
            answer = self.ask("POST", "/api/v1/session", {"name": NAME, "password": PASSWORD})
        assert answer.ok, f"the owner is locked out: {answer.status_code} {answer.text}"

    def confirm(self) -> None:
        self.done("POST", "/api/v1/session/confirm", {"password": PASSWORD})


def set_up_anew(url: str) -> Owner:
    """Makes the owner of a node that has none, with the code of `FLASH_CODE`, and gives its vault a passphrase."""
    owner = Owner(url)
    owner.set_up(os.environ["FLASH_CODE"])
    return owner


def totp(secret: str) -> str:
    """The six digits of this moment. Source: RFC 6238, with the defaults that apps use."""
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    number = struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"
