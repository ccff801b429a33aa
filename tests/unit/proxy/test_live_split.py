"""`examples/live_split.py`, which `make demo` runs: traffic moves between two versions, and errors are noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from kit.modules import module_at

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "live_split.py"
DEMO = module_at(EXAMPLE)


def test_the_split_moves_and_no_call_fails() -> None:
    command = [sys.executable, str(EXAMPLE), "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["protocol"], row["weights"]["v2"]) for row in rows] == [
        (protocol, share) for share in (0, 25, 50, 75, 100) for protocol in ("thrift", "dubbo")
    ]
    assert all(row["good"] and not row["errors"] for row in rows)
    assert all(row["answers"]["v1"] and row["answers"]["v2"] for row in rows[2:-2])


def test_a_wrong_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def liar(version: str, who: str) -> str:
        return f"{version} greets somebody else" if who.endswith("call 3") else f"{version} greets {who}"

    monkeypatch.setattr(DEMO, "greeting", liar)
    told: list[bool] = []
    rows, errors = DEMO.run(0.5, show=lambda *_: None, tell=lambda *row: told.append(DEMO.good(*row[1:])))
    assert len(rows) == len(told) == 10
    assert not any(told[2:])
    assert len(errors) == 2 * DEMO.CLIENTS
    assert all("greets 'somebody else', not 'client" in error for error in errors)


def test_a_wrong_share_is_noticed() -> None:
    assert DEMO.good(50, Counter(v1=5000, v2=5000), 0)
    assert not DEMO.good(50, Counter(v1=6000, v2=4000), 0)
    assert not DEMO.good(0, Counter(v1=1000, v2=DEMO.CLIENTS + 1), 0)
    assert not DEMO.good(0, Counter(), 0)
    assert not DEMO.good(0, Counter(v1=1000), 1)
