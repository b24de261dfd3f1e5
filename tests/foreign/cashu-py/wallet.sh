#!/bin/sh
# Drives a running mint with the wallet `cashu` (Nutshell), a second implementation of the protocol.
# Usage: VENV=path wallet.sh MINT_URL. One line per check; exits 1 at the first that fails.
set -eu
[ $# -eq 1 ] || { echo "usage: VENV=path wallet.sh MINT_URL" >&2; exit 2; }
url=$1
cashu=${VENV:?"set VENV to the environment that python.sh made"}/bin/cashu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# Each wallet is a folder; Tor and tokens from the environment of the caller stay out.
wallet() {
    folder=$work/$1
    shift
    env -i PATH="$PATH" HOME="$folder" LANG=C.UTF-8 TOR=FALSE CASHU_DIR="$folder" MINT_URL="$url" \
        "$cashu" -h "$url" -y "$@" 2>&1
}

check() {
    if [ "$2" = yes ]; then
        echo "ok $1"
    else
        echo "FAILED $1: $3"
        exit 1
    fi
}

contains() {
    case $1 in *"$2"*) echo yes ;; *) echo no ;; esac
}

out=$(wallet alice invoice 64) || true
out=$(wallet alice balance) || true
check "mint 64 sat" "$(contains "$out" "64 sat")" "$out"

out=$(wallet alice send 21) || true
token=$(printf '%s\n' "$out" | grep -o 'cashu[AB][A-Za-z0-9_=-]*' | head -n 1)
check "send 21 sat" "$([ -n "$token" ] && echo yes || echo no)" "$out"

out=$(wallet bob receive "$token") || true
check "the second wallet receives 21 sat" "$(contains "$out" "21 sat")" "$out"

out=$(wallet carol receive "$token") || true
check "the same token again is refused with 11001" "$(contains "$out" 11001)" "$out"

out=$(wallet alice balance) || true
check "the first wallet keeps 43 sat" "$(contains "$out" "43 sat")" "$out"
out=$(wallet bob balance) || true
check "the second wallet holds 21 sat" "$(contains "$out" "21 sat")" "$out"
