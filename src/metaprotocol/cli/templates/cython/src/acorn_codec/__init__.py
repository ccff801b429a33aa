"""The acorn protocol, compiled. `codec` is what the entry point names."""

from acorn_codec._acorn import codec

__all__ = ["codec"]
