#!/usr/bin/env bash
# Builds the sdist, installs from it in an empty environment, and does there what a user does: decodes a frame, works
# through the tutorial, begins codecs. Also checks that the wheel made from the sdist holds the Rust and the Cython modules,
# and what plugins are compiled with.
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
	"$work/user/bin/pip" --disable-pip-version-check -q install "$sdist[testing]"
"$work/user/bin/python" - <<'PY'
import pathlib

import metaprotocol
from metaprotocol import _native, _pyconnection, _videopacket

call = bytes.fromhex("0000001180010001000000047069 6e670000000700".replace(" ", ""))
frame = metaprotocol.get_codec("thrift").decode(call)
assert (frame.kind.name, frame.request_id, frame.metadata["method"]) == ("REQUEST", 7, "ping"), frame
packet = bytes.fromhex("260000002a01000000000000000000000a01084010012c3c4c5c60017c8c0b1a0b290c36040001100228")
assert metaprotocol.get_codec("videopacket").decode(packet).metadata["command"] == "1"
package = pathlib.Path(metaprotocol.__file__).parent
for file in (package / "codec_abi.pxd", pathlib.Path(metaprotocol.get_include(), "metaprotocol_codec.h")):
    assert file.is_file(), file
for module in (_native, _pyconnection, _videopacket):
    assert "site-packages" in pathlib.Path(module.__file__).parts, module.__file__
print("installed from the sdist:", frame)
PY
"$work/user/bin/metaprotocol" --version

# As on a machine without this checkout and without a Rust toolchain.
export PATH=$work/user/bin:/usr/local/bin:/usr/bin:/bin
python "$root/tests/packaging/run_page.py" "$root/docs/tutorial/private-protocol.md" "$work/user/bin"
for kind in yaml python; do
	metaprotocol new-codec "new$kind" --kind "$kind"
	(cd "new$kind" && pytest -q | tail -n 1)
done
metaprotocol new-codec newrust --kind rust
test -s newrust/vendor/metaprotocol-core/src/lib.rs -a ! -L newrust/vendor/metaprotocol-core/src/lib.rs
