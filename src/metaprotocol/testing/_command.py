"""The suite that `pytest --codec CODEC --samples PATH` runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from metaprotocol.testing._conformance import CodecConformance

if TYPE_CHECKING:
    import pytest


class TestCodec(CodecConformance):
    """The codec and the samples that the command line names."""

    folder: ClassVar[Path]

    @classmethod
    def _folder(cls) -> Path:
        return cls.folder

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """As the suite does it."""
        cls = type(self)
        cls.folder = metafunc.config.invocation_params.dir
        cls.codec = metafunc.config.getoption("--codec")
        cls.samples = metafunc.config.getoption("--samples")
        super().pytest_generate_tests(metafunc)
