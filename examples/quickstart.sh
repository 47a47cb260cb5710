#!/bin/sh
# From a fresh clone to a validated dataset: make .venv, install, generate 40 episodes, validate them with exact replay.
set -eu
cd "$(dirname "$0")/.."
. tests/venv.sh
setup_venv core

OUT=${1:-datasets/quickstart}
if [ -e "$OUT/plan.json" ]; then
    genba resume "$OUT"
else
    genba generate examples/quickstart.yaml --out "$OUT"
fi
genba info "$OUT"
genba validate "$OUT" --deep --replay all

cat <<TEXT

The dataset is in $OUT. What to do next:
  . .venv/bin/activate
  genba info $OUT                    # what it holds
  genba view $OUT --episode 0        # watch an episode in a browser
  python examples/read_dataset.py $OUT   # read it with h5py and numpy alone
  genba describe steel/crane_coil    # every parameter, channel and action
  genba generate examples/quickstart.yaml --episodes 1000 --out datasets/crane
TEXT
