#!/bin/sh
# Lets schemathesis ask everything that the API's own description allows, and what it forbids, as `owner` or as `nobody`.
# usage: fuzz.sh URL owner | nobody; FLASH_CODE is the set-up code, VENV the environment of python.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export FLASH_URL="$1" FLASH_AS="$2" PYTHONPATH="$here" PYTHONDONTWRITEBYTECODE=1
if [ "$FLASH_AS" = owner ]; then
    FLASH_COOKIES=$("$VENV/bin/python" "$here/prepare.py" "$FLASH_URL")
    export FLASH_COOKIES
fi
# What it keeps from one run for the next is not ours.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
# What the socket alone answers is not there over TCP, and a node that is taken down answers nothing. The node's limits are
# raised for it (tests/contract.rs); the hooks show the session, so that nothing is to be made up for it.
SCHEMATHESIS_HOOKS=hooks "$VENV/bin/st" run "$FLASH_URL/api/v1/openapi.json" --url "$FLASH_URL" \
    --phases examples,coverage,fuzzing --max-examples "${EXAMPLES:-20}" --seed 1 --workers 1 --request-timeout 60 \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --exclude-tag local-only --exclude-operation-id down --continue-on-failure --warnings off \
    --suppress-health-check all --generation-with-security-parameters false --no-color
