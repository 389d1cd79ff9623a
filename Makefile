# `make` without a target lists the targets.

comma      := ,
GO         ?= go
PYTHON     ?= /usr/bin/python3
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
ACTIONLINT  = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
# If another user owns the files, as in some containers, Go cannot read the version from Git. So the linker sets the
# version.
# The builds of the images use the tag nomsgpack, too (see the Dockerfile). Without this tag, a first build takes much
# longer. -w omits debug information, which would take a quarter of the linker's time.
export GOFLAGS += -buildvcs=false -tags=nomsgpack -ldflags=-w
# docker-compose.yml passes VERSION to the builds of the images.
export VERSION ?= $(or $(shell git -c safe.directory='*' describe --tags --always --dirty 2>/dev/null),devel)
LDFLAGS     = -ldflags '-X checkout/common/version.version=$(VERSION)'

# Without NO_PROXY, some clients, such as curl and Python, send requests for localhost to the proxy of the environment.
export NO_PROXY := localhost,127.0.0.1,::1$(addprefix $(comma),$(or $(NO_PROXY),$(no_proxy)))
export no_proxy := $(NO_PROXY)

.PHONY: help up build deps check vuln test unit chart e2e manifests python compose test-compose images publish test-k8s bench bench-check kills stress clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## run the whole system; MACHINES=n, SHARDS=m, REPLICAS=3, GATEWAY_PORT=8000, DATA=data, and the variables of the services
	@$(GO) build $(LDFLAGS) -o bin/up ./test/up
	@exec bin/up

.PHONY: backup restore
backup: ## copy the data of `make up` to DIR; with REPLICAS=3, the system must run; DATA=data
	@test/up/backup "$$DIR"

restore: ## replace the data of `make up` with the backup in DIR; DATA=data
	@test/up/restore "$$DIR"

build: ## build the services into bin/
	$(GO) build $(LDFLAGS) -o bin/ ./order ./stock ./payment ./keeper

deps: ## install missing Debian packages for the tests (apt-get; with sudo unless root)
	@$(GO) run ./test/up -deps all

