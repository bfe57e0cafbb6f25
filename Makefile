# The two commands a newcomer needs are `make demo` and `make test`; each does all its set-up on a bare Debian 12.
BUILD ?= build
JOBS ?= $(shell nproc)

.PHONY: help setup build programs wheel demo test lint tidy bench bench-trained bench-kernels architectures sanitize fuzz clean

help:
	@echo "make demo      semantic search over Debian's packages: prune, compile, measure, serve (10 to 25 minutes on two Zen 4 cores behind the build)"
	@echo "make test      build and run every test"
	@echo "make programs  tamis and its worker only, in $(BUILD)/; make build: the tests too"
	@echo "make wheel     a self-contained Python wheel in dist/, tried in a clean environment"
	@echo "make lint      formatting, file sizes, documented paths"
	@echo "make tidy      clang-tidy on changed files"
	@echo "make bench     Tamis against ONNX Runtime, OpenVINO and PyTorch on this machine (BENCH=--quick for three minutes)"
	@echo "make bench-trained  time and accuracy of a trained network side by side (BENCH=\"MODEL --calibration A --test B\")"
	@echo "make bench-kernels  kernel benchmarks of this machine"
	@echo "make architectures  export some 250 networks from PyTorch (6 GB to install) and compare with ONNX Runtime"
	@echo "make sanitize  the tests under ASan+UBSan and under TSan"
	@echo "make fuzz      every fuzz target for a minute (scripts/fuzz.sh SECONDS TARGET...)"

setup:
	@scripts/setup.sh

build: setup
	@echo "== building (ninja, $(JOBS) jobs)"
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@ninja -C $(BUILD) -j $(JOBS)

programs: setup
	@echo "== building the programs (ninja, $(JOBS) jobs)"
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@ninja -C $(BUILD) -j $(JOBS) tamis tamis-tune-worker

wheel: setup
	@scripts/wheel.sh

demo: programs
	@.venv/bin/python demo/demo.py --tamis $(BUILD)/tamis

test: build
	@scripts/test.sh $(BUILD)

lint: setup
	@scripts/lint.sh $(BUILD)

tidy: build
	@scripts/tidy.sh $(BUILD)

bench: programs
	@ninja -C $(BUILD) -j $(JOBS) tamis_python
	@benchmarks/bench.sh $(BUILD) $(BENCH)

bench-trained: programs
	@ninja -C $(BUILD) -j $(JOBS) tamis_python
	@benchmarks/bench.sh $(BUILD) --trained $(BENCH)

bench-kernels: build
	@ninja -C $(BUILD) tamis_kernels_bench
	@$(BUILD)/tamis_kernels_bench

architectures: build
	@scripts/architectures.sh $(BUILD)

sanitize: setup
	@scripts/sanitize.sh

fuzz: setup
	@scripts/fuzz.sh

clean:
	rm -rf build build-* build.log dist
