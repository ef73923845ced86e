#!/bin/sh
# Every engine of a folder measured on this Jetson: benchmark.sh FOLDER DATA OUT
# Needs edgeseg on the PATH (JetPack 6), the clocks locked and nothing else running; README.md in this folder says how.
set -eu
if [ $# -ne 3 ]; then
    echo "usage: benchmark.sh FOLDER-OF-ONNX LAYOUT:PATH#SPLIT OUT" >&2
    exit 2
fi
graphs=$1 data=$2 out=$3
mkdir -p "$out"
edgeseg doctor --json > "$out/doctor.json"
for graph in "$graphs"/*.onnx; do
    name=$(basename "$graph" .onnx)
    [ -e "$out/$name.engine" ] || edgeseg export "$graph" --tensorrt --out "$out"
    edgeseg bench "$out/$name.engine" --data "$data" --iterations 500 --warm-up 50 --warm-up-limit 120 --out "$out/$name.json"
done
set -- "$out"/*.json
reports=
for file; do
    case $file in */doctor.json | *.engine.json) ;; *) reports="$reports $file" ;; esac
done
# shellcheck disable=SC2086  # names made above hold no spaces
edgeseg bench table $reports --markdown "$out/table.md" --plot "$out/pareto.svg"
cat "$out/table.md"
