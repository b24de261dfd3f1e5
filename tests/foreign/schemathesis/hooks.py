"""What schemathesis is told about this API: who asks, and what would otherwise never end.

FLASH_AS is `owner` or `nobody`."""

import atexit
import collections
import os
import random

import schemathesis

from owner import Owner

URL = os.environ["FLASH_URL"]
OWNER = Owner(URL) if os.environ["FLASH_AS"] == "owner" else None
CHOICE = random.Random(1)
ANSWERS = collections.Counter()
ASKED = set()
WELL = set()
OWN = []


@atexit.register
def told():
    if ANSWERS:
        by_status = ", ".join(f"{status}: {count}" for status, count in sorted(ANSWERS.items()))
        total = sum(ANSWERS.values())
        # An owner who is mostly told to sign in would prove nothing.
        if OWNER and ANSWERS[200] + ANSWERS[204] < total / 20 or OWNER and ANSWERS[401] > total / 20:
            print(f"the owner was let in too seldom: {by_status}")
            return
        # What the walk cannot have: the certificate that a node shows which is open to its network.
        if OWNER and ("GET", "/authority.crt") not in WELL:
            print("the owner was not given the node's certificate")
            return
        print(f"ok {os.environ['FLASH_AS']}: {total} answers of {len(ASKED)} operations, {by_status}")


def own_id() -> str:
    if not OWN:
        OWN.append(came_in().done("GET", "/api/v1/session").json()["account"]["id"])
    return OWN[0]


def came_in() -> Owner:
    if not OWNER.browser.cookies:
        # The browser is known since the set-up; whoever guesses passwords elsewhere does not lock it out.
        for pair in os.environ["FLASH_COOKIES"].split("; "):
            name, value = pair.split("=", 1)
            # As the node sets it, so that a renewed one takes its place.
            host = URL.split("/")[2].split(":")[0]
            OWNER.browser.cookies.set(name, value, domain=host, path="/")
    return OWNER


@schemathesis.hook
def before_call(context, case, kwargs):
    # A stream that follows has no end.
    if case.operation.path in ("/api/v1/events", "/api/v1/services/{id}/logs"):
        case.query = dict(case.query or {})
        if case.query.get("follow") in (None, True, "true"):
            case.query["follow"] = "false"
    if OWNER is None:
        return
    # The node stays open to its network, which has this one machine.
    if case.operation.path == "/api/v1/access" and isinstance(case.body, dict) and case.body.get("lan") is False:
        case.body["dry_run"] = True
    # Ids are learnt from answers. An owner with another name or password would be locked out by the test itself.
    if case.operation.path == "/api/v1/accounts/{id}" and (case.path_parameters or {}).get("id") == own_id():
        case.path_parameters["id"] = "somebody-else"
    cookies = came_in().browser.cookies
    case.headers["Cookie"] = "; ".join(f"{one.name}={one.value}" for one in cookies)
    # Half of the time a service that is there: a name that is made up is refused before anything else.
    if case.operation.path.startswith("/api/v1/services/{id}") and CHOICE.random() < 0.5:
        case.path_parameters = dict(case.path_parameters or {}, id=CHOICE.choice(["relay", "mint"]))


@schemathesis.hook
def after_call(context, case, response):
    ANSWERS[response.status_code] += 1
    ASKED.add((case.operation.method.upper(), case.operation.path))
    if 200 <= response.status_code < 300:
        WELL.add((case.operation.method.upper(), case.operation.path))
    if OWNER is None:
        return
    if response.status_code in (401, 423) or (case.method, case.operation.path) in (
        ("DELETE", "/api/v1/session"),
        ("POST", "/api/v1/vault/seal"),
        ("POST", "/api/v1/session"),
        ("POST", "/api/v1/account/password"),
    ):
        if OWNER.ask("GET", "/api/v1/accounts").status_code != 200:
            OWNER.sign_in()
    if response.status_code == 403 and b"confirm_needed" in response.content:
        OWNER.confirm()
