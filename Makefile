# Everything a newcomer or a build machine runs. `make` alone lists the targets.
# Needs: Python 3.11+, a Rust toolchain, make, a C compiler. Some targets need more; they say so.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q

# What the wheel is made of.
SOURCES := $(shell find native codecs src build_backend -type f \
	\( -name '*.rs' -o -name '*.toml' -o -name '*.py' -o -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.yaml' -o -name '*.schema.json' -o -name py.typed \) \
	-not -path '*/fuzz/*' 2>/dev/null) Cargo.toml Cargo.lock pyproject.toml setup.py

.DEFAULT_GOAL := help
.PHONY: help demo test test-rust test-python lint format bench bench-proxy captures vectors schemas commands protos drawings interop chaos fuzz docs wheel sdist-check clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "metaprotocol needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -U pip
	@touch $@

# A build of the wheel takes a minute or two the first time; cargo shows its progress.
$(VENV)/.package: $(VENV)/.python $(SOURCES)
	@echo 'building and installing metaprotocol (release, LTO) ...'
	$(PIP) uninstall -y metaprotocol 2>/dev/null
	$(PIP) install .
	@touch $@

$(VENV)/.group-%: $(VENV)/.python pyproject.toml
	$(PIP) install --group $*
	@touch $@

demo: $(VENV)/.package $(VENV)/.group-demo ## Real captures as tables; a described protocol, fuzzed; traffic that moves through the proxy
	@set -e; for command in $(DEMO); do \
		echo; echo "\$$ metaprotocol $$command"; $(BIN)/metaprotocol $$command; \
	done; echo; echo '$$ python examples/live_split.py'; $(BIN)/python examples/live_split.py
DEMO = $(foreach capture,dubbo-3-basic dubbo-2.7-exceptions,"decode --show table --limit 15 tests/captures/dubbo/$(capture).pcap") \
	$(foreach capture,apache-go-header-compact apache-py-framed-binary,"decode --show table --limit 15 tests/captures/thrift/$(capture).pcap") \
	$(foreach capture,kafka/confluent-to-4-interop redis/cluster-redirects trpc/trpc-go-streams,"decode --show table --limit 15 tests/captures/$(capture).pcap") \
	"codec show --show table codecs/zork/zork.yaml" "codec try --show table codecs/zork/zork.yaml --file codecs/zork/vectors/001-request.bin" \
	"fuzz codecs/zork/zork.yaml --samples codecs/zork/vectors --time 5s"

test: test-rust test-python ## Run every test that needs no other program

test-rust:
	cargo test --workspace --exclude metaprotocol-python

test-python: $(VENV)/.package $(VENV)/.group-test
	$(BIN)/python -m pytest

lint: $(VENV)/.package $(VENV)/.group-lint $(VENV)/.group-test ## Format, lint and type checks, the stubs against the module
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest metaprotocol._native metaprotocol._pyconnection metaprotocol._videopacket \
		--allowlist tests/stubtest-allowlist.txt
	PYTHONPATH=src $(BIN)/lint-imports

format: $(VENV)/.group-lint ## Format all sources
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.package $(VENV)/.group-test $(VENV)/.group-bench ## Measure against peers in one run; Markdown tables (tshark, valgrind optional)
	$(BIN)/python bench/run.py
	cargo bench -q -p metaprotocol-plugin --bench call_overhead
	@if command -v valgrind >/dev/null; then $(BIN)/python bench/instructions.py; \
	else echo 'valgrind is not installed: no instruction counts'; fi

bench-proxy: $(VENV)/.package $(VENV)/.group-test $(VENV)/.group-bench ## Measure proxies against Envoy in one run (half an hour)
	cargo build -q --release -p metaprotocol-proxy-bench
	$(BIN)/python bench/proxy.py $(if $(QUICK),--quick)
	$(BIN)/python bench/proxy.py --scale --protocol thrift --rounds 3

captures: $(VENV)/.group-test ## Record tests/captures again from real peers (needs root, tcpdump, JDK 17+, Maven, Go, redis-server)
	$(BIN)/python tests/captures/record_brpc.py
	$(BIN)/python tests/captures/record_dubbo.py
	$(BIN)/python tests/captures/record_kafka.py
	$(BIN)/python tests/captures/record_redis.py
	$(BIN)/python tests/captures/record_thrift.py
	$(BIN)/python tests/captures/record_trpc.py

vectors: ## Write the codecs' vectors again from what their make.py states
	for make in codecs/*/vectors/make.py; do PYTHONPATH=tests $(PYTHON) $$make || exit 1; done

schemas: ## Write Kafka's schemas again from the definitions in its jars (needs Maven and a JDK)
	$(PYTHON) codecs/kafka/schemas/generate.py

commands: ## Write Redis' table of commands again from what a server says (needs redis-server)
	PYTHONPATH=tests $(PYTHON) codecs/redis/commands.py

protos: $(VENV)/.group-protos ## Write the modules of MetaProtocol's messages again from their .proto files
	$(BIN)/python src/metaprotocol/xds/protos/generate.py

drawings: $(VENV)/.package ## Draw the layouts in the documentation again from the descriptions
	for name in qza zork awesomerpc; do $(BIN)/metaprotocol codec show $$name --svg docs/protocols/$$name.svg >/dev/null || exit 1; done

interop: $(VENV)/.package $(VENV)/.group-test ## Talk to real peers (needs JDK 17+, Maven, Go, redis-server)
	$(BIN)/python -m pytest tests/interop -m interop

chaos: $(VENV)/.package $(VENV)/.group-test ## Throw faults and load at the proxy (some minutes; METAPROTOCOL_CHAOS=10 for a soak)
	cargo build -q --profile quick -p metaprotocol-proxy-bench
	$(BIN)/python -m pytest tests/chaos -m chaos

FUZZ_SECONDS ?= 30
fuzz: ## Fuzz every target for FUZZ_SECONDS each (needs a C++ compiler; installs cargo-fuzz)
	tests/fuzz/run.sh $(FUZZ_SECONDS)

docs: $(VENV)/.package $(VENV)/.group-docs ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

wheel: $(VENV)/.python ## Build the wheel and the sdist into dist/
	$(PIP) install build
	$(BIN)/python -m build --outdir dist .

sdist-check: $(VENV)/.python ## Build the sdist, install from it in an empty environment, work through the tutorial there
	tests/packaging/sdist.sh $(PYTHON)

clean: ## Remove everything that was built
	rm -rf target build dist site $(VENV) .cache src/metaprotocol/*.so
