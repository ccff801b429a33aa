"""The command line: `metaprotocol decode`, `codecs`, `bench`, `replay`, `new-codec`, `fuzz`, `codec`.

Exit codes: 0 done; 1 an input cannot be read or an output not be written, answers differ (`replay --diff`), or a
description or bytes are wrong (`codec`); 2 wrong usage; 3 with `--strict`, something was broken, missing or cut; 4 a
codec failed, which is its author's fault; 130 interrupted; 141 the reader of a pipe went away.
"""

from __future__ import annotations

from metaprotocol.cli._app import app, main

__all__ = ["app", "main"]
