#!/bin/sh
# Makes dist/tamis-*.whl: the extension, the program and its worker with every library that Debian does not promise to
# be everywhere. Then tries it in a clean environment, away from the sources.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
work=$root/build-wheel

echo "== building the wheel (in build-wheel/)"
rm -rf "$work/raw" "$work/clean" dist
export CC="${CC:-cc}" CXX="${CXX:-c++}"  # those of `make build`, so that ccache knows the objects
.venv/bin/python -m pip wheel . --quiet --disable-pip-version-check --no-build-isolation --no-deps \
  --wheel-dir "$work/raw" --config-settings "build-dir=$work" --config-settings "cmake.define.TAMIS_WERROR=ON"

echo "== bundling libraries (auditwheel)"
PATH="$root/.venv/bin:$PATH" .venv/bin/python -m auditwheel repair --wheel-dir dist "$work"/raw/*.whl

echo "== a clean environment"
started=$(date +%s)
.venv/bin/python -m venv "$work/clean"
(
  cd /
  env -i HOME="$work/clean" PATH=/usr/bin:/bin "$work/clean/bin/python" -m pip install --quiet \
    --disable-pip-version-check "$root"/dist/*.whl
  env -i HOME="$work/clean" PATH=/usr/bin:/bin "$work/clean/bin/python" -I "$root/scripts/check_wheel.py"
)
echo "make wheel: $(ls dist/*.whl), installed and answering after $(($(date +%s) - started)) s"
