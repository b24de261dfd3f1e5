"""Asks each operation of a node's API once, as its owner would, so that it is carried out; each answer is checked against
the API's own description. Prints `ok METHOD PATH STATUS` for each, and fails where one is left out.

usage: walk.py URL SOCKET EDGE IMAGE; SOCKET is the owner's unix socket, EDGE one whose credential the node makes, IMAGE one
that the machine has. Nobody may own the node yet, and FLASH_PASSPHRASE opens its vault; it is taken down at the end."""

import http.client
import json
import pathlib
import socket
import sys
import tempfile
import time

import schemathesis

from authenticator import Authenticator
from owner import NAME, PASSPHRASE, PASSWORD, Owner, totp

url, unix, edge, image = sys.argv[1:]
owner = Owner(url)
description = owner.done("GET", "/api/v1/openapi.json").json()
schema = schemathesis.openapi.from_dict(description)
carried_out = set()


def well(method: str, template: str, answer, status: int) -> None:
    documented = description["paths"][template][method.lower()]["responses"]
    assert str(status) in documented, f"{method} {template}: {status} is not documented"
    assert 200 <= status < 300, f"{method} {template}: {status} {answer}"
    carried_out.add((method, template))
    print(f"ok {method} {template} {status}", flush=True)


def ask(method: str, template: str, body=None, query="", who=owner, **names):
    answer = who.ask(method, template.format(**names) + query, body)
    schema[template][method].validate_response(answer)
    well(method, template, answer.text, answer.status_code)
    return answer.json() if answer.content and "json" in answer.headers["content-type"] else None


class Local(http.client.HTTPConnection):
    """The owner's own socket, which asks for no session."""

    def __init__(self):
        super().__init__("localhost", timeout=60)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(unix)


def at_machine(method: str, path: str, body=None):
    local = Local()
    # Where no body is wanted none is sent: http.client sends it apart, and an answer may be there before.
    text = None if body is None else json.dumps(body)
    local.request(method, path, text, {"content-type": "application/json"})
    answer = local.getresponse()
    text = answer.read()
    well(method, path, text, answer.status)
    return json.loads(text)


code = at_machine("POST", "/api/v1/setup-code")["code"]
ask("GET", "/api/v1/openapi.json")
ask("GET", "/api/v1/session")
ask("POST", "/api/v1/set-up", {"code": code, "name": NAME, "password": PASSWORD, "language": "en"})

for path in ("access", "advisories", "status", "services", "machine", "tasks", "edges", "images", "settings", "shop", "accounts", "audit-log",
             "sessions", "tokens"):
    ask("GET", f"/api/v1/{path}")
ask("GET", "/api/v1/services/{id}", id="relay")
ask("GET", "/api/v1/events", query="?tail=5&follow=false")
ask("GET", "/api/v1/services/{id}/logs", query="?tail=5&follow=false", id="relay")
ask("GET", "/metrics")
for path in ("edges", "images", "audit", "audit-log/verify", "plan", "apply"):
    ask("POST", f"/api/v1/{path}")

# The owner's own account.
ask("POST", "/api/v1/account/language", {"language": "nl"})
ask("POST", "/api/v1/account/password", {"current": PASSWORD, "new": PASSWORD + "!"})
owner.done("POST", "/api/v1/account/password", {"current": PASSWORD + "!", "new": PASSWORD})
ask("POST", "/api/v1/session/confirm", {"password": PASSWORD})
secret = ask("POST", "/api/v1/account/second-factor")["secret"]
ask("POST", "/api/v1/account/second-factor/confirm", {"code": totp(secret)})
ask("POST", "/api/v1/account/recovery-codes")
ask("DELETE", "/api/v1/account/second-factor")
other = Owner(url)
ask("POST", "/api/v1/session", {"name": NAME, "password": PASSWORD}, who=other)
theirs = next(one for one in ask("GET", "/api/v1/sessions")["items"] if not one["current"])
ask("DELETE", "/api/v1/sessions/{id}", id=theirs["id"])
ask("DELETE", "/api/v1/sessions")

# Passkeys, which want the node's name: a cookie of an address is none there.
port = url.rsplit(":", 1)[1]
named = Owner(f"http://localhost:{port}")
named.sign_in()
phone = Authenticator(named.url, "localhost")


