# Only names the verbs; meson and ninja do the work. Each verb installs what it needs first.
.POSIX:
.PHONY: all build demo test bench fuzz torture lint screenshots install clean

all: build

build:
	@scripts/install-deps.sh build
	@scripts/build.sh build

demo: build
	@scripts/demo.sh

test:
	@scripts/install-deps.sh build test
	@scripts/test.sh

bench:
	@scripts/install-deps.sh build bench
	@scripts/build.sh build
	@bench/run.sh

fuzz:
	@scripts/install-deps.sh build fuzz
	@scripts/fuzz.sh

torture:
	@scripts/install-deps.sh build test torture
	@scripts/torture.sh

lint:
	@scripts/install-deps.sh build test lint
	@scripts/lint.sh

screenshots:
	@scripts/install-deps.sh build test
	@scripts/screenshots.sh

install: build
	@meson install -C build --no-rebuild

clean:
	@rm -rf build build-* dashboard/.cache
