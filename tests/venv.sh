# Sourced by tests/run.sh, tests/peers.sh and examples/quickstart.sh: make .venv here once, and install genba into it.
# Set PYTHON to a Python that genba runs on.
find_python() {
    PYTHON=""
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
        then PYTHON=$candidate; return; fi
    done
    echo "genba needs Python 3.11 or newer: apt-get install python3 python3-venv" >&2; exit 3
}

setup_venv() {
    extra=$1
    if [ ! -x .venv/bin/python ]; then
        find_python
        echo "== making .venv with $PYTHON"
        if ! "$PYTHON" -m venv .venv; then
            rm -rf .venv
            echo "genba needs the venv module: apt-get install python3-venv" >&2; exit 3
        fi
    fi
    stamp=".venv/genba-$extra"
    if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
        if [ "$extra" = core ]; then what="."; else what=".[$extra]"; fi
        echo "== installing genba ($extra)"
        case "$extra" in
            *clients*) .venv/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 ;;  # first: for the CPU
        esac
        .venv/bin/python -m pip install --quiet --disable-pip-version-check -e "$what"
        touch "$stamp"
    fi
    . .venv/bin/activate
}
