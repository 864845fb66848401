#!/usr/bin/env bash
# All checks, in the order in which they fail fastest. Called by `make test`; `fast` leaves the lab out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=${1:-all}
lab_dir=${SURVEYOR_LAB_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/surveyor-lab}
venv=$lab_dir/cache/venv/bin
tools=$lab_dir/cache/cargo-tools
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
deny_version=0.20.2

headline() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

headline "formatting and lints"
cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings

if [[ $mode == all ]]; then
    headline "lab: a real NetBox, Unbound, sshd, SNMP agents, RouterOS and Proxmox peers"
    # The first time, NetBox migrates for minutes on one core: what has to be compiled is compiled meanwhile.
    compile_for_later() {
        if [[ ! -x $tools/bin/cargo-deny ]]; then
            echo "installing the cargo tool cargo-deny $deny_version into $tools"
            cargo install --quiet cargo-deny --version "$deny_version" --locked --no-default-features --root "$tools"
        fi
        cargo build --locked --tests
    }
    trap wait EXIT
    compile_for_later &
    compiling=$!
    python3 tests/lab/lab.py up --instance e2e --fresh
    python3 tests/lab/lab.py install browser
    python3 tests/lab/lab.py install dhcp
    wait "$compiling"

    headline "dependencies: licences, bans, sources, advisories"
    "$tools/bin/cargo-deny" --locked check --hide-inclusion-graph bans licenses sources

    # The advisory database comes from the network: without it the check is skipped, and says so.
    if ! "$tools/bin/cargo-deny" --locked check advisories 2>"$lab_dir/advisories.log"; then
        if grep -qiE "failed to fetch|unable to fetch|failed to (clone|open)|network|resolve|connect" "$lab_dir/advisories.log"; then
            echo "advisories: skipped, the advisory database cannot be reached"
        else
            cat "$lab_dir/advisories.log"
            exit 1
        fi
    fi

    headline "ruff"
    "$venv/ruff" check tests netbox-scripts
    "$venv/ruff" format --check tests netbox-scripts

    # Where Rust tests find the lab.
    export SURVEYOR_LAB=$lab_dir/run/lab.json
    SURVEYOR_TEST_POSTGRES=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["postgres"]["store_url"])' "$SURVEYOR_LAB")
    export SURVEYOR_TEST_POSTGRES
    # The SNMP agents run as nobody and load their ciphers late: from a folder that nobody may read.
    snmpsim=/var/tmp/surveyor-snmpsim
    if [[ ! -x $snmpsim/bin/snmpsim-command-responder ]]; then
        echo "installing the SNMP agents of the tests (snmpsim, pysmi, cryptography) into $snmpsim"
        /usr/bin/python3 -m venv "$snmpsim"
        "$snmpsim/bin/pip" install --quiet --requirement tests/lab/requirements-snmpsim.txt
    fi
    export SURVEYOR_SNMPSIM=$snmpsim/bin/snmpsim-command-responder
fi

# Parsers and codecs are fuzzed by properties: 256 random cases each, or with SURVEYOR_FULL=1 a hundred times as many.
if [[ ${SURVEYOR_FULL:-} == 1 ]]; then
    export PROPTEST_CASES=${PROPTEST_CASES:-25600}
fi

rust_tests="cargo test --locked"
if cargo nextest --version >/dev/null 2>&1; then
    # More threads than cores: many tests wait for a device that does not answer.
    rust_tests="cargo nextest run --locked --no-fail-fast --status-level fail --test-threads 4"
fi

if [[ $mode == all ]]; then
    headline "lab tests"
    "$venv/python" -m pytest -q tests/lab

    headline "Rust tests, and beside them the end-to-end tests"
    cargo build --locked
    export SURVEYOR_BIN=$target/debug/surveyor
    "$venv/python" tests/e2e/side_by_side.py --first "$rust_tests"
else
    headline "Rust tests"
    $rust_tests
fi
headline "all passed"
