#!/usr/bin/env bash
# Puts cuDNN's headers where the build of the CUDA backend looks for them, if the toolkit has none:
#
#   scripts/fetch_cuda_headers.sh          then configure again
#
# They come out of one pinned wheel from the package index, kept in .cache/ at the repository root. Only the headers are
# used: the library itself is loaded from the GPU machine when it is wanted.
set -euo pipefail

version=9.13.0.50
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${TAMIS_CACHE_DIR:-$root/.cache}/cudnn

[ ! -f "$cache/include/cudnn.h" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --platform manylinux_2_27_x86_64 --dest "$work" "nvidia-cudnn-cu13==$version"
python3 - "$work" <<'PYTHON'
import glob, sys, zipfile

with zipfile.ZipFile(glob.glob(sys.argv[1] + "/nvidia_cudnn*.whl")[0]) as wheel:
    for name in wheel.namelist():
        if name.startswith("nvidia/cudnn/include/") and name.endswith(".h"):
            wheel.extract(name, sys.argv[1])
PYTHON
mkdir -p "$cache"
# Appears whole or not at all.
mv "$work/nvidia/cudnn/include" "$cache/include.$$"
mv -T "$cache/include.$$" "$cache/include"
