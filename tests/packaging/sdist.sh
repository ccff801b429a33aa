#!/usr/bin/env bash
# Builds the sdist, installs from it in an empty environment, and decodes a frame there: what a user of the sdist does.
# Also checks that the wheel made from it holds both the Rust and the Cython module.
# Usage: tests/packaging/sdist.sh [PYTHON]
set -euo pipefail
python=${1:-python3}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/build"
"$work/build/bin/pip" --disable-pip-version-check -q install build
"$work/build/bin/python" -m build --sdist --outdir "$work/dist" "$root"
sdist=$(ls "$work"/dist/*.tar.gz)
echo "sdist: $(basename "$sdist"), $(du -k "$sdist" | cut -f1) KiB"

"$python" -m venv "$work/user"
cd "$work" # away from the sources, so that nothing of them is imported
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target} \
	"$work/user/bin/pip" --disable-pip-version-check -q install "$sdist"
"$work/user/bin/python" - <<'PY'
import pathlib

import metaprotocol
from metaprotocol import _native, _pyconnection

call = bytes.fromhex("0000001180010001000000047069 6e670000000700".replace(" ", ""))
frame = metaprotocol.get_codec("thrift").decode(call)
assert (frame.kind.name, frame.request_id, frame.metadata["method"]) == ("REQUEST", 7, "ping"), frame
for module in (_native, _pyconnection):
    assert "site-packages" in pathlib.Path(module.__file__).parts, module.__file__
print("installed from the sdist:", frame)
PY
"$work/user/bin/metaprotocol" --version
