"""The command line: `metaprotocol decode`, `codecs`, `bench`, `replay`, `new-codec`, `fuzz`, `codec`.

Exit codes: 0 done; 1 an input cannot be read or an output not be written, answers differ (`replay --diff`), or a
description or bytes are wrong (`codec`); 2 wrong usage; 3 with `--strict`, something was broken, missing or cut; 4 a
codec failed, which is its author's fault; 130 interrupted; 141 the reader of a pipe went away.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metaprotocol.cli._app import app

__all__ = ["app", "main"]


def __getattr__(name: str) -> object:
    if name == "app":
        from metaprotocol.cli._app import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main() -> None:
    """The entry point of the program."""
    if sys.argv[1:2] == ["proxy"]:
        from metaprotocol.cli._proxy_arguments import plain

        request = plain(sys.argv[2:])
        if request is not None:
            from metaprotocol.cli._proxy import run
            from metaprotocol.cli._terminal import exit_codes

            with exit_codes():
                run(request)
            return
    from metaprotocol.cli._app import app

    app()
