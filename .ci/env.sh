# Sourced by the Makefile, .ci/setup and .ci/audit: which toolchain, and where its tools are.
# It installs nothing and may be sourced at any time; `.ci/setup` makes what it points at.

SWITCHYARD_ROOT=${SWITCHYARD_ROOT:-$(git rev-parse --show-toplevel 2>/dev/null || pwd)}
SWITCHYARD_TOOLS=${SWITCHYARD_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/switchyard-tools}
export SWITCHYARD_ROOT SWITCHYARD_TOOLS

# Versions of the drivers. wasm-bindgen must be exactly the one in Cargo.lock: it is read from there.
CARGO_LEPTOS_VERSION=0.3.11
CARGO_FUZZ_VERSION=0.13.2
CARGO_DENY_VERSION=0.20.2
CARGO_AUDIT_VERSION=0.22.2
export CARGO_DENY_VERSION CARGO_AUDIT_VERSION
WASM_BINDGEN_VERSION=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' "$SWITCHYARD_ROOT/Cargo.lock" 2>/dev/null)
LEPTOS_TAILWIND_VERSION=v4.3.5
export LEPTOS_TAILWIND_VERSION

# Where rustup may not download (RUSTUP_AUTO_INSTALL=0) the distribution's toolchain does all the work.
if [ "${RUSTUP_AUTO_INSTALL:-1}" = 0 ] || ! command -v rustup >/dev/null 2>&1; then
  SWITCHYARD_TOOLCHAIN=distribution
  export RUSTUP_TOOLCHAIN=debian
else
  SWITCHYARD_TOOLCHAIN=rustup
fi
export SWITCHYARD_TOOLCHAIN

# installed <tool> <version>: whether it is there, in this version.
installed() { "$SWITCHYARD_TOOLS/bin/$1" --version 2>/dev/null | grep -qF " $2"; }

export PATH="$SWITCHYARD_TOOLS/bin:$SWITCHYARD_ROOT/node_modules/.bin:$PATH"