def shown(path: str, who: Owner, act, **more):
    begun = ask("POST", f"{path}/begin", who=who)
    return ask("POST", path, {"ceremony": begun["ceremony"], "credential": act(begun["options"]), **more}, who=who)


passkeys = "/api/v1/account/passkeys"
shown(passkeys, named, phone.create, label="a phone")
shown("/api/v1/session/confirm/passkey", named, phone.get)
shown("/api/v1/session/passkey", Owner(named.url), phone.get)
(passkey,) = ask("GET", passkeys, who=named)["items"]
ask("DELETE", f"{passkeys}/{{id}}", who=named, id=passkey["id"])

# Other people, and programs.
cashier = {"name": "kees", "role": "cashier", "password": "a till of my own", "language": "nl"}
kees = ask("POST", "/api/v1/accounts", cashier)["id"]
ask("PATCH", "/api/v1/accounts/{id}", {"role": "manager"}, id=kees)
ask("GET", "/api/v1/accounts/{id}/sessions", id=kees)
ask("DELETE", "/api/v1/accounts/{id}/sessions", id=kees)
at_machine("POST", "/api/v1/accounts/reset", {"name": "kees", "password": "another till of mine"})
ask("DELETE", "/api/v1/accounts/{id}", id=kees)
token = ask("POST", "/api/v1/tokens", {"name": "till", "role": "auditor", "expires_in_days": 30})["token"]
ask("DELETE", "/api/v1/tokens/{id}", id=token["id"])

# To whom the node is open. It has no network of its own here: there is nothing to be trusted, which the owner's fuzz has.
ask("POST", "/api/v1/access", {"lan": False})
AUTHORITY = ("GET", "/authority.crt")
answer = owner.ask(*AUTHORITY)
assert answer.status_code == 404, answer.text
schema[AUTHORITY[1]][AUTHORITY[0]].validate_response(answer)

# The file of this very release, which is known already.
release = pathlib.Path(__file__).parents[3] / "orchestrator/src/advisory"
advisories = {"text": (release / "shipped.toml").read_text(), "signature": (release / "shipped.toml.minisig").read_text()}
ask("POST", "/api/v1/advisories", advisories)

# The vault.
ask("POST", "/api/v1/vault/passphrase", {"current": {"passphrase": PASSPHRASE}, "new": PASSPHRASE})
with tempfile.TemporaryDirectory() as folder:
    at_machine("POST", "/api/v1/vault/key-file", {"path": f"{folder}/key"})
ask("POST", "/api/v1/vault/seal")
ask("POST", "/api/v1/vault/unlock", {"passphrase": PASSPHRASE})
owner.sign_in()

# Services.
change = {"service": "relay", "setting": "name", "value": "the corner shop"}
ask("POST", "/api/v1/settings", {"changes": [change]})
ask("POST", "/api/v1/services/{id}/settings/{name}", {"value": "the shop"}, id="relay", name="name")
ask("POST", "/api/v1/services/{id}/retry", id="relay")
ask("POST", "/api/v1/services/{id}/image", {"image": image, "dry_run": True}, id="relay")
ask("POST", "/api/v1/rotate", {"edges": [edge]})
ask("POST", "/api/v1/services/{id}/remove", id="relay")
assert [one["id"] for one in ask("GET", "/api/v1/removed")["items"]] == ["relay"]
# Its data stay until it has stopped.
purge = "/api/v1/services/{id}/purge"
for _ in range(300):
    answer = owner.ask("POST", purge.format(id="relay"), {"confirm": "relay"})
    if answer.status_code != 409:
        break
    time.sleep(0.2)
schema[purge]["POST"].validate_response(answer)
well("POST", purge, answer.text, answer.status_code)

ask("DELETE", "/api/v1/session")
owner.sign_in()
ask("POST", "/api/v1/down")

every = {
    (method.upper(), path)
    for path, item in description["paths"].items()
    for method in item
    if method in ("get", "post", "patch", "delete", "put")
}
left = every - carried_out
assert left == {AUTHORITY}, f"left out: {sorted(left)}"
print(f"{len(carried_out)} operations of {len(every)}, each carried out as the owner")
