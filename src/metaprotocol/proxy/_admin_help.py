"""What the admin port can do, for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

__all__ = ["COMMANDS", "Command", "help_text", "home_page"]


@dataclass(frozen=True)
class Command:
    """One path.

    Attributes:
        about: What it does.
        post: Whether it changes something, and so must be asked for by POST.
        running: Whether there is nothing to say before the data path has started.
        parameters: Its parameters, and what they do.
    """

    about: str
    post: bool = False
    running: bool = False
    parameters: dict[str, str] = field(default_factory=dict)


_FORMAT = {"format": "One of (text, json)"}
COMMANDS = {
    "/": Command("Admin home page"),
    "/clusters": Command(
        "upstream cluster status",
        running=True,
        parameters={"filter": "Only clusters with a match of this regular expression in their names", **_FORMAT},
    ),
    "/config_dump": Command(
        "dump current configs",
        running=True,
        parameters={
            "resource": "The resource to dump, such as static_clusters",
            "name_regex": "Only what has a name that matches this regular expression as a whole",
            "include_eds": "The hosts of clusters too",
        },
    ),
    "/drain_listeners": Command(
        "drain listeners",
        post=True,
        running=True,
        parameters={"graceful": "Say DRAINING for the drain time before the listeners close"},
    ),
    "/healthcheck/fail": Command("cause the server to fail health checks", post=True),
    "/healthcheck/ok": Command("cause the server to pass health checks", post=True),
    "/help": Command("print out list of admin commands"),
    "/listeners": Command("print listener info", running=True, parameters=_FORMAT),
    "/logging": Command(
        "query/change logging levels",
        post=True,
        parameters={
            "level": "Change the level of all loggers",
            "paths": "Change several: <logger_name1>:<desired_level1>,<logger_name2>:<desired_level2>",
        },
    ),
    "/quitquitquit": Command("drain and exit the server", post=True),
    "/ready": Command("print server state, return 200 if LIVE, otherwise return 503"),
    "/server_info": Command("print server version/status information"),
    "/stats": Command(
        "print server stats",
        running=True,
        parameters={
            "usedonly": "Only what was counted at least once",
            "filter": "Only names with a match of this regular expression",
            "format": "One of (text, json, prometheus)",
        },
    ),
    "/stats/prometheus": Command(
        "print server stats in prometheus format",
        running=True,
        parameters={
            "usedonly": "Only what was counted at least once",
            "filter": "Only names with a match of this regular expression",
        },
    ),
}
"""All paths, in the order of the help."""


def help_text() -> str:
    """All paths and parameters as text."""
    lines = ["admin commands are:"]
    for path, command in COMMANDS.items():
        lines.append(f"  {path}{' (POST)' if command.post else ''}: {command.about}")
        lines += [f"      {name}: {about}" for name, about in command.parameters.items()]
    return "\n".join(lines) + "\n"


_ROW = "<tr><td>{link}</td><td>{about}</td></tr>"
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>metaprotocol admin</title>
<style>body{{font-family:sans-serif}}td{{padding:4px 12px 4px 4px}}form{{margin:0}}</style></head>
<body><h1>metaprotocol admin</h1><table>
{rows}
</table></body></html>
"""


def home_page() -> str:
    """All paths as a page in HTML: links, and buttons for what changes something."""
    rows = []
    for path, command in COMMANDS.items():
        link = f'<a href="{path}">{path}</a>'
        if command.post:
            link = f'<form method="post" action="{path}"><button>{path}</button></form>'
        rows.append(_ROW.format(link=link, about=escape(command.about)))
    return _PAGE.format(rows="\n".join(rows))
