# shellcheck shell=bash
# The steps of scripts/check, scripts/coverage and scripts/test: each is defined once, here, and is run from the clone's
# root with try_step or need_step. Every step fails by its exit code and explains how to fix the failure if that is not
# obvious.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The output of the tests, and the list of the programs for the coverage report.
TEST_LOG=$TARGET_DIR/outboard-test.log
WEB_TEST_LOG=$TARGET_DIR/outboard-web-test.json
OBJECTS=$TARGET_DIR/coverage-objects.txt
COVERAGE_DIR=$ROOT/coverage
# Minimum coverage of the host, its crates and the components, in per cent of lines.
COVERAGE_MIN=${OUTBOARD_COVERAGE_MIN:-90}
# End-to-end tests run in real time and mostly wait, so more of them run at once than there are cores.
TEST_THREADS=${OUTBOARD_TEST_THREADS:-6}
# Seconds to wait for an external server; without it, the steps that need it are skipped.
REACH_SECONDS=${OUTBOARD_REACH_SECONDS:-30}
# Minutes after which the whole test run is ended, so that a test that hangs does not block CI.
TEST_TIMEOUT_MINUTES=${OUTBOARD_TEST_TIMEOUT_MINUTES:-40}

# Named <kind>-<policy>; shared crates are beside them under a plain name.
component_names() {
  local manifest
  for manifest in components/*-*/Cargo.toml; do basename "$(dirname "$manifest")"; done
}

# === checks ===

step_setup() { scripts/setup "$1"; }

# A workspace of its own: the faulty guests of the tests.
GUESTS=tests/guests/Cargo.toml

step_format() {
  cargo fmt --all --check
  if [ -f $GUESTS ]; then cargo fmt --all --check --manifest-path $GUESTS; fi
  cargo fmt --all --check --manifest-path tests/fuzz/Cargo.toml
}

step_shell() {
  if ! have shellcheck; then
    say "shellcheck is not installed: skipped (apt-get install shellcheck)"
    return 0
  fi
  local file
  local -a scripts=()
  for file in scripts/* .ci/*; do
    [ -f "$file" ] || continue
    case $file in
      *.sh) scripts+=("$file") ;;
      *) case $(head -n 1 "$file") in '#!'*bash | '#!'*/sh) scripts+=("$file") ;; esac ;;
    esac
  done
  shellcheck --external-sources "${scripts[@]}"
}

deny() { cargo-deny --all-features --log-level warn "$@"; }

# Steps that need an external server are skipped with a message if it is unreachable.
step_deny() {
  deny check --hide-inclusion-graph licenses bans sources
  step_advisories
  step_npm_signatures
}

# Known vulnerabilities of the crates in Cargo.lock, from RustSec's repository.
step_advisories() {
  if timeout "$REACH_SECONDS" cargo-deny --all-features --log-level off fetch db >/dev/null 2>&1; then
    deny check --disable-fetch --hide-inclusion-graph advisories
  else
    warn "advisories were NOT checked: the database of RustSec is unreachable"
  fi
}

# Checks the signatures of the packages in the npm locks against their registry. A package with a wrong signature is a
# failure; one without (from a mirror) is reported.
step_npm_signatures() {
  local lock out rc
  for lock in web/package-lock.json tests/*/package-lock.json tests/*/*/package-lock.json; do
    [ -d "${lock%/*}/node_modules" ] || continue
    rc=0
    out=$(cd "${lock%/*}" && timeout "$REACH_SECONDS" npm audit signatures 2>&1) || rc=$?
    case $rc,$out in
      0,*) ;;
      *invalid*signature* | *invalid*attestation*)
        fail "$out"
        return 1
        ;;
      124,* | *,)
        warn "signatures of npm packages were NOT checked: the registry's keys are unreachable"
        return 0
        ;;
      *) warn "$lock: signatures were NOT checked: $(tail -n 1 <<<"$out")" ;;
    esac
  done
}

# Rust components, and the faulty guests of the tests. Not instrumented: the components' native tests measure the code
# that runs in Wasm.
step_components() { scripts/components --guests; }

# The pages that the host embeds; fails if a package in them has a licence that is not allowed.
step_web() { scripts/web; }

step_web_lint() {
  cd web
  npm run --silent check
  npm run --silent lint
}

