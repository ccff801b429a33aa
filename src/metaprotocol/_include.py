"""Where the C header of compiled plugins is."""

from __future__ import annotations

from pathlib import Path

__all__ = ["get_include"]


def get_include() -> str:
    """The folder of `metaprotocol_codec.h`, the header of compiled plugins, for a compiler's `-I`.

    Examples:
        >>> import metaprotocol, pathlib
        >>> [path.name for path in pathlib.Path(metaprotocol.get_include()).iterdir()]
        ['metaprotocol_codec.h']
    """
    return str(Path(__file__).parent / "include")
