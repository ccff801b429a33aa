"""A proxy in a process of its own: `serving.py CONFIG WORKERS`.

It says where it listens; for each line of its standard input, what it has counted. It ends when that ends.
"""

from __future__ import annotations

import json
import sys

from metaprotocol.proxy import Proxy


def main() -> None:
    proxy = Proxy(json.loads(sys.argv[1]), workers=int(sys.argv[2]), strict=True)
    proxy.start()
    proxy.wait_ready(30)
    print(json.dumps({"addresses": proxy.addresses()}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({"stats": proxy.stats()}), flush=True)
    proxy.stop()


main()
