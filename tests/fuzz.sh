#!/bin/sh
# Fuzz what reads files from anywhere: sh tests/fuzz.sh [TARGET ...] [--runs N] [--seconds S]
#   targets: shard media described robomimic table config query about log (default: all); findings go to .venv/fuzz/found
#   needs Python 3.11 to 3.13; atheris goes into a venv of its own, .venv/fuzz, which is made once
set -eu
cd "$(dirname "$0")/.."
. tests/venv.sh

TARGETS=""
while [ $# -gt 0 ]; do
    case "$1" in --*) break ;; *) TARGETS="$TARGETS $1"; shift ;; esac
done
if [ ! -x .venv/fuzz/bin/python ]; then
    find_python
    echo "== making .venv/fuzz with $PYTHON"
    "$PYTHON" -m venv .venv/fuzz
    .venv/fuzz/bin/python -m pip install --quiet --disable-pip-version-check -e ".[fuzz]"
fi
failed=0
for target in ${TARGETS:-shard media described robomimic table config query about log}; do
    .venv/fuzz/bin/python -m tests.fuzz.run "$target" "$@" || failed=1
done
exit $failed
