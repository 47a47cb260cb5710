#!/bin/sh
# Set up and run the tests: sh tests/run.sh [--slow] [--faults] [--bench] [--peers]
#   default: lint, types, import contracts, and the test suite (under 15 minutes on two cores)
#   --slow   adds the runs of hundreds of episodes and the clients (torch, stable-baselines3, ...)
#   --faults adds kills and full disks    --bench the benchmarks
#   --peers  loads exports with minari, robomimic ... in venvs of their own (tests/peers.sh)
set -eu
cd "$(dirname "$0")/.."
. tests/venv.sh

MARKS="not slow and not faults"
EXTRAS=dev
BENCH=0
PEERS=0
for flag in "$@"; do
    case "$flag" in
        --slow) MARKS=$(echo "$MARKS" | sed 's/not slow and //'); EXTRAS=dev,clients ;;
        --faults) MARKS=$(echo "$MARKS" | sed 's/ and not faults//; s/^not faults$//') ;;
        --bench) BENCH=1 ;;
        --peers) PEERS=1 ;;
        *) echo "tests/run.sh: no flag $flag; flags: --slow --faults --bench --peers" >&2; exit 2 ;;
    esac
done
# OpenGL and Vulkan without a screen, for the tests of pictures; a browser, for those of reports
PACKAGES="libegl1 libgl1-mesa-dri libosmesa6 libvulkan1 mesa-vulkan-drivers chromium chromium-driver"
if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null || ! ldconfig -p | grep -q libEGL.so.1 || ! ldconfig -p | grep -q libOSMesa.so || ! ls /usr/share/vulkan/icd.d/*.json >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "== installing $PACKAGES"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $PACKAGES; } >/dev/null
    else
        echo "tests/run.sh: the tests of pictures and reports need, as root: apt-get install $PACKAGES" >&2; exit 3
    fi
fi
setup_venv "$EXTRAS"
OLDEST=.venv/gymnasium-1.2.2  # the environments work with this one, too
[ -d "$OLDEST" ] || python -m pip install --quiet --disable-pip-version-check --no-deps --target "$OLDEST" gymnasium==1.2.2

echo "== lint";      ruff format --check . && ruff check .
echo "== types";     pyright --warnings
echo "== contracts"; lint-imports --no-cache
echo "== tests";     python -m pytest -q -n 2 --dist worksteal -m "$MARKS"
echo "== tests of the environments with gymnasium 1.2.2"
PYTHONPATH="$OLDEST" python -m pytest -q -n 2 --dist worksteal -m "not slow" tests/sim/test_envs.py tests/sim/test_env_images.py tests/scenes/test_envs.py
if [ "$BENCH" = 1 ]; then echo "== benchmarks"; genba bench; fi
if [ "$PEERS" = 1 ]; then sh tests/peers.sh; fi
echo "all passed"
