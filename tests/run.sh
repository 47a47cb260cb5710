#!/bin/sh
# Set up and run the tests: sh tests/run.sh [--slow] [--faults] [--bench]
#   default: lint, types, import contracts, and the test suite (under 15 minutes on two cores)
#   --slow   adds the runs of hundreds of episodes    --faults adds kills and full disks    --bench the benchmarks
set -eu
cd "$(dirname "$0")/.."
. tests/venv.sh
setup_venv dev

MARKS="not slow and not faults"
BENCH=0
for flag in "$@"; do
    case "$flag" in
        --slow) MARKS=$(echo "$MARKS" | sed 's/not slow and //') ;;
        --faults) MARKS=$(echo "$MARKS" | sed 's/ and not faults//; s/^not faults$//') ;;
        --bench) BENCH=1 ;;
        *) echo "tests/run.sh: no flag $flag; flags: --slow --faults --bench" >&2; exit 2 ;;
    esac
done

echo "== lint";      ruff format --check . && ruff check .
echo "== types";     pyright --warnings
echo "== contracts"; lint-imports --no-cache
echo "== tests";     python -m pytest -q -n 2 --dist worksteal -m "$MARKS"
if [ "$BENCH" = 1 ]; then echo "== benchmarks"; genba bench; fi
echo "all passed"
