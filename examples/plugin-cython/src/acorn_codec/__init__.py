"""Acorn, our own protocol. `codec` is what the entry point names."""

from acorn_codec._acorn import codec

__all__ = ["codec"]
