"""Another device of the network that has a `.local` name, until its standard input ends. usage: hold.py OWN_ADDRESS NAME"""

import sys

from zeroconf import IPVersion, ServiceInfo, Zeroconf

KIND = "_http._tcp.local."


def main(own, name):
    zc = Zeroconf(interfaces=[own], ip_version=IPVersion.V4Only)
    info = ServiceInfo(KIND, f"A printer.{KIND}", port=80, server=f"{name}.", parsed_addresses=[own])
    zc.register_service(info)
    print("held", flush=True)
    sys.stdin.read()
    zc.unregister_service(info)
    zc.close()


main(*sys.argv[1:])
