# firmward. "make" alone lists what there is to make.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO        ?= go
PKGS      ?= ./...
TIMEOUT   ?= 20m
BENCH     ?= .
BENCHTIME ?= 1s
FUZZTIME  ?= 10s
SOAK      ?= 5
YEARS     ?= 1000
SEEDS     ?= 100000

ARCHS     ?= amd64 arm64

.PHONY: help build release web demo test check race years peers web-test nmap bench soak soak-sim fuzz cover clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Tests with namespaces and nftables need root and skip without; FIRMWARD_REQUIRE_DAEMONS=1 makes a skip a failure."
	@echo "  FIRMWARD_TEST_DATA=DIR names real feed documents."

build: ## one static binary, bin/firmward; with the web app if "make web" built it before
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/firmward ./cmd/firmward

release: web ## static Linux binaries for ARCHS in dist/, with web app and hashes (ARCHS="amd64 arm64")
	@mkdir -p dist/data
	@for arch in $(ARCHS); do echo "dist/firmward-linux-$$arch"; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -ldflags '-s -w' -o dist/firmward-linux-$$arch ./cmd/firmward; done
	@cd dist && sha256sum firmward-linux-* >SHA256SUMS && cat SHA256SUMS

web: web/node_modules/.package-lock.json ## check and build the web app into web/dist/app (needs Node 20.19 or newer)
	cd web && npm run -s check && npm run -s test && npm run -s build

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund --no-progress
	@touch $@

demo: ## the main job on simulated devices, as any user
	CGO_ENABLED=0 $(GO) run ./cmd/firmward demo

test: check web-test race years peers ## everything that CI runs

check: ## format, vet, modernisation and static checks: each must be silent
	@echo "gofumpt";     out=$$($(GO) tool gofumpt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "$$out"; echo "run: $(GO) tool gofumpt -w FILE"; exit 1; }
	@echo "go vet";      $(GO) vet $(PKGS)
	@echo "go fix";      out=$$($(GO) fix -diff $(PKGS) 2>&1 || true); test -z "$$out" || { echo "$$out"; echo "run: $(GO) fix $(PKGS)"; exit 1; }
	@echo "staticcheck"; $(GO) tool staticcheck $(PKGS)

race: ## all tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout $(TIMEOUT) $(PKGS)

years: ## 1,000 simulated years of a fleet and 5,000 fleets under fire, every invariant after every step (YEARS=1000)
	FIRMWARD_SIM_YEARS=$(YEARS) FIRMWARD_SIM_FLEETS=5000 $(GO) test -count 1 -v -run '^(TestFleetYears|TestFleets)$$' ./rollout/sim | grep -v '^=== '

web-test: ## walk through the web app of the real program in Chromium (SHOTS=DIR keeps the screenshots)
	@missing=$$(for p in node npm chromium; do command -v $$p >/dev/null || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "web-test: NOT RUN, missing:" $$missing "(Node 20.19 or newer; Debian: apt-get install chromium)"; \
		test -z "$${FIRMWARD_REQUIRE_DAEMONS:-}"; \
	else \
		$(MAKE) --no-print-directory web build && cd web && FIRMWARD=../bin/firmward CHROMIUM=$$(command -v chromium) timeout 240 npm run -s walk; \
	fi

peers: ## the same input through other tools' libraries: versions, and verdicts on real NVD files
	cd bench/nvdtools && $(GO) vet ./... && $(GO) test ./...

nmap: ## side by side with nmap on all simulated devices: a table, in four minutes (needs root and nmap)
	FIRMWARD_NMAP=all FIRMWARD_REQUIRE_DAEMONS=1 $(GO) test -count 1 -run '^TestNmap$$' -v ./cmd/firmward/demo

bench: ## measured tables: start, memory, build, feeds, store, index, API (BENCH=regexp BENCHTIME=1s)
	@$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -timeout 60m $(PKGS) | awk ' \
		/^pkg:/ { sub(/^.*firmward\/firmward\/?/, ""); pkg = $$0 == "" ? "(root)" : $$0 } \
		/^Benchmark/ { sub(/^Benchmark/, ""); sub(/-[0-9]+$$/, "", $$1); if (pkg != last) { print "\n" pkg; last = pkg } \
			printf "  %-32s", $$1; for (i = 3; i < NF; i += 2) printf "  %12s %s", $$i, $$(i + 1); print "" } \
		/SKIP|FAIL|_test.go:/ { print }'
	@if [ -n "$${FIRMWARD_TEST_DATA:-}" ] && [ "$(BENCH)" = . ]; then echo; echo "beside nvdtools, on all its NVD 1.1 files"; \
		cd bench/nvdtools && $(GO) run ./versions && $(GO) run ./differential -pairs 20000 $$FIRMWARD_TEST_DATA/nvd-1.1/*.json.gz; fi

soak: ## the slow ones again and again: kills, walls, both databases (SOAK=times)
	CGO_ENABLED=1 $(GO) test -race -count $(SOAK) -timeout 120m ./control/... ./enforce/... ./wire/... ./rollout/... ./store/... ./discover/...

soak-sim: ## many random fleets and years of them, for half an hour (SEEDS=100000; every tenth is a whole year)
	FIRMWARD_SIM_FLEETS=$(SEEDS) FIRMWARD_SIM_YEARS=$$(($(SEEDS) / 10)) $(GO) test -count 1 -v -timeout 6h -run '^(TestFleetYears|TestFleets)$$' ./rollout/sim | grep -v '^=== '

fuzz: ## every fuzz target for a short time (FUZZTIME=10s)
	@$(GO) test -list '^Fuzz' $(PKGS) | awk '/^Fuzz/ { names[++n] = $$1 } /^ok/ { for (i = 1; i <= n; i++) print $$2, names[i]; n = 0 }' | \
	while read -r pkg name; do echo "$$pkg $$name"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$pkg"; done

cover: ## coverage per package, cover.out for go tool cover
	$(GO) test -coverprofile cover.out -timeout $(TIMEOUT) $(PKGS) | grep -v 'no test files'
	@$(GO) tool cover -func cover.out | tail -1

clean: ## remove what was made here
	rm -rf bin dist cover.out web/dist/app web/node_modules
