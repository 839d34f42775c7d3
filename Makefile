# What people type. The build itself is CMake's: CMakeLists.txt, CMakePresets.json.
BUILD ?= build/release
PREFIX ?= /usr/local
export DESTDIR

.PHONY: help build demo test test-differential test-foreign test-file bench-ipc bench-codec asan fuzz torture install
.PHONY: clean

help:
	@echo 'make demo      the whole story: sensors in Python, computation in C++ and Fortran, a live page in PHP'
	@echo 'make build     the library, the command and the bindings, in $(BUILD)'
	@echo 'make test      every suite; ends with "N passed, N failed"'
	@echo 'make test-differential   the codecs beside implementations in other languages, ROUNDS=2000 documents a test'
	@echo 'make test-foreign   programs without weir at the other end: cbor2, pymongo, Jackson, PHP, Node, JSON-RPC'
	@echo 'make test-file   logs: FLIPS=200000 flipped bits, KILLS=2000 killed writers in each of four ways'
	@echo 'make bench-ipc     the transports, their bare forms and what people use instead'
	@echo 'make bench-codec   the codecs and the libraries people pick today'
	@echo 'make install   into PREFIX=$(PREFIX), below DESTDIR where one is given'
	@echo 'make asan      the C unit tests under address and undefined-behaviour sanitizers'
	@echo 'make fuzz      the fuzz targets, each for FUZZ_SECONDS=30'
	@echo 'make torture   every mechanism under kills, failing calls, damage and strangers; IMAGES=1000000 KILLS=20000'
	@echo 'make clean     remove build/'
	@echo 'The first call installs what the machine lacks (tools/setup, with sudo where needed).'

build:
	@tools/setup build
	@cmake --preset release -B $(BUILD) >/dev/null
	@cmake --build $(BUILD)

demo:
	@tools/setup demo
	@cmake --preset release -B $(BUILD) >/dev/null
	@cmake --build $(BUILD) --target demo
	@exec $(BUILD)/bin/weir demo

test:
	@tools/setup test
	@tools/test --build $(BUILD)

test-differential:
	@tools/setup differential
	@tests/differential/fetch-peers $(BUILD)/differential
	@WEIR_ROUNDS=$(or $(ROUNDS),2000) tools/test --build $(BUILD) --asan '' differential

test-foreign:
	@tools/setup differential
	@tests/differential/fetch-peers $(BUILD)/differential
	@tests/foreign/fetch-peers $(BUILD)/foreign
	@tools/test --build $(BUILD) --asan '' foreign

test-file:
	@tools/setup test
	@WEIR_FLIPS=$(or $(FLIPS),200000) WEIR_KILLS=$(or $(KILLS),2000) tools/test --build $(BUILD) --asan '' file

bench-ipc:
	@tools/setup bench
	@bench/ipc/fetch-peers $(BUILD)/peers
	@cmake --preset release -B $(BUILD) -DWEIR_BENCH=ON -DWEIR_IPC_PEERS="$(abspath $(BUILD))/peers" >/dev/null
	@cmake --build $(BUILD) --target bench_ipc --target bench_loop
	@bench/run --build $(BUILD) $(BENCH)

bench-codec:
	@tools/setup bench
	@bench/codec/fetch-peers $(BUILD)/peers
	@cmake --preset release -B $(BUILD) -DWEIR_BENCH=ON -DWEIR_PEERS="$(abspath $(BUILD))/peers" >/dev/null
	@cmake --build $(BUILD) --target bench_codec --target bench_growth
	@bench/run --build $(BUILD) --codec $(BENCH)

asan:
	@tools/setup test
	@cmake --workflow --preset asan

fuzz:
	@tools/setup fuzz
	@cmake --workflow --preset fuzz
	@tools/fuzz build/fuzz $(or $(FUZZ_SECONDS),30)

torture:
	@tools/setup torture
	@cmake --preset release -B $(BUILD) >/dev/null
	@cmake --build $(BUILD)
	@cmake --preset tsan >/dev/null
	@cmake --build build/tsan --target $$(tests/torture/tsan-suites) torture_soak torture_kills
	@tests/torture/long $(BUILD) $(or $(IMAGES),1000000) $(or $(KILLS),20000) $(or $(READS),100000000) $(or $(EVERY),1)

install:
	@tools/setup build
	@cmake --preset release -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@cmake --build $(BUILD)
	@cmake --install $(BUILD)

clean:
	rm -rf build
