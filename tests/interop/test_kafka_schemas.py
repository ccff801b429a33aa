"""The schemas of Kafka are what its published definitions say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from interop.running import unavailable

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

GENERATE = Path(__file__).resolve().parents[2] / "codecs" / "kafka" / "schemas" / "generate.py"


def test_the_schemas_are_what_the_generator_makes() -> None:
    for tool, what in (("mvn", "Maven"), ("javap", "a JDK, 17 or later")):
        if shutil.which(tool) is None:
            unavailable(f"{tool} not found: install {what} to compare the schemas of Kafka")
    compared = subprocess.run([sys.executable, GENERATE, "--check"], capture_output=True, encoding="utf-8", check=False)
    assert compared.returncode == 0, compared.stderr
