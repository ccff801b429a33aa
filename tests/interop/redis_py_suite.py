"""redis-py's own test suite, against a server, and against the proxy before such a server: what differs is ours.

    python -m interop.redis_py_suite [--protocol 2|3] [FILE ...]      from the folder tests

Needs the test group of `pyproject.toml`, redis-server, and a package index: redis-py's tests come with its sdist. It
takes a quarter of an hour or more, and ends with 1 if a test has another outcome with the proxy than without.
`peers/redis/README.md` has what was seen.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import venv
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from interop.bootstrap import cluster, proxied, route
from interop.peers.redis import redis_servers

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "peers" / "redis-py"
NEEDS = ("pytest", "pytest-asyncio", "pytest-timeout", "numpy", "cryptography", "xxhash", "pybreaker", "aiohttp")
NEEDS_MORE = ("redis-entraid", "opentelemetry-api", "opentelemetry-sdk", "coverage")
LEFT_OUT = {
    "cluster": "clients of a cluster go to the addresses that its nodes tell them",
    "sentinel": "the same of sentinels",
    "multidb": "needs two clusters, or is of no server",
    "observ": "is of telemetry, and of no server",
}
"""Files by a part of their names, and why."""
MARKS = {
    "redismod": "needs modules in the server",
    "onlycluster": "needs a cluster",
    "ssl": "needs TLS, which the proxy would only pass on",
    "replica": "needs replicas at addresses of their own",
    "cp_integration": "needs an identity provider",
    "multidb_integration": "needs two clusters",
}
"""Tests by their marks, and why they are left out."""

Outcomes = dict[tuple[str, str], str]


def unpacked() -> tuple[Path, Path]:
    """The sdist's folder, and an interpreter that has what its tests need."""
    name = f"redis-{version('redis')}"
    folder, python = CACHE / name, CACHE / "venv" / "bin" / "python"
    if not (CACHE / f"{name}.ready").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        run = (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "redis", "-d", str(CACHE))
        subprocess.run([*run, name.replace("-", "==")], check=True)
        with tarfile.open(CACHE / f"{name}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
        # The installed one is tested, so that its compiled helper is there.
        (folder / "redis").rename(folder / "redis.sources")
        venv.create(CACHE / "venv", with_pip=True, clear=True)
        needs = (f"redis[hiredis]=={version('redis')}", *NEEDS, *NEEDS_MORE)
        subprocess.run([python, "-m", "pip", "install", "-q", *needs], check=True)
        (CACHE / f"{name}.ready").touch()
    return folder, python


def outcomes(port: int, protocol: str, files: list[str]) -> Outcomes:
    """Runs the suite, and tells the outcome of each test."""
    folder, python = unpacked()
    report = CACHE / "report.xml"
    without = [f"--ignore-glob=*{part}*" for part in LEFT_OUT]
    marks = " and ".join(f"not {mark}" for mark in MARKS)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "40", "--protocol", protocol]
    command += ["--redis-url", f"redis://localhost:{port}/0", "-m", marks, "--junitxml", str(report)]
    # These have servers of their own.
    command += [*without, "--ignore=tests/maint_notifications", *files]
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, timeout=3600, check=False)
    found: Outcomes = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        tags = {each.tag for each in case}
        outcome = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
        found[case.get("classname", ""), case.get("name", "")] = outcome
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs redis-py's tests without and with the proxy.")
    parser.add_argument("--protocol", choices=["2", "3"], default="3")
    parser.add_argument("files", nargs="*", default=["tests"])
    options = parser.parse_args()
    with redis_servers.alone() as server:
        direct = outcomes(server.port, options.protocol, options.files)
    with (
        redis_servers.alone() as server,
        proxied("redis", [route("redis")], [cluster("redis", server.port)]) as between,
    ):
        through = outcomes(between.port, options.protocol, options.files)
        print(
            f"through the proxy: {between.stat('request')} requests, {between.stat('downstream_cx_total')} connections"
        )
    print(f"without: {dict(Counter(direct.values()))}", f"with: {dict(Counter(through.values()))}", sep="\n")
    differ = sorted(name for name in direct.keys() | through.keys() if direct.get(name) != through.get(name))
    for name in differ:
        print(direct.get(name), "->", through.get(name), *name)
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
