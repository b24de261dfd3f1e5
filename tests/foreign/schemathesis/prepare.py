"""Makes the owner of the node and prints the browser's cookies. usage: prepare.py URL"""

import sys

from owner import PASSPHRASE, set_up_anew

owner = set_up_anew(sys.argv[1])
owner.done("POST", "/api/v1/vault/passphrase", {"new": PASSPHRASE})
print("; ".join(f"{one.name}={one.value}" for one in owner.browser.cookies))
