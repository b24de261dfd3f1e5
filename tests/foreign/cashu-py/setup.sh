#!/bin/sh
# Makes a Python environment with the wallet `cashu` at the path given.
set -eu
[ $# -eq 1 ] || { echo "usage: setup.sh VENV" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
# A finished environment is marked with the list it was made from, so that a second call does nothing.
if cmp -s "$here/requirements.txt" "$1/requirements.done"; then
    exit 0
fi
rm -rf "$1"
"$python" -m venv "$1"
"$1/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
"$1/bin/cashu" --help >/dev/null
cp "$here/requirements.txt" "$1/requirements.done"
