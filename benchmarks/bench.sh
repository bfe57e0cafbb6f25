#!/bin/sh
# Tamis against its peers on this machine. Peers go into .cache/bench-venv (onnxruntime and openvino, about 0.5 GB), the
# networks into .cache/bench (about 3 GB). With --torch first, PyTorch is installed there too (torch, torchvision and
# transformers: about 1 GB of CPU wheels, more where only the GPU ones can be had).
#   benchmarks/bench.sh BUILD [--torch] [peers.py's options]
#   benchmarks/bench.sh BUILD --trained MODEL trained.py's options
set -eu
cd "$(dirname "$0")/.."
build=$1
shift
python=.cache/bench-venv/bin/python
if ! cmp -s benchmarks/requirements.txt .cache/bench-venv/.requirements; then
  echo "== installing onnxruntime and openvino in .cache/bench-venv (about 0.5 GB)"
  mkdir -p .cache
  [ -x "$python" ] || python3 -m venv .cache/bench-venv
  "$python" -m pip install -q --disable-pip-version-check -r benchmarks/requirements.txt
  cp benchmarks/requirements.txt .cache/bench-venv/.requirements
fi
if [ "${1:-}" = "--torch" ]; then
  shift
  echo "== installing PyTorch in .cache/bench-venv"
  "$python" -m pip install -q --disable-pip-version-check torch torchvision --index-url https://download.pytorch.org/whl/cpu ||
    "$python" -m pip install -q --disable-pip-version-check torch torchvision
  "$python" -m pip install -q --disable-pip-version-check transformers
fi
script=peers.py
if [ "${1:-}" = "--trained" ]; then
  shift
  script=trained.py
fi
exec "$python" "benchmarks/$script" "$@" --tamis "$build/tamis"
