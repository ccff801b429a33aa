"""`metaprotocol codecs`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from metaprotocol.cli._sources import Codecs
from metaprotocol.cli._terminal import clean, output, wants_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    import metaprotocol

__all__ = ["run"]


def run(name: str | None, sources: Sequence[str], show: str) -> None:
    """List all codecs, or show one with its metadata keys; one that cannot be loaded is listed with the reason.

    Raises:
        Failure: If no codec has the name, or one of the sources is none.
    """
    known = Codecs(sources)
    if name is not None:
        described = [_describe(known.find(name))]
    else:
        codecs, failed = known.all()
        described = [_describe(codec) for codec in codecs]
        described += [{"name": each, "error": f"{type(error).__name__}: {error}"} for each, error in failed]
        described.sort(key=lambda codec: codec["name"])
    if not wants_table(show):
        for codec in described:
            typer.echo(json.dumps(codec, ensure_ascii=False))
    elif name is None:
        _table(output(), described)
    else:
        _details(output(), described[0])


def _describe(codec: metaprotocol.Codec) -> dict[str, Any]:
    return {
        "name": codec.name,
        "aliases": list(codec.aliases),
        "summary": codec.summary,
        "pair_by": codec.pair_by.name.lower(),
        "sharing": codec.sharing.name.lower(),
        "first_speaker": codec.first_speaker.name.lower(),
        "heartbeats": codec.heartbeats,
        "open_keys": codec.open_keys,
        "keys": [key._asdict() for key in codec.keys],
    }


def _table(console: Console, codecs: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in ("Name", "Reads", "Pairs by", "Sharing", "Heartbeats", "Keys (*: writable)"):
        table.add_column(header, overflow="fold")
    for codec in codecs:
        if "error" in codec:
            table.add_row(codec["name"], Text(clean(f"cannot be loaded: {codec['error']}"), style="red"))
            continue
        keys = [key["name"] + ("*" if key["writable"] else "") for key in codec["keys"]]
        if codec["open_keys"]:
            keys.append("…")
        table.add_row(
            codec["name"],
            codec["summary"],
            codec["pair_by"],
            codec["sharing"],
            "yes" if codec["heartbeats"] else "no",
            " ".join(keys),
        )
    console.print(table)


def _details(console: Console, codec: dict[str, Any]) -> None:
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    facts.add_row("Name", codec["name"])
    facts.add_row("Aliases", ", ".join(codec["aliases"]) or "none")
    facts.add_row("Reads", codec["summary"])
    facts.add_row("Pairs by", codec["pair_by"])
    facts.add_row("Sharing", codec["sharing"])
    facts.add_row("First speaker", codec["first_speaker"])
    facts.add_row("Heartbeats", "yes" if codec["heartbeats"] else "no")
    facts.add_row("Other keys", "any attachment or header, by its name" if codec["open_keys"] else "none")
    console.print(facts)
    if codec["keys"]:
        keys = Table(box=None, pad_edge=False, header_style="bold")
        for header in ("Key", "Writable", "Number", "Holds"):
            keys.add_column(header, overflow="fold")
        for key in codec["keys"]:
            keys.add_row(key["name"], "yes" if key["writable"] else "", "yes" if key["number"] else "", key["about"])
        console.print()
        console.print(keys)
