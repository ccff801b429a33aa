"""`metaprotocol decode` of a big capture, as a process, against tshark."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from captures import repeat

MEGABYTES = int(os.environ.get("METAPROTOCOL_BENCH_MB", "200"))
SOURCES = {
    "thrift": (["thrift/apache-py-framed-binary.pcap", "thrift/apache-py-framed-compact-pipelined.pcap"], 9090),
    "redis": (["redis/commands-redis-py-resp2.pcap", "redis/pipeline-hiredis.pcap"], 6379),
    "dubbo": (["dubbo/dubbo-3-basic.pcap", "dubbo/dubbo-3-concurrent.pcap"], 20880),
}


@pytest.fixture(scope="session", params=sorted(SOURCES))
def capture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int, Path, int]:
    sources, port = SOURCES[request.param]
    path = tmp_path_factory.mktemp("captures") / f"{request.param}.pcap"
    return request.param, port, path, repeat(sources, port, MEGABYTES << 20, path)


def enter(benchmark: Any, name: str, contender: str, size: int, command: list[str], rounds: int) -> None:  # noqa: ANN401
    benchmark.group = f"decode a capture of {size >> 20} MB, {name} (whole process)"
    benchmark.extra_info.update(contender=contender, frames=1, size=size)

    def run() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    benchmark.pedantic(run, rounds=rounds, iterations=1)


def ours(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from metaprotocol.cli import main; main()", "decode", *arguments]


def test_decode(benchmark: Any, capture: tuple[str, int, Path, int]) -> None:  # noqa: ANN401
    name, _, path, size = capture
    enter(benchmark, name, "metaprotocol decode --protocol", size, ours("--protocol", name, str(path)), 3)


def test_detect(benchmark: Any, capture: tuple[str, int, Path, int]) -> None:  # noqa: ANN401
    name, _, path, size = capture
    enter(benchmark, name, "metaprotocol decode", size, ours(str(path)), 3)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark(benchmark: Any, capture: tuple[str, int, Path, int]) -> None:  # noqa: ANN401
    name, port, path, size = capture
    # Dubbo has no dissector in every release; reassembled TCP alone is then what tshark can do.
    dissector = {"redis": f"tcp.port=={port},resp", "thrift": f"tcp.port=={port},thrift"}.get(name)
    known = {
        "redis": ["resp.bulk_string.value", "resp.string", "resp.error"],
        "thrift": ["thrift.method", "thrift.mtype", "thrift.seq_id"],
    }
    fields = known.get(name, ["tcp.stream", "tcp.len"])
    command = ["tshark", "-n", "-r", str(path), "-T", "fields"]
    command += [part for field in fields for part in ("-e", field)]
    if dissector:
        command += ["-d", dissector]
    enter(benchmark, name, "tshark" if dissector else "tshark (TCP only: it has no dissector)", size, command, 1)
