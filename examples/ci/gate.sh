#!/bin/sh
# Compresses a network, builds the engine, and judges it by the network as it was. What ends with exit code 0 may be
# released: OUT/model.tamis is that engine. 1: the gate failed, OUT/gate.xml says by what. Anything else: it could not be
# judged.
#
#   gate.sh MODEL.onnx CALIBRATION TEST OUT
#
# CALIBRATION are unlabelled samples to fit weights with; TEST are others, with labels if top-1 is to be measured. Data
# that fitted the weights would flatter them. From the environment, with what is used where they are not set:
#   TAMIS=tamis            the program
#   THREADS=2              of everything: a gate that counts the machine's cores gives other figures on other machines
#   DATA_FLAGS=            how samples are prepared: "--image-size 224 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"
#   PRUNE_FLAGS=           "--pattern paired", "--keep NAME"; PRUNE_FLAGS=none leaves pruning out
#   BUILD_FLAGS="--precision auto"
#   GATE_FLAGS="--max-drop 1.5 --max-latency-ratio 1"
set -eu

if [ $# -ne 4 ]; then
  echo "usage: gate.sh MODEL.onnx CALIBRATION TEST OUT" >&2
  exit 2
fi
model=$1 calibration=$2 test=$3 out=$4
: "${TAMIS:=tamis}" "${THREADS:=2}" "${DATA_FLAGS:=}" "${PRUNE_FLAGS:=}"
: "${BUILD_FLAGS:=--precision auto}" "${GATE_FLAGS:=--max-drop 1.5 --max-latency-ratio 1}"

# Steps before the gate have exit codes of their own, and 1 is the gate's word for a failed check.
step() {
  echo "== $*"
  "$@" || { echo "gate.sh: this step failed, so there is nothing to judge" >&2; exit 2; }
}

mkdir -p "$out"
rm -f "$out/gate.xml" "$out/gate.json" "$out/model.tamis"
# Flags are lists of words, so the variables are not quoted.
# shellcheck disable=SC2086
{
  if [ "$PRUNE_FLAGS" = none ]; then
    pruned=$model
  else
    pruned=$out/pruned.onnx
    step "$TAMIS" prune "$model" -o "$pruned" --data "$calibration" --threads "$THREADS" $DATA_FLAGS $PRUNE_FLAGS
  fi
  step "$TAMIS" build "$pruned" -o "$out/candidate.tamis" --threads "$THREADS" $BUILD_FLAGS

  echo "== gate"
  code=0
  "$TAMIS" gate --dense "$model" --candidate "$out/candidate.tamis" --data "$test" --threads "$THREADS" \
    --junit "$out/gate.xml" --json $DATA_FLAGS $GATE_FLAGS >"$out/gate.json" || code=$?
}
cat "$out/gate.json"
if [ "$code" -eq 0 ]; then mv "$out/candidate.tamis" "$out/model.tamis"; fi
exit "$code"
