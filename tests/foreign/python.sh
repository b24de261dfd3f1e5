#!/bin/sh
# Makes a Python environment with the packages of LIST at VENV, and tries PROGRAM in it.
set -eu
[ $# -eq 3 ] || { echo "usage: python.sh LIST VENV PROGRAM" >&2; exit 2; }
list=$1 venv=$2 program=$3
# A finished environment is marked with the list it was made from, so that a second call does nothing.
if cmp -s "$list" "$venv/requirements.done"; then
    exit 0
fi
rm -rf "$venv"
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$list"
"$venv/bin/$program" --help >/dev/null
cp "$list" "$venv/requirements.done"
