"""Writes what the data path takes beside each bootstrap file here; look at what has changed before it is committed."""

from __future__ import annotations

import json
from pathlib import Path

from kit.xds import completed

from metaprotocol.xds import load

HERE = Path(__file__).parent

for source in sorted(HERE.glob("*.yaml")):
    update = json.dumps(completed(load(source)), indent=2, sort_keys=True, ensure_ascii=False)
    source.with_suffix(".json").write_text(update + "\n", encoding="utf-8")
