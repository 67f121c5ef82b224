# What people and the pipeline call. `make` alone lists it.

CARGO ?= cargo
# One profile and one set of features for every build but those that measure, so that nothing is compiled twice: what `make demo`
# has built, `make test` does not build again.
FEATURES := --features cut-points
# Where `make cluster` keeps its cluster; short, since unix sockets lie in it.
CLUSTER ?= /tmp/interlock-cluster
CLUSTER_SCRIPTS := $(addprefix tests/cluster/,build up down image check demo $(addprefix lib/,common contained control-plane \
  network node recorded))

SCRIPTS := .ci/run .ci/install tests/run tests/suites tests/scheduler/check tests/scheduler/suites tests/programs/build $(CLUSTER_SCRIPTS)

# What `make validate-sequences` reads.
DOCUMENTS := README.md ARCHITECTURE.md CONTRIBUTING.md CHANGELOG.md docs runbooks scenarios

.DEFAULT_GOAL := help
.PHONY: help demo demo-cluster test soak drills fuzz bench bench-cluster lint validate-sequences man install cluster cluster-down

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Start the lab, switch over, break it, and see it put back
	@.ci/install prometheus || echo "going on without: the lab then reads its counters directly"
	@.ci/install postgresql || echo "going on without: no database is drilled then"
	$(CARGO) build $(FEATURES) --bin interlock
	target/debug/interlock lab demo

demo-cluster: ## The same on a real Kubernetes, as root; its cluster is built from source once, and ended afterwards
	$(CARGO) build $(FEATURES) --bin interlock
	@tests/cluster/up $(CLUSTER) && trap 'tests/cluster/down $(CLUSTER)' EXIT && \
	  tests/cluster/image $(CLUSTER) interlock/interlock:1 target/debug/interlock && \
	  tests/cluster/demo $(CLUSTER) target/debug/interlock

test: ## Run every suite beside the others, each under a deadline
	@tests/run

soak: ## Run every suite at length: all pairs of cuts, long loads
	@INTERLOCK_SOAK=1 tests/run

drills: ## Every drill of scenarios/drill on real clusters, and one of them twenty times in a row; half an hour
	@INTERLOCK_DRILLS=all tests/run sql

bench: ## Measure decision, gateway, startup, sequence and ledger against their bars; run it alone
	@failed=; for bench in decision gateway startup sequence ledger; do \
	  $(CARGO) bench --bench $$bench || failed="$$failed $$bench"; \
	done; [ -z "$$failed" ] || { echo "bars missed in:$$failed"; exit 1; }

bench-cluster: ## Measure switches on a real Kubernetes beside kubectl, as root; run it alone
	@tests/cluster/up $(CLUSTER) && trap 'tests/cluster/down $(CLUSTER)' EXIT && \
	  $(CARGO) bench --bench cluster --no-run && \
	  tests/cluster/image $(CLUSTER) interlock/interlock:1 target/release/interlock && \
	  INTERLOCK_TEST_CLUSTER=$(CLUSTER) $(CARGO) bench --bench cluster

lint: ## Check format, lints and scripts; the suite lean builds without the lab
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets $(FEATURES) -- -D warnings
	for script in $(SCRIPTS); do bash -n $$script || exit 1; done

fuzz: ## Change every byte of every diagram of the corpus to all 255 others
	INTERLOCK_FUZZ=all $(CARGO) test --release $(FEATURES) --test sequence bad_input

validate-sequences: ## Check the project's own documents: diagrams, links, paths, identifiers
	$(CARGO) run --quiet $(FEATURES) --bin interlock -- sequence lint $(DOCUMENTS) --deny warnings

cluster: ## Start a real Kubernetes cluster to play with, as root; built from source once
	tests/cluster/up $(CLUSTER)
	@echo
	@echo "use it:       export KUBECONFIG=$(CLUSTER)/kubeconfig PATH=$(CLUSTER)/bin:\$$PATH"
	@echo "              kubectl get pods --all-namespaces"
	@echo "add an image: tests/cluster/image $(CLUSTER) NAME PROGRAM"
	@echo "end it:       make cluster-down"

cluster-down: ## End that cluster, and delete all that belongs to it
	tests/cluster/down $(CLUSTER)

man: ## Write the manual pages to target/man
	$(CARGO) run --quiet $(FEATURES) --bin interlock -- man target/man
	@echo "man -l target/man/interlock.1"

install: ## Install what the suites need beside Rust
	@.ci/install prometheus prometheus-alertmanager postgresql patroni python3-psycopg2 python3-etcd etcd-server mariadb-server
