#!/bin/sh
# Exports some 250 networks with random weights, with both of PyTorch's exporters where they can, and
# compares Tamis with ONNX Runtime on each. PyTorch goes into an environment of its own (about 6 GB), the networks into
# .cache (about 6 GB): this is no part of `make test`.
#   scripts/architectures.sh BUILD [--only NAME,...]
set -eu
cd "$(dirname "$0")/.."
build=$1
shift
here=tests/architectures
python=.cache/architectures/venv/bin/python
if ! cmp -s "$here/requirements.txt" .cache/architectures/requirements.txt; then
  echo "== installing PyTorch, torchvision and transformers in .cache/architectures/venv"
  mkdir -p .cache/architectures
  [ -x "$python" ] || python3 -m venv .cache/architectures/venv
  "$python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" .cache/architectures/requirements.txt
fi
echo "== exporting (what is there already stays)"
"$python" "$here/export.py" .cache/architectures/onnx "$@" || echo "== some could not be exported; PyTorch's logs say why"
echo "== comparing with ONNX Runtime"
.venv/bin/python "$here/check.py" .cache/architectures/onnx --tamis "$build/python" --json .cache/architectures/check.json "$@"