# Fails if files of one crate use each other in a circle.
step_circles() {
  local manifest
  local -a crates=(host)
  for manifest in host/*/Cargo.toml; do crates+=("$(dirname "$manifest")"); done
  python3 scripts/module-circles.py "${crates[@]}"
}

step_clippy() { cargo clippy --workspace --all-targets --locked -- -D warnings; }

# Includes private items, because contributors follow links between them.
step_doc() {
  RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" \
    cargo doc --workspace --no-deps --document-private-items --locked --quiet
}

# Builds the components for Wasm: code behind cfg(target_arch = "wasm32") is only compiled here. Uses the profile and
# folder of scripts/components, so that their macros are built once.
step_clippy_wasm() {
  local name
  local -a packages=() common=(--target "$WASM_TARGET" --profile component --target-dir "$TARGET_DIR/components" --locked)
  for name in $(component_names); do packages+=(-p "$name"); done
  cargo clippy "${packages[@]}" "${common[@]}" -- -D warnings
  if [ -f $GUESTS ]; then cargo clippy --manifest-path $GUESTS --workspace "${common[@]}" -- -D warnings; fi
}

# Builds every package alone, without the features that other packages enable in its dependencies: first with its
# default features, then with each of the others alone. tests/alone gives dependencies of dependencies the features that
# they have in the whole workspace, so that they are not built again for each package.
step_alone() {
  local package feature
  while read -r package feature; do
    say "$package${feature:+ with the feature $feature alone}"
    # shellcheck disable=SC2086 # no word where there is no feature
    cargo check --quiet --locked --package "$package" --package outboard-tests-alone \
      ${feature:+--no-default-features --features "$package/$feature"}
  done < <(packages_and_features)
}

# Prints a line for each package of the workspace, and one for each of its features: "package [feature]".
packages_and_features() {
  # shellcheck disable=SC2016 # the dollars are JavaScript's
  cargo metadata --no-deps --locked --format-version 1 | node -e '
    const { packages } = JSON.parse(require("fs").readFileSync(0));
    for (const { name, features } of packages)
      for (const feature of ["", ...Object.keys(features).filter((one) => one !== "default")])
        console.log(`${name} ${feature}`.trim());'
}

# === tests ===

# Installs the servers and clients in other languages that the tests use, as pinned by their lock files. Skipped if
# nothing has changed.
step_processors() {
  local dir
  for dir in tests/processors/node tests/clients/node tests/browser; do
    if [ -f $dir/package-lock.json ]; then node_packages $dir; fi
  done
  for dir in tests/processors/python tests/clients/python; do
    if [ -f $dir/requirements.txt ]; then python_packages $dir; fi
  done
}

node_packages() {
  local stamp=$1/node_modules/.installed
  if [ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint "$1/package-lock.json")" ]; then
    (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    fingerprint "$1/package-lock.json" >"$stamp"
  fi
}

python_packages() {
  local stamp=$1/.venv/.installed
  if [ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint "$1/requirements.txt")" ]; then
    python3 -m venv --clear "$1/.venv"
    "$1/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$1/requirements.txt"
    fingerprint "$1/requirements.txt" >"$stamp"
  fi
}

# Sets the environment in which cargo builds this workspace's crates with counters. Dependencies are not instrumented
# and are shared with the plain build.
coverage_environment() {
  eval "$(cargo-llvm-cov llvm-cov show-env --sh --no-cfg-coverage 2>/dev/null)"
  # %m: one file per program, shared by all its processes. %c: counted at once, not at exit.
  export LLVM_PROFILE_FILE="$TARGET_DIR/outboard-%m%c.profraw"
  export RUSTC_WORKSPACE_WRAPPER="$ROOT/scripts/rustc-coverage"
}

# Builds programs and tests once, with counters; also target/debug/outboard, which the end-to-end tests start.
step_build() {
  coverage_environment
  mkdir -p "$TARGET_DIR"
  local messages=$TARGET_DIR/coverage-build.json
  cargo build --workspace --all-targets --locked --message-format=json-render-diagnostics >"$messages"
  # Programs of an earlier coverage build would be read too, with lines that have moved since: they are removed.
  local stale
  grep -o '"executable":"[^"]*"' "$messages" | cut -d'"' -f4 | sort -u >"$OBJECTS.new"
  if [ -f "$OBJECTS" ]; then
    comm -23 "$OBJECTS" "$OBJECTS.new" | while IFS= read -r stale; do rm -f "$stale" "$stale".d; done
  fi
  mv "$OBJECTS.new" "$OBJECTS"
}

# Builds the projects of `outboard stage new` for the tests, with the tools of their languages.
step_stages() { scripts/stages; }

# bounded MINUTES LOG COMMAND...: runs a command with its output on the screen and in LOG, in its own process group, so
# that its children end with it, also after a timeout, Ctrl-C or TERM.
bounded() {
  local minutes=$1 log=$2 rc=0 runner watchdog
  shift 2
  # Job control gives background jobs their own group, and does not make them ignore Ctrl-C's signal.
  set -m
  (
    set -o pipefail
    "$@" 2>&1 | tee "$log"
  ) </dev/null &
  runner=$!
  (
    sleep $((minutes * 60))
    echo "ended after $minutes minutes" >>"$log"
    kill -TERM -- "-$runner"
    sleep 10
    kill -KILL -- "-$runner"
  ) >/dev/null 2>&1 </dev/null &
  watchdog=$!
  set +m
  trap 'kill -TERM -- "-$runner" "-$watchdog" 2>/dev/null; exit 130' INT TERM
  wait "$runner" || rc=$?
  trap - INT TERM
  kill -KILL -- "-$watchdog" 2>/dev/null || true
  wait "$watchdog" 2>/dev/null || true
  if tail -n 1 "$log" | grep -q '^ended after'; then fail "the run was $(tail -n 1 "$log")"; fi
  return "$rc"
}

# test_programs ARGUMENTS of the test programs...
test_programs() { cargo test --workspace --all-targets --no-fail-fast --locked -- "$@"; }

# The tests of the module `alone` load the whole machine: they run after the others, one at a time.
all_tests() {
  local rc=0
  test_programs --test-threads="$TEST_THREADS" --skip alone:: || rc=$?
  test_programs --test-threads=1 alone:: || rc=$?
  return "$rc"
}

# The optimised build for tests that measure time: the one that OUTBOARD_RELEASE_BINARY names, else that of scripts/demo
# or scripts/release, if no source has changed since. Empty if there is none, because building it takes ten minutes.
optimised_build() {
  local program=$TARGET_DIR/release/outboard newer
  if [ -n "${OUTBOARD_RELEASE_BINARY:-}" ]; then
    echo "$OUTBOARD_RELEASE_BINARY"
    return
  fi
  [ -x "$program" ] && [ -f "$program.d" ] || return 0
  # cargo's list of all source files; a missing one makes find fail.
  # shellcheck disable=SC2016 # the dollars are the inner shell's
  newer=$(sed 's/^[^:]*: *//' "$program.d" | xargs sh -c 'find "$@" -newer "$0"' "$program" 2>/dev/null) || return 0
  [ -n "$newer" ] || echo "$program"
}

