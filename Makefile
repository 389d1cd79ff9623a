# `make` without a target lists the targets.

GO         ?= go
PYTHON     ?= /usr/bin/python3
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
ACTIONLINT  = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
export GOFLAGS += -buildvcs=false

.PHONY: help up build deps check vuln test unit chart e2e manifests python compose test-compose images publish test-k8s bench bench-check stress clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## run the whole system; MACHINES=n, SHARDS=m, GATEWAY_PORT=8000, DATA=data
	@$(GO) build -o bin/up ./test/up
	@exec bin/up

build: ## build the services into bin/
	$(GO) build -o bin/ ./order ./stock ./payment

deps: ## install missing Debian packages for the tests (apt-get; with sudo unless root)
	@$(GO) run ./test/up -deps

check: ## gofmt, go vet, staticcheck, luacheck, shellcheck, actionlint, govulncheck, line and file lengths; prints only what is wrong
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt -w $$unformatted"; exit 1; fi
	@$(GO) run ./test/style
	@$(GO) vet ./...
	@$(GO) vet -tags faults ./...
	@$(GO) run $(STATICCHECK) ./...
	@out=$$(luacheck --quiet .) || { echo "$$out"; exit 1; }
	@shellcheck -x gke-scale/*.sh
	@$(GO) run $(ACTIONLINT)
	@$(MAKE) --no-print-directory vuln

vuln: ## govulncheck; skipped if its database is unreachable
	@out=$$($(GO) run $(GOVULNCHECK) ./... 2>&1); code=$$?; \
	case "$$out" in *vuln.go.dev*) if [ $$code -ne 0 ]; then echo "govulncheck: skipped, because its database is unreachable"; exit 0; fi;; esac; \
	if [ $$code -ne 0 ]; then echo "$$out"; fi; exit $$code

test: deps check unit chart e2e ## all checks and tests, without fault injection

unit: ## unit tests of the services, with the race detector
	$(GO) test -race -count=1 -timeout 10m ./common/... ./order/... ./stock/... ./payment/...

chart: ## validate the Helm chart against the Kubernetes API types, and the plain manifests against the chart
	cd test/chart && $(GO) vet ./... && $(GO) test -count=1 ./...

manifests: ## generate k8s/kube and gke/kube from the chart
	@cd test/chart && $(GO) run .

# test/e2e and test/stack mostly wait, so they run together. test/bench measures time, so it runs alone.
e2e: ## the protocol model, the Python suite and the end-to-end tests, with crashes and restarts
	$(GO) test -count=1 -timeout 14m -p 2 ./test/e2e ./test/stack
	$(GO) test -count=1 -timeout 14m -p 2 $$($(GO) list ./test/... | grep -v -e /e2e -e /stack -e /bench)
	$(GO) test -count=1 -timeout 5m ./test/bench

# Each run draws and prints a new seed, so that many runs try many schedules. SEED=n repeats the choices of a run.
.PHONY: faults soak
faults: ## inject faults into the running system for about 8 minutes, report to bin/faults.md; SEED=n
	$(GO) run ./test/faults $(if $(SEED),-seed $(SEED))

soak: ## inject random faults for DURATION=2h, at most RATE=n requests per second; REPORT=bin/soak.md
	$(GO) run ./test/faults -scenario mix -duration $(or $(DURATION),2h) $(if $(RATE),-rate $(RATE)) $(if $(SEED),-seed $(SEED)) -o $(or $(REPORT),bin/soak.md)

python: ## only the Python suite and the consistency test, against a temporary system
	$(GO) build -o bin/up ./test/up
	bin/up -exec 'cd test && $(PYTHON) -m unittest test_microservices && $(PYTHON) consistency.py'

compose: ## docker compose up --build, with MACHINES=n instances and SHARDS=m of each service
	compose/scale $(or $(MACHINES),1) $(SHARDS)
	docker compose up --build

test-compose: ## test the system in docker compose, with killed containers; MACHINES=n, SHARDS=m, REPORT=file
	@$(GO) build -o bin/test-compose ./test/compose
	@exec bin/test-compose $(if $(REPORT),-o $(REPORT))

images: ## build the images; IMAGE_PREFIX=registry.example/shop/, IMAGE_TAG=latest, BAKE="more arguments of docker buildx bake"
	docker buildx bake -f docker-compose.yml $(BAKE)

publish: ## build images for amd64 and arm64, with SBOM and provenance, and push them; bin/images.json lists the digests
	@mkdir -p bin
	docker buildx bake -f docker-compose.yml --set '*.platform=linux/amd64,linux/arm64' --sbom true --provenance mode=max \
		--push --metadata-file bin/images.json $(BAKE)

test-k8s: ## test the chart on a real cluster under load; see test/k8s/main.go
	@$(GO) build -o bin/test-k8s ./test/k8s
	@exec bin/test-k8s $(if $(REPORT),-o $(REPORT))

bench: ## measure speed for 4 to 7 minutes; the report goes to bin/bench, with KEEP=1 to docs/results/bench
	$(GO) run ./test/bench -o $(if $(KEEP),docs/results/bench,bin/bench)

bench-check: ## measure speed and fail if a ratio is over 15 % worse than in docs/results/bench/figures.json
	$(GO) run ./test/bench -o bin/bench -check docs/results/bench/figures.json

stress: deps ## simulate users with Locust; USERS=n, DURATION=30s, GATEWAY_URL of a running system
	@$(GO) build -o bin/up ./test/up
	@if [ -n "$$GATEWAY_URL" ]; then test/stress/run; else bin/up -exec test/stress/run; fi

clean: ## remove build output, but never data/
	rm -rf bin
