#!/bin/bash
# Checks and times the CUDA backend on a machine with an NVIDIA GPU.
#
#   benchmarks/gpu.sh pack FOLDER     builds here and packs the programs with the shared libraries they need, the Python
#                                     package with its interpreter, and ONNX's node tests, for a machine where Tamis
#                                     can't be built; copy FOLDER there and unpack its
#                                     archives: programs, and tests, nodes and products as far as they are run
#   benchmarks/gpu.sh [--programs FOLDER] [--out FOLDER] [--sanitize] [--nodes] [--products] [--no-tests]
#                     [gpu_bench.py flags...]
#                                     on the GPU machine: kernel tests, then the benchmark against PyTorch; with
#                                     --sanitize also compute-sanitizer's memcheck and racecheck on the kernel tests,
#                                     with --nodes ONNX's node tests in f32 and f16, with --products single products
#                                     and convolutions in 2:4 against cuBLASLt and cuDNN. --no-tests leaves the kernel
#                                     tests out. Without --programs, build/ is configured and built first.
#
# Needs there: the driver, cuBLASLt, cuDNN, and a python3 with numpy, onnx, torch, torchvision and transformers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
programs_built=(tamis tamis-tune-worker tamis_cuda_test tamis_cuda_kernels_test tamis_gemm24_cuda_bench libtamis_cuda.so)
targets=("${programs_built[@]/libtamis_cuda.so/tamis_cuda_plugin}" tamis_python)

build() {
  cmake -S "$root" -B "$root/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DTAMIS_CUDA=ON >/dev/null
  ninja -C "$root/build" "${targets[@]}"
}

# The libraries that programs and modules need beyond what any glibc system of the same age has, or brings with CUDA.
copy_libraries() {
  local to=$1
  shift
  ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
    grep -vE '/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libcublasLt)\.so' | xargs -I{} cp -Ln {} "$to/"
}

