"""What a phone finds in its network: who answers by a `.local` name, and where pages are. usage: find.py OWN_ADDRESS NAME"""

import json
import sys
import time

from zeroconf import AddressResolverIPv4, IPVersion, ServiceBrowser, ServiceListener, Zeroconf

KIND = "_https._tcp.local."


class Found(ServiceListener):
    def __init__(self):
        self.names = set()

    def add_service(self, zc, type_, name):
        self.names.add(name)

    def update_service(self, zc, type_, name):
        pass

    def remove_service(self, zc, type_, name):
        self.names.discard(name)


def main(own, name):
    zc = Zeroconf(interfaces=[own], ip_version=IPVersion.V4Only)
    try:
        asked = AddressResolverIPv4(f"{name}.")
        addresses = asked.parsed_addresses(IPVersion.V4Only) if asked.request(zc, 3000) else []
        found = Found()
        ServiceBrowser(zc, KIND, found)
        time.sleep(3)
        pages = []
        for one in sorted(found.names):
            info = zc.get_service_info(KIND, one, 3000)
            if info:
                where = info.parsed_addresses(IPVersion.V4Only)
                pages.append({"name": one, "host": info.server, "port": info.port, "addresses": where})
        print(json.dumps({"addresses": addresses, "pages": pages}))
    finally:
        zc.close()


main(*sys.argv[1:])
