#!/usr/bin/env bash
# Writes the ONNX schema (onnx-ml.proto) to DEST.
#
#   scripts/fetch_onnx_proto.sh DEST
#
# The schema comes out of one pinned `onnx` wheel, fetched from the package index without its dependencies and checked
# by hash. The wheel is named by platform and Python version so that every host gets the same file; only the .proto in
# it is used. The result is kept in .cache/ at the repository root, and once it is there no network is needed.
#
# onnx 1.23.2 (opset 28, IR 14) is plain proto2, which Debian's protoc 3.21 compiles. A release that moves to protobuf
# editions would need a newer protoc: pin an older release then.
set -euo pipefail

version=1.23.2
wheel_sha256=c03ecf6b835d136108eeaeeafbd0026fc7b3cf98661409fbc6b63d5a29361348
proto_sha256=8f39d0a1ae1abef5ca648922cdb06716d6bd1573c9e972b42854c16e9e352c16

if [[ $# -ne 1 ]]; then
  echo "usage: $0 DEST" >&2
  exit 2
fi
dest=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${TAMIS_CACHE_DIR:-$root/.cache}/onnx-$version
proto=$cache/onnx-ml.proto

is_intact() { [[ -f $1 ]] && echo "$proto_sha256  $1" | sha256sum --check --status; }

fail() {
  cat >&2 <<EOF
fetch_onnx_proto: $1
The build needs onnx-ml.proto of onnx $version. Any one of these helps:
  - give this machine access to the Python package index (pip's own settings apply) and configure again
  - on another machine run: pip download --no-deps onnx==$version, and put onnx/onnx-ml.proto of the wheel here:
      $proto
  - configure with -DTAMIS_ONNX_PROTO=FILE to use a schema of your own
EOF
  exit 1
}

if ! is_intact "$proto"; then
  command -v python3 >/dev/null || fail "python3 was not found; pip is needed to fetch the schema"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  echo "onnx==$version --hash=sha256:$wheel_sha256" >"$work/requirements.txt"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    --implementation cp --python-version 3.11 --abi cp311 --platform manylinux_2_28_x86_64 \
    --dest "$work" --requirement "$work/requirements.txt" >&2 || fail "pip could not download onnx==$version"
  python3 - "$work" <<'EOF' || fail "the wheel of onnx $version holds no onnx/onnx-ml.proto"
import glob, sys, zipfile

with zipfile.ZipFile(glob.glob(sys.argv[1] + "/onnx-*.whl")[0]) as wheel:
    with open(sys.argv[1] + "/onnx-ml.proto", "wb") as out:
        out.write(wheel.read("onnx/onnx-ml.proto"))
EOF
  is_intact "$work/onnx-ml.proto" || fail "onnx-ml.proto of the wheel does not have the expected SHA-256"
  mkdir -p "$cache"
  # Two configures may run at once: the rename makes the cache entry appear whole or not at all.
  cp "$work/onnx-ml.proto" "$cache/onnx-ml.proto.$$"
  mv -f "$cache/onnx-ml.proto.$$" "$proto"
fi

mkdir -p "$(dirname "$dest")"
cp "$proto" "$dest"