# step_tests [NAMES...]: all tests, or those whose names contain one of these.
step_tests() {
  coverage_environment
  rm -f "$TARGET_DIR"/*.profraw
  OUTBOARD_RELEASE_BINARY=$(optimised_build)
  export OUTBOARD_RELEASE_BINARY
  [ -n "$OUTBOARD_RELEASE_BINARY" ] ||
    warn "no optimised build of these sources (scripts/release makes one): the limit for gaps under attack is 1 s instead of 100 ms"
  local -a tests=(all_tests)
  [ $# -eq 0 ] || tests=(test_programs --test-threads="$TEST_THREADS" "$@")
  bounded "$TEST_TIMEOUT_MINUTES" "$TEST_LOG" "${tests[@]}"
}

# step_web_tests [NAMES...]: the unit tests of the pages' code.
step_web_tests() {
  mkdir -p "$TARGET_DIR"
  local names
  names=$(
    IFS='|'
    echo "$*"
  )
  cd web
  npm run --silent test -- --reporter=default --reporter=json --outputFile.json="$WEB_TEST_LOG" \
    ${names:+--testNamePattern="$names"}
}

# "passed failed" of the last step_web_tests.
web_tests_counted() {
  [ -f "$WEB_TEST_LOG" ] || {
    echo "0 0"
    return
  }
  # shellcheck disable=SC2016 # the dollars are JavaScript's
  node -p 'const run = JSON.parse(require("fs").readFileSync(process.argv[1])); `${run.numPassedTests} ${run.numFailedTests}`' \
    "$WEB_TEST_LOG"
}

# The output of the failing tests, and the last lines of a test program that ended before its summary. Printed last, so
# that a log that is truncated in the middle keeps it: 40 lines of each test's output, 200 in total.
tests_told() {
  [ -f "$TEST_LOG" ] || return 0
  awk '
    /^---- .* stdout ----$/ { left = 40 }
    /^stack backtrace:$/ || (/^failures:$/ && told) { left = 0 }
    left > 0 { print; left--; told = 1 }
    /^error: test failed/ { for (n = NR - 20; n < NR; n++) print last[n % 20]; print }
    /^  process didn.t exit|^ended after/ { print }
    { last[NR % 20] = $0 }
  ' "$TEST_LOG" | head -n 200 | cut -c 1-400
}

# "passed failed", summed over all test programs of the last run.
tests_counted() {
  [ -f "$TEST_LOG" ] || {
    echo "0 0"
    return
  }
  awk '/^test result:/ {
    for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) passed += $(i - 1); if ($i ~ /^failed/) failed += $(i - 1) }
  } END { print passed + 0, failed + 0 }' "$TEST_LOG"
}

# === coverage ===

# step_coverage [--no-minimum] [--html] [--readme]: writes coverage/lcov.info and coverage/summary.txt from the counters
# of the last step_tests.
step_coverage() {
  coverage_environment
  mkdir -p "$COVERAGE_DIR"
  local minimum=$COVERAGE_MIN html='' readme=''
  while [ $# -gt 0 ]; do
    case $1 in
      --no-minimum) minimum=0 ;;
      --html) html=yes ;;
      --readme) readme=README.md ;;
    esac
    shift
  done
  cargo-llvm-cov llvm-cov report --lcov --output-path "$COVERAGE_DIR/lcov.info"
  [ -z "$html" ] || cargo-llvm-cov llvm-cov report --html --output-dir "$COVERAGE_DIR"
  python3 scripts/coverage-table.py "$COVERAGE_DIR/lcov.info" --root "$ROOT" --min "$minimum" \
    --summary "$COVERAGE_DIR/summary.txt" ${readme:+--readme "$readme"}
}