# The package as built, an interpreter that can import it, and what scripts/conformance.py reads.
pack_python() {
  local to=$1 python=$root/.venv/bin/python home packages version
  home=$("$python" -c 'import sys; print(sys.base_prefix)')
  packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
  mkdir -p "$to/python" "$to/python3/bin" "$to/python3/lib" "$to/conformance/.cache"
  cp -rL "$root/build/python/tamis" "$to/python/"
  rm -rf "$to/python/tamis/bin"
  strip "$to"/python/tamis/*.so
  cp -L "$home/bin/$version" "$to/python3/bin/python3"
  tar -C "$home/lib" -c --exclude='test*' --exclude=__pycache__ --exclude=site-packages --exclude='config-*' \
    --exclude=idlelib --exclude=lib2to3 --exclude=tkinter --exclude=ensurepip --exclude=pydoc_data "$version" |
    tar -C "$to/python3/lib" -x
  tar -C "$home/lib/$version" -c unittest | tar -C "$to/python3/lib/$version" -x
  (cd "$packages" && tar -c --exclude=__pycache__ --exclude='onnx/backend/test/data' --exclude='*.pyi' --exclude='*.a' \
    --exclude='numpy/*/tests' --exclude='onnx/test' \
    numpy numpy.libs onnx ml_dtypes google typing_extensions.py) | tar -C "$to/python3/lib/$version" -x
  # Apart from the programs' libraries: this machine's python3 must not load them.
  rm -f "$to/python3/lib/$version"/lib-dynload/_tkinter*
  copy_libraries "$to/python3/lib" "$to/python3/bin/python3" "$to"/python/tamis/*.so "$to/python3/lib/$version"/lib-dynload/*.so
  for library in "$to"/lib/*; do rm -f "$to/python3/lib/${library##*/}"; done
  strip "$to"/python3/lib/libpython*.so* "$to/python3/lib/$version"/ml_dtypes/*.so "$to/python3/lib/$version"/onnx/*.so
  "$python" -c 'import sys; sys.path.insert(0, sys.argv[1]); import onnx_cases; onnx_cases.load()' "$root/tests"
  cp "$root"/.cache/onnx-node-tests-*.pickle "$to/conformance/.cache/"
  mkdir "$to/conformance"/{scripts,tests}
  cp "$root/scripts/conformance.py" "$to/conformance/scripts/"
  cp "$root"/tests/onnx_{cases,backend_excludes}.py "$to/conformance/tests/"
}

if [ "${1:-}" = pack ]; then
  to=${2:?usage: benchmarks/gpu.sh pack FOLDER}
  build
  rm -rf "$to"
  mkdir -p "$to/bin/lib"
  cp "${programs_built[@]/#/$root/build/}" "$to/bin/"
  strip "$to"/bin/tamis* "$to"/bin/*.so
  copy_libraries "$to/bin/lib" "$to"/bin/tamis "$to"/bin/tamis_cuda_test
  pack_python "$to/bin"
  # Apart, because a machine may take only so much at once: leave out what a run does without.
  archive() { tar -C "$to" -c "${@:2}" | xz -T2 -3 >"$to/$1.tar.xz"; }
  archive programs bin/tamis bin/tamis-tune-worker bin/libtamis_cuda.so bin/lib
  archive tests bin/tamis_cuda_test bin/tamis_cuda_kernels_test
  archive products bin/tamis_gemm24_cuda_bench
  archive nodes bin/python bin/python3 bin/conformance
  rm -r "$to/bin"
  cp "$here"/gpu.sh "$here"/gpu_*.py "$here"/conv_cudnn.py "$to/"
  du -sh "$to"/*.tar.xz
  exit 0
fi

programs= out=gpu_results sanitize= nodes= products= tests=1
while [ $# -gt 0 ]; do
  case $1 in
    --programs) programs=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --sanitize) sanitize=1; shift ;;
    --nodes) nodes=1; shift ;;
    --products) products=1; shift ;;
    --no-tests) tests=; shift ;;
    *) break ;;
  esac
done
if [ -z "$programs" ]; then
  build
  programs=$root/build
fi
export LD_LIBRARY_PATH=$programs/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
mkdir -p "$out"
failed=
for test in ${tests:+tamis_cuda_test tamis_cuda_kernels_test}; do
  "$programs/$test" >"$out/$test.txt" 2>&1 || failed="$failed $test"
  grep -E "^\[|runs|Failure|Which|element|message" "$out/$test.txt" | grep -v "RUN  " | tail -40
done
if [ -n "$sanitize" ]; then
  for tool in memcheck racecheck; do
    compute-sanitizer --tool "$tool" --error-exitcode 9 "$programs/tamis_cuda_test" \
      --gtest_filter=-*Products:*Convolutions >"$out/$tool.txt" 2>&1 || failed="$failed $tool"
    tail -3 "$out/$tool.txt"
  done
fi
if [ -n "$products" ]; then
  # Weights come from device memory: the rows of a decoder's steps, then ResNet's middle convolutions.
  few=()
  for rows in 1 2 4 8 16; do few+=(4096,$rows,4096 11008,$rows,4096); done
  "$programs/tamis_gemm24_cuda_bench" --json "$out/gemm.json" "${few[@]}" 3072,4096,768 768,4096,3072 \
    3072,4096,1024 4096,4096,1024 || failed="$failed products"
  "$programs/tamis_gemm24_cuda_bench" --json "$out/conv.json" conv:32,14,14,256,256,3,1,1 conv:32,7,7,512,512,3,1,1 \
    conv:32,28,28,256,256,3,2,1 conv:32,14,14,512,512,3,2,1 >/dev/null || failed="$failed convolutions"
  python3 "$here/conv_cudnn.py" "$out/conv.json" || failed="$failed cuDNN"
fi
if [ -n "$nodes" ]; then
  # A packed interpreter runs the packed extension; a build of this machine has its own.
  python=$root/.venv/bin/python conformance=$root
  [ ! -d "$programs/python3" ] || { python=$programs/python3/bin/python3 conformance=$programs/conformance; }
  for precision in f32 f16; do
    TAMIS_CUDA_BACKEND=$programs/libtamis_cuda.so LD_LIBRARY_PATH=$programs/python3/lib:${LD_LIBRARY_PATH:-} \
      "$python" "$conformance/scripts/conformance.py" --build "$programs" --device cuda --precision $precision --jobs "$(nproc)" \
      --json "$out/nodes_$precision.json" >"$out/nodes_$precision.txt" 2>&1 || failed="$failed nodes_$precision"
    grep -E "^all |passed on the device|wrong:|crashed:" "$out/nodes_$precision.txt" || tail -5 "$out/nodes_$precision.txt"
  done
fi
python3 "$here/gpu_bench.py" --programs "$programs" --work "${TMPDIR:-/tmp}/tamis_gpu" --out "$out" "$@" || failed="$failed benchmark"
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
