"""Where the C header of compiled plugins is."""

from __future__ import annotations

import os

__all__ = ["get_include"]


def get_include() -> str:
    """The folder of `metaprotocol_codec.h`, the header of compiled plugins, for a compiler's `-I`.

    Examples:
        >>> import metaprotocol, pathlib
        >>> [path.name for path in pathlib.Path(metaprotocol.get_include()).iterdir()]
        ['metaprotocol_codec.h']
    """
    # Not by pathlib, which would double the time that importing this package takes.
    return os.path.join(os.path.dirname(__file__), "include")  # noqa: PTH118, PTH120
