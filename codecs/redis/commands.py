"""Writes `src/commands.tsv`: what a server's own COMMAND says of every command (`make commands` in the root).

The server is a `redis-server` that is started for it, or one that listens on --port. The first line says which version
it was, and when it was asked. Then one line for each command and subcommand, sorted by name, seven columns with tabs
between:

`name`
    lower case; a subcommand behind its command: `config|get`
`arity`
    number of arguments, the name among them (of a subcommand both names); negative: at least as many
`flags`
    with commas between
`first_key`, `last_key`, `key_step`
    positions of keys as of old: of the first, of the last (negative: counted from the end, -1 is the last argument),
    from one to the next; 0 where there are none or where only `key_specs` tell
`key_specs`
    one behind the other with `;` between; each has three parts with a blank between: flags with commas between (`RO`,
    `RW`, `OW` or `RM` first, unless it is `not_key`: a channel; `incomplete`: there may be more), where to begin, which
    arguments are keys.

    Where to begin: `index:N`, the position; `keyword:WORD:FROM`, behind the first WORD that is found from position
    FROM on (negative: from the end, backwards); `unknown`. Which are keys from there: `range:LAST:STEP:LIMIT`, LAST
    counted from the beginning or, negative, from the end, and of what is left only a LIMITth part if LIMIT is above 1;
    `keynum:AT:FIRST:STEP`, as many as argument AT says, from FIRST on; `unknown`.

https://redis.io/docs/latest/develop/reference/key-specs/ describes key specifications.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import Any

from interop.peers.redis.redis_servers import Client, alone

TABLE = Path(__file__).resolve().parent / "src" / "commands.tsv"


def pairs(flat: list[Any]) -> dict[str, Any]:
    """RESP2's form of a map."""
    return {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}


def key_spec(flat: list[Any]) -> str:
    """One key specification, in short."""
    spec = pairs(flat)
    words = [b",".join(spec["flags"]).decode()]
    forms = (
        ("begin_search", {"index": ["index"], "keyword": ["keyword", "startfrom"]}),
        ("find_keys", {"range": ["lastkey", "keystep", "limit"], "keynum": ["keynumidx", "firstkey", "keystep"]}),
    )
    for part, known in forms:
        step = pairs(spec[part])
        kind = step["type"].decode()
        if kind == "unknown":
            words.append(kind)
            continue
        values = pairs(step["spec"])
        told = [values[name] for name in known[kind]]
        words.append(":".join([kind, *(value.decode() if isinstance(value, bytes) else str(value) for value in told)]))
    return " ".join(words)


def rows(client: Client) -> list[list[str]]:
    """Every command's columns."""
    found = []
    waiting = client("COMMAND")
    while waiting:
        name, arity, flags, first, last, step, _, _, specs, subcommands = waiting.pop()
        waiting += subcommands
        told = [arity, b",".join(sorted(flags)).decode(), first, last, step, ";".join(map(key_spec, specs))]
        found.append([name.decode(), *map(str, told)])
    return sorted(found)


def table(client: Client) -> str:
    """The whole file but its first line."""
    return "".join("\t".join(row) + "\n" for row in rows(client))


def version(client: Client) -> str:
    """The server's version."""
    text = client("INFO", "server").decode()
    return str(next(line.split(":")[1] for line in text.splitlines() if line.startswith("redis_version:")))


def write(client: Client) -> None:
    """Writes the file."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    TABLE.write_text(f"# COMMAND of Redis {version(client)}, asked {today}; commands.py writes this\n{table(client)}")
    print(f"{TABLE.name}: {len(rows(client))} commands of Redis {version(client)}")  # noqa: T201


def main() -> None:
    """Writes the file with what a server says."""
    parser = argparse.ArgumentParser(description="Writes the table of commands.")
    parser.add_argument("--port", type=int, help="of a server that runs; else one is started")
    port = parser.parse_args().port
    if port is not None:
        with Client(port) as client:
            write(client)
        return
    with alone() as server, server.client() as client:
        write(client)


if __name__ == "__main__":
    main()
