# "make help" lists the targets with the text after ##.

# Tools have a module of their own, so that their dependencies do not raise the
# versions of the product's.
TOOL := go tool -modfile=tools/go.mod

# The toolchain that go.mod pins, whatever the environment has: earlier patch
# releases have known vulnerabilities.
export GOTOOLCHAIN := $(shell awk '/^toolchain/ { print $$2 }' go.mod)+auto
PACKAGES ?= ./...
FUZZTIME ?= 5s
# How tests run under the race detector. It finds more if their order varies.
ifneq ($(RACE),)
export CGO_ENABLED := 1
HOW := -race -shuffle=on
endif

.DEFAULT_GOAL := help
.PHONY: help ci test race browser picture clients soak mutations bench lint words deadcode recipes vuln licences fmt fuzz-smoke conform golden manifests sizes demo needs needs-browser hooks

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

ci: ## run what the pipeline runs: the steps in .ci/run
	@.ci/run

test: needs ## run the tests that need only redis-server and PostgreSQL; installs them if they are missing; RACE=1 adds the race detector
ifneq ($(RACE),)
	@scripts/install-needs race
endif
	@scripts/test $(HOW) -timeout 10m $(PACKAGES)
ifeq ($(PACKAGES),./...)
	@cd bench && ../scripts/test $(HOW) -timeout 8m ./...
endif

race: ## run the same tests under the race detector, in random order; installs a C compiler if there is none
	@$(MAKE) test RACE=1

soak: needs ## run the tests that take too long for every change (build tag soak)
	@scripts/test -tags soak -run Soak -timeout 2h $(PACKAGES)
ifeq ($(PACKAGES),./...)
	@cd bench && ../scripts/test -tags soak -run Soak -timeout 1h ./...
endif

mutations: needs ## read 10,000 mutated lists with the client, and 500 through worker, cache and board (build tag soak)
	@scripts/test -tags soak -v -run 'SoakMutatedLists|SoakBoardsSurvive' -timeout 30m ./integrations/tebra ./internal/app

bench: ## measure NAME and compare it with its peer and floor; without NAME, list the benches
	@go run -C bench . $(NAME)

clients: needs ## run the Python and TypeScript clients against a real gateway; lint the OpenAPI document
	@scripts/install-needs clients
	@scripts/clients

lint: words deadcode ## refuse retired words and dead code; run vet and golangci-lint on all modules; check commit subjects
	@go vet -tags soak,browser,clients,recipes ./...
	@$(TOOL) golangci-lint run
	@cd deploy/test && go tool -modfile=../../tools/go.mod golangci-lint run
	@cd bench && go vet ./... && go tool -modfile=../tools/go.mod golangci-lint run
	@cd tools && go tool golangci-lint run
	@scripts/subjects

words: ## refuse retired words in comments, texts, documents and names; PATHS="internal/flow docs" checks a part
	@scripts/install-needs lint
	@go run -C tools ./words $(PATHS)

deadcode: ## refuse functions under internal/ that no program reaches and tools/deadcode.txt does not explain
	@scripts/deadcode

recipes: needs ## follow the recipes of CONTRIBUTING.md in a copy of the repository (build tag recipes)
	@scripts/test -tags recipes -run Recipes -timeout 10m .

vuln: ## refuse known vulnerabilities that programs or tests reach; the database is a Go module
	@scripts/vuln

licences: ## compare the licences of all dependencies with docs/licences.txt, and refuse one that is not allowed
	@go run -C tools ./licences

fmt: ## format all Go files
	@$(TOOL) golangci-lint fmt

browser: needs-browser tools/browser/node_modules ## test the operators' pages in Chromium (build tag browser); installs it, and axe-core from npm, if they are missing
	@scripts/test -tags browser -run '^TestBrowser' -timeout 5m ./internal/monitor/

picture: browser ## make the README's picture of the operators' page from the browser tests
	@cp artefacts/monitor/Now-light.png docs/now.png

needs-browser:
	@scripts/install-needs test browser

tools/browser/node_modules: tools/browser/package-lock.json | needs-browser
	@scripts/npm-ci tools/browser
	@touch $@

fuzz-smoke: needs ## run every fuzz target for $(FUZZTIME)
	@scripts/fuzz-smoke $(FUZZTIME)

conform: ## call every operation of the simulator with an independent SOAP client; installs Debian's python3-zeep
	@scripts/install-needs conform
	@scripts/conform

golden: needs ## rewrite the golden files and show what changed
	@scripts/golden

manifests: needs ## check the compose file, the Cloud Run manifests, the image and the Redis ACLs; run the stack and a day under the ACLs
	@cd deploy/test && go vet . && go test -timeout 10m .
	@go vet -tags deploy ./internal/daycheck
	@scripts/test -tags deploy -run ACL -timeout 5m ./internal/daycheck

sizes: ## print how long a cold build takes and how large the programs are
	@scripts/sizes

demo: ## run a practice in one process: simulator, worker, scheduler, cache
	@go run ./cmd/rounds demo

needs: ## install the system packages that the tests need and that are missing
	@scripts/install-needs test

hooks: ## let git check each commit and its subject
	@git config core.hooksPath .githooks
	@echo "git now runs .githooks/pre-commit and .githooks/commit-msg for each commit"
