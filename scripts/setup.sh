#!/bin/sh
# Installs what building, testing and the demo need on Debian 12: packages with apt (as root or through sudo), Python
# packages in .venv. Does nothing, and asks no registry, when everything is there.
set -eu
cd "$(dirname "$0")/.."

PACKAGES="g++ clang clang-format clang-tidy cmake ninja-build ccache pkg-config git python3 python3-dev python3-pip python3-venv qemu-user
libdnnl-dev libprotobuf-dev protobuf-compiler libflatbuffers-dev flatbuffers-compiler libboost-dev libsimdjson-dev
libcli11-dev libfmt-dev libeigen3-dev libgtest-dev libgmock-dev libxxhash-dev libjemalloc-dev zlib1g-dev libjpeg-dev libpng-dev libzip-dev
libgrpc++-dev protobuf-compiler-grpc libre2-dev
libwebp-dev libopenjp2-7-dev"

missing=""
for package in $PACKAGES; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "== installing with apt:$missing"
  sudo=""
  if [ "$(id -u)" != 0 ]; then
    sudo="sudo"
    if ! command -v sudo >/dev/null 2>&1; then
      echo "make setup: error: installing needs root, and there is no sudo. As root, once: apt-get install --no-install-recommends$missing" >&2
      exit 1
    fi
  fi
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

stamp=.venv/.requirements
if ! cmp -s requirements.txt "$stamp"; then
  echo "== installing Python packages in .venv"
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/python -m pip install -q --disable-pip-version-check -r requirements.txt
  cp requirements.txt "$stamp"
fi
