"""The tables of `bench/proxy.py`, of the rows that it measured."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from proxy_peers import BASELINE
from tables import markdown

if TYPE_CHECKING:
    from collections.abc import Iterator


def groups(rows: list[dict], measured: str, *names: str) -> dict[tuple, list[dict]]:
    found: dict[tuple, list[dict]] = defaultdict(list)
    for row in rows:
        if row["measured"] == measured:
            found[tuple(row[name] for name in names)].append(row)
    return found


def cell(row: dict) -> str:
    return f"{row['connections']}×{row['in_flight']}"


def load_tables(rows: list[dict]) -> Iterator[str]:
    """One table for each protocol and payload: every proxy in every cell."""
    names = ["conn.×in flight", "<proxy", "requests/CPU-s", "spread", "× tcp_proxy", "requests/s", "p50 µs", "p99 µs"]
    for (protocol, payload), group in groups(rows, "load", "protocol", "payload").items():
        base = {cell(row): row["requests_per_cpu_s"] for row in group if row["peer"] == BASELINE}
        yield markdown(
            f"{protocol}, {payload:,} B",
            [*names, "errors"],
            [
                (
                    cell(row),
                    row["peer"],
                    f"{row['requests_per_cpu_s']:,.0f}",
                    f"±{row['spread']:.0%}",
                    f"{row['requests_per_cpu_s'] / base[cell(row)]:.2f}" if base[cell(row)] else "",
                    f"{row['requests_per_s']:,.0f}",
                    f"{row['p50_us']:,.0f}",
                    f"{row['p99_us']:,.0f}",
                    f"{row['errors']:,}",
                )
                for row in group
            ],
        )


def idle_tables(rows: list[dict]) -> Iterator[str]:
    for (protocol,), group in groups(rows, "idle", "protocol").items():
        base = next(row for row in group if row["peer"] == BASELINE)
        yield markdown(
            f"{protocol}, {base['connections']:,} idle connections",
            ["proxy", "KiB/connection", "× tcp_proxy", "MiB without", "start-up ms"],
            [
                (
                    row["peer"],
                    f"{row['resident_per_connection'] / 1024:,.1f}",
                    f"{row['resident_per_connection'] / base['resident_per_connection']:.2f}",
                    f"{row['resident'] / 2**20:,.0f}",
                    f"{row['start_s'] * 1000:,.0f}",
                )
                for row in group
            ],
        )


def scale_tables(rows: list[dict]) -> Iterator[str]:
    for (protocol, payload), group in groups(rows, "scale", "protocol", "payload").items():
        yield markdown(
            f"{protocol}, {payload} B, on one CPU and on two",
            ["conn.×in flight", "<proxy", "requests/s, 1", "requests/s, 2", "scaling", "per CPU-s, 1", "per CPU-s, 2"],
            [
                (
                    cell(row),
                    row["peer"],
                    f"{row['requests_per_s_1']:,.0f}",
                    f"{row['requests_per_s_2']:,.0f}",
                    f"{row['scaling']:.2f}",
                    f"{row['requests_per_cpu_s_1']:,.0f}",
                    f"{row['requests_per_cpu_s_2']:,.0f}",
                )
                for row in group
            ],
        )