check: ## gofmt, go vet, staticcheck, luacheck, shellcheck, actionlint, govulncheck, line and file lengths; prints only problems
	@$(MAKE) --no-print-directory vet
	@$(GO) run ./test/up -deps check
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt -w $$unformatted"; exit 1; fi
	@$(GO) run ./test/style
	@$(GO) run $(STATICCHECK) ./...
	@out=$$(luacheck --quiet .) || { echo "$$out"; exit 1; }
	@shellcheck -x .ci/names compose/backup compose/gateway compose/restore compose/scale test/compose/testdata/docker gke-scale/*.sh k8s/replicate k8s/restore k8s/helm/checkout/files/backup k8s/helm/checkout/files/redis-start test/up/backup test/up/restore
	@$(GO) run $(ACTIONLINT)
	@$(MAKE) --no-print-directory vuln

vuln: ## govulncheck; skipped if its database is unreachable
	@skip() { echo "govulncheck: skipped, because its database is unreachable"; exit 0; }; \
	! command -v curl >/dev/null || curl -fsS -o /dev/null --max-time 10 https://vuln.go.dev/index/db.json 2>/dev/null || skip; \
	out=$$($(GO) run $(GOVULNCHECK) ./... 2>&1); code=$$?; \
	case "$$out" in *vuln.go.dev*) [ $$code = 0 ] || skip;; esac; \
	if [ $$code -ne 0 ]; then echo "$$out"; fi; exit $$code

# The unit tests and the tests of the chart spend most of their time waiting, so they run at the same time. The checks
# run beside them with a lower priority. On a new machine, apt-get first installs packages. Meanwhile, the first job
# runs go vet, which needs no package. The models need only processor time, so they run beside the tests of the console.
test: ## all checks and tests, without fault injection, in 8 to 18 minutes
	@$(MAKE) --no-print-directory -j 2 chart-and-check unit
	@$(MAKE) --no-print-directory e2e
	@$(MAKE) --no-print-directory -j 2 console background-model

.PHONY: chart-and-check background-model vet model console
chart-and-check: ## the targets vet, deps, chart and check, one after the other, with a low priority
	@nice $(MAKE) --no-print-directory vet
	@nice $(MAKE) --no-print-directory deps
	@nice $(MAKE) --no-print-directory chart
	@nice $(MAKE) --no-print-directory check

background-model: ## the target model, with a low priority
	@nice $(MAKE) --no-print-directory model

vet: ## go vet
	@$(GO) vet ./...
	@$(GO) vet -tags faults,nomsgpack $$(grep -rl --include='*.go' '^//go:build faults' common | xargs -n 1 dirname | sort -u | sed 's,^,./,')
	@cd test/chart && $(GO) vet ./...

# The target "check" includes go vet, so the tests run with -vet=off. Most tests wait for Redis, leases and timeouts, so
# up to 12 tests run at the same time: with up to 32, a test failed on a busy machine. The packages that take longest
# come first.
unit: deps ## unit tests of the services, with the race detector
	$(GO) test -race -vet=off -count=1 -timeout 10m -p 3 -parallel 4 \
		./order/store ./order/saga ./common/redis ./common/cluster ./keeper ./common/participant \
		./order/... ./common/... ./stock/... ./payment/... ./keeper/...

chart: ## validate the Helm chart against the Kubernetes API types, and the plain manifests against the chart
	cd test/chart && $(GO) test -vet=off -count=1 -parallel 4 ./...

model: ## explore the models of the protocol and of the failover
	$(GO) test -vet=off -count=1 -timeout 14m ./test/model/...

manifests: ## generate k8s/kube and gke/kube from the chart
	@cd test/chart && $(GO) run .

console: deps ## the console and the API documentation in Chromium
	$(GO) test -vet=off -count=1 -timeout 10m ./test/console

# Most packages of test/ spend their time waiting, so three packages are tested at a time, long ones first. test/bench
# measures time, so it runs alone.
# -short omits the builds for another platform. The target "test-compose" includes them.
e2e: deps ## the Python suite and the end-to-end tests, with crashes and restarts
	$(GO) test -vet=off -count=1 -timeout 14m -short -p 3 ./test/e2e ./test/stack ./test/contract ./test/up ./test/compose \
		$$($(GO) list ./test/... | grep -v -E '/(e2e|stack|contract|up|compose|bench|console|model.*)$$')
	$(GO) test -vet=off -count=1 -timeout 5m ./test/bench

# Each run draws and prints a new seed, so that many runs try many schedules. SEED=n repeats the choices of the run with
# the seed n.
.PHONY: faults mutations soak
faults: deps ## start a system and inject faults into it for about 6 minutes, report to bin/faults.md; SEED=n
	$(GO) run ./test/faults -mutations 5 $(if $(SEED),-seed $(SEED))

mutations: deps ## break each rule of the protocol on purpose; the checkers must report a violation each time
	$(GO) run ./test/faults -scenario mutations -o bin/mutations.md

soak: deps ## inject random faults for DURATION=2h, under a load of at most RATE=n requests per second; SEED=n, REPORT=bin/soak.md
	$(GO) run ./test/faults -scenario mix -duration $(or $(DURATION),2h) $(if $(RATE),-rate $(RATE)) $(if $(SEED),-seed $(SEED)) -o $(or $(REPORT),bin/soak.md)

.PHONY: screenshots
screenshots: deps ## take the pictures in docs/images: the console, and a film of the recovery after a kill
	IMAGES=$(CURDIR)/docs/images $(GO) test -count=1 -timeout 10m -run TestImages ./test/console

python: deps ## only the Python suite and the consistency run, against a temporary system
	$(GO) build $(LDFLAGS) -o bin/up ./test/up
	bin/up -exec 'cd test && $(PYTHON) -m unittest test_microservices && $(PYTHON) consistency.py'

compose: ## docker compose up --build --remove-orphans, with MACHINES=n instances and SHARDS=m of each service, and REPLICAS=3 nodes of each shard
	@chmod -R a+rX compose common/metrics k8s/helm/checkout/files # containers read these files as other users
	REPLICAS=$(REPLICAS) compose/scale $(or $(MACHINES),1) $(SHARDS)
	docker compose up --build --remove-orphans # removes instances beyond MACHINES

test-compose: ## test the system in docker compose, with killed containers; MACHINES=n, SHARDS=m, REPORT=file
	@$(GO) test -count=1 ./test/compose
	@$(GO) build $(LDFLAGS) -o bin/test-compose ./test/compose
	@exec bin/test-compose $(if $(REPORT),-o $(REPORT))

images: ## build the images; IMAGE_PREFIX=registry.example/shop/, IMAGE_TAG=latest, BAKE="more arguments of docker buildx bake"
	docker buildx bake -f docker-compose.yml $(BAKE)

publish: ## build images for amd64 and arm64, with SBOM and provenance, and push them; LATEST=1 adds the tag "latest"
	@mkdir -p bin # bin/images.json lists the digests
	docker buildx bake -f docker-compose.yml --set '*.platform=linux/amd64,linux/arm64' --sbom true --provenance mode=max \
		$(if $(LATEST),$(foreach image,order stock payment keeper gateway,$(foreach tag,$(IMAGE_TAG) latest,\
			--set $(image).tags=$(IMAGE_PREFIX)$(image):$(tag)))) --push --metadata-file bin/images.json $(BAKE)

PACKAGES = bin
.PHONY: chart-package
chart-package: ## package the chart into bin/chart.tgz; IMAGE_PREFIX and SOURCE_URL set the values image.prefix and observability.sourceURL
	mkdir -p $(PACKAGES) && rm -rf $(PACKAGES)/checkout && cp -rL k8s/helm/checkout $(PACKAGES)
	sed -i 's|^  prefix: .*|  prefix: $(or $(IMAGE_PREFIX),checkout-)|' $(PACKAGES)/checkout/values.yaml
	$(if $(SOURCE_URL),sed -i 's|^  sourceURL: .*|  sourceURL: $(SOURCE_URL)|' $(PACKAGES)/checkout/values.yaml)
	tar -C $(PACKAGES) -czf $(PACKAGES)/chart.tgz checkout

test-k8s: ## test the chart on a real cluster under load; see test/k8s/main.go
	@$(GO) build $(LDFLAGS) -o bin/test-k8s ./test/k8s
	@exec bin/test-k8s $(if $(REPORT),-o $(REPORT))

bench: deps ## measure speed for 4 to 7 minutes; the report goes to bin/bench, with KEEP=1 to docs/results/bench
	$(GO) run ./test/bench -o $(if $(KEEP),docs/results/bench,bin/bench)

bench-check: deps ## measure speed and fail if a ratio is over 15 % worse than in docs/results/bench/figures.json
	$(GO) run ./test/bench -o bin/bench -check docs/results/bench/figures.json

.PHONY: bench-compare simulate
bench-compare: deps ## measure other implementations of the API in turn with ours; URL="http://localhost:8001 …" NAME="a …" PIDS="1,2;3" ROUNDS=5, report to bin/compare.md
	$(GO) run ./test/bench -compare "$(URL)" -names "$(NAME)" -pids "$(PIDS)" -slices $(or $(ROUNDS),5) $(if $(OURS),-gateway $(OURS)) -o bin

simulate: ## predict the rate and the cost of systems with 1 to 256 shards, from measured costs
	$(GO) run ./test/simulate

kills: deps ## repeat the consistency run with a SIGKILL of each component; KILLS=n runs for each
	$(GO) test ./test/e2e -run TestConsistencyWithKills -kills $(or $(KILLS),5) -timeout 10h -v

stress: deps ## simulate users with Locust; USERS=n, DURATION=30s, GATEWAY_URL of a running system
	@$(GO) build $(LDFLAGS) -o bin/up ./test/up
	@if [ -n "$$GATEWAY_URL" ]; then test/stress/run; else bin/up -exec test/stress/run; fi

clean: ## remove build output, but never data/
	rm -rf bin
