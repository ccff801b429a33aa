"""The pytest plugin: `pytest --codec acorn.yaml --samples samples/` runs the conformance suite without a test module.

It imports nothing of metaprotocol until it is asked to.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["pytest_addoption", "pytest_configure", "pytest_pycollect_makemodule"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    group = parser.getgroup("metaprotocol", "conformance of metaprotocol codecs")
    group.addoption(
        "--codec",
        metavar="CODEC",
        help="run the conformance suite on a codec: a name, codec.yaml, codec.so, module:Class",
    )
    group.addoption(
        "--samples", metavar="PATH", help="its samples: a file or folder of .hex, .txt, .bin, .pcap, .pcapng"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Bring the suite to what is collected: alone, unless files were named too."""
    codec, samples = config.getoption("--codec"), config.getoption("--samples")
    if codec is None and samples is None:
        return
    if codec is None or samples is None:
        import pytest

        raise pytest.UsageError("--codec and --samples go together: the suite needs both")
    named = config.args if config.args_source is config.ArgsSource.ARGS else []
    config.args = [*named, str(_suite())]


def _suite() -> Path:
    return Path(__file__).parents[1] / "metaprotocol" / "testing" / "_command.py"


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """A name for the suite that does not depend on where it is installed."""
    if module_path != _suite():
        return None
    import pytest

    return pytest.Module.from_parent(parent, path=module_path, nodeid="conformance")
