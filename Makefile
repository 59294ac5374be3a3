# The commands a newcomer needs. Everything they need they install themselves: see .ci/setup.
.PHONY: run test service-test crash-test browser-test check lint browser-lint accessibility release-test screens pictures bench soak kill-test fuzz audit sdk-check build setup
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
RELEASED_SITE := cargo leptos build --release --frontend-only --precompress --split --lib-features split

## make run    builds, fills a demo and starts everything; DATABASE_URL=postgres://… uses PostgreSQL
run: build
	. .ci/env.sh
	exec target/debug/switchyard demo

build: setup
	. .ci/env.sh
	cargo leptos build

setup:
	.ci/setup build

## make check  formatting, lints of server and browser code, warnings denied
check: lint browser-lint

lint: setup
	. .ci/env.sh
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

# All but a few lines of it are linted above, too, as the server's: it is for who changes these.
browser-lint: setup
	. .ci/env.sh
	cargo clippy --package app --lib --no-default-features --features split --target wasm32-unknown-unknown -- -D warnings

## make test   every test but those of `make accessibility`, on SQLite and on a private PostgreSQL, then Playwright in a real Chromium;
##             or one of its three parts
test: service-test crash-test browser-test

service-test: build
	.ci/setup test
	. .ci/env.sh
	# Most tests wait for a disk or another process: more of them than cores.
	.ci/postgres run cargo test --workspace -- --test-threads 6

# Real processes and real seconds: by themselves.
crash-test: build
	.ci/setup test
	. .ci/env.sh
	.ci/postgres run cargo test --workspace --test it kill_test:: -- --ignored --skip as_told --test-threads 1

browser-test: build
	.ci/setup test
	. .ci/env.sh
	npx playwright test --config end2end/playwright.config.ts --grep-invert @every-state

## make accessibility  every screen, in the states that matter and both themes, before axe (WCAG 2.2 AA): a quarter of an hour
accessibility: build
	.ci/setup test
	. .ci/env.sh
	npx playwright test --config end2end/playwright.config.ts axe.spec.ts

## make release-test  Playwright on the console as a release has it: optimised, each room of screens a file of its own
release-test: build
	.ci/setup test
	. .ci/env.sh
	$(RELEASED_SITE)
	npx playwright test --config end2end/playwright.config.ts --grep-invert @every-state

## make screens  takes the pictures anew that the tests compare the screens with: both themes, two widths
screens: build
	.ci/setup test
	. .ci/env.sh
	npx playwright test --config end2end/playwright.config.ts end2end/tests/screens.spec.ts --update-snapshots=all

## make pictures  takes the README's pictures anew
pictures: build
	.ci/setup test
	. .ci/env.sh
	npx playwright test --config end2end/pictures.config.ts

## make bench  the speed figures: SCALE=full for the sizes of the goals, ONLY=hold for one. ONLY=interaction and ONLY=lighthouse need
##             npm's packages and Chromium (.ci/setup test), ONLY=django needs PyPI's: they run only so, and say what is missing
bench: setup
	. .ci/env.sh
	$(RELEASED_SITE)
	WASM_BROTLI=$$(node bench/wasm.mjs target/site/pkg)
	export WASM_BROTLI
	.ci/postgres run cargo run --release --package bench

# Runs the test of a module whose size the environment says.
define as_told
	. .ci/env.sh
	told=(cargo test --quiet --workspace --test it -- --ignored --exact $(1)::as_told_by_the_environment --nocapture)
	if [ "$${ENGINE:-sqlite}" = postgres ]; then exec .ci/postgres run "$${told[@]}"; fi
	# Workers die in it, machines do not: the databases may lie in memory.
	if [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi
	exec "$${told[@]}"
endef

## make soak   random schedules of crashes and faults, counted: SCHEDULES=1000 SEED=7, BREAK=<guard>, ENGINE=postgres
soak: setup
	$(call as_told,soak)

## make kill-test  workers of a line's transfer killed while everybody writes, counted: ROUNDS=50 SEED=3, MESSAGES=100000, BREAK=<guard>, ENGINE=postgres
kill-test: setup
	$(call as_told,kill_test)

## make fuzz   the fuzz targets for long: TARGET=posts for one, SECONDS_EACH=3600
fuzz: setup
	. .ci/env.sh
	.ci/setup fuzz
	# cargo-fuzz puts flags of its own in the place of .cargo/config.toml's, and the screens compile ten times as long without this one.
	export RUSTFLAGS="--cfg erase_components"
	# The same versions as the program's, in a workspace of its own. The code is safe Rust: no sanitizer, and so no nightly, is needed.
	cp Cargo.lock fuzz/long/Cargo.lock
	cd fuzz
	for target in $${TARGET:-carrier ringcentral api phones cursors posts cells consents exports}; do
	  mkdir -p long/corpus/$$target
	  cargo fuzz run --fuzz-dir long --sanitizer none $$target long/corpus/$$target seeds/$$target -- -max_total_time=$${SECONDS_EACH:-600} -max_len=60000
	done

## make audit  known holes, licences and origins of what we build on; says what could not be reached
audit: setup
	.ci/audit

## make sdk-check  drives the sandbox with RingCentral's own SDKs: two for JavaScript, one for Python
sdk-check: setup
	. .ci/env.sh
	cargo build --package server
	cd end2end/sdk
	cmp -s package.json node_modules/.package.stamp || {
	  npm install --silent --no-audit --no-fund --no-package-lock
	  cp package.json node_modules/.package.stamp
	}
	cd ../..
	python=target/sdk-check/bin/python
	[ -x $$python ] || python3 -m venv target/sdk-check
	$$python -c 'import ringcentral' 2>/dev/null || $$python -m pip install --quiet --requirement end2end/sdk/requirements.txt
	node end2end/sdk-check.mjs target/debug/switchyard $$python
