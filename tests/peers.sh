#!/bin/sh
# Load exports with the peers' own loaders: sh tests/peers.sh [PEER ...]
#   each peer has a venv of its own, .venv/peers-PEER, for their pins conflict; it is made once
set -eu
cd "$(dirname "$0")/.."
. tests/venv.sh
PEERS="minari robomimic lerobot mlcroissant"

# One function a peer: venv PEER PACKAGES..., what else it needs, check PEER.
minari() {
    venv minari "minari[hdf5]==0.5.4" pillow
    check minari
}

robomimic() {
    # without its dependencies, which want a compiler and CUDA; tests/peers/shims stands in for torchvision
    venv robomimic torch==2.13.0 tqdm termcolor psutil six matplotlib
    pip_in robomimic --no-deps robomimic==0.3.0
    check robomimic
}

lerobot() {
    # without its dependencies, which want an older numpy and CUDA; tests/peers/shims stands in for torchvision
    venv lerobot torch==2.13.0 accelerate datasets pandas av
    pip_in lerobot --no-deps lerobot==0.4.4
    HF_HUB_OFFLINE=1 HF_HOME="$PWD/.venv/peers-lerobot/home" check lerobot
}

mlcroissant() {
    venv mlcroissant mlcroissant==1.1.1
    check mlcroissant
}

venv() {
    peer=$1; shift
    if [ ! -x ".venv/peers-$peer/bin/python" ]; then
        echo "== making .venv/peers-$peer"
        find_python
        "$PYTHON" -m venv ".venv/peers-$peer"
    fi
    pip_in "$peer" "$@"
    pip_in "$peer" -e . pytest pytest-timeout
}

pip_in() {
    peer=$1; shift
    ".venv/peers-$peer/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

check() {
    echo "== $1 reads what genba exports"
    GENBA_PEERS=1 PYTHONPATH=tests/peers/shims ".venv/peers-$1/bin/python" -m pytest -q -p no:cacheprovider "tests/peers/test_$1.py"
}

for peer in ${*:-$PEERS}; do
    case " $PEERS " in
        *" $peer "*) "$peer" ;;
        *) echo "tests/peers.sh: no peer $peer; peers: $PEERS" >&2; exit 2 ;;
    esac
done
