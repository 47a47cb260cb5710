#!/bin/sh
# From a fresh clone to a validated dataset: make .venv, install, generate 40 episodes with pictures, validate them
# with exact replay, and make a contact sheet.
set -eu
cd "$(dirname "$0")/.."
. tests/venv.sh
setup_venv core

OUT=${1:-datasets/quickstart}
KINDS=""
if ! genba env --json 2>/dev/null | grep -q '"rgb"'; then
    echo "== no OpenGL here: depth and segmentation only; for colours, as root: apt-get install libegl1 libgl1-mesa-dri"
    KINDS="--kinds depth,segmentation"
fi
if [ -e "$OUT/plan.json" ]; then
    genba resume "$OUT"
else
    genba generate examples/quickstart.yaml --out "$OUT" $KINDS
fi
genba info "$OUT"
genba validate "$OUT" --deep --replay all
genba preview "$OUT" --no-video

cat <<TEXT

The dataset is in $OUT. What to do next:
  . .venv/bin/activate
  genba info $OUT                    # what it holds
  genba view $OUT --episode 0        # watch an episode and its pictures in a browser
  genba render $OUT --camera overview --rate-hz 1   # more pictures, from the recorded states
  python examples/read_dataset.py $OUT   # read it with h5py and numpy alone
  pip install '.[report]' && genba report $OUT     # yield, causes of failure, telemetry, previews: one HTML file
  genba describe steel/crane_coil    # every parameter, channel and action
  genba generate examples/quickstart.yaml --episodes 1000 --out datasets/crane
TEXT
