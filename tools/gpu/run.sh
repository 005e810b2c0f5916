#!/usr/bin/env bash
# Checks and measures the program on this machine's card and leaves report/report.md and report/report.json beside this file.
#
#     ./run.sh [--device cuda:0] [--quick | --smoke] [--tests NAME] [--python PYTHON] [--train SECONDS]
#
# --quick leaves the benchmarks out; --smoke runs small ones once, to try all of this without a card (--device vulkan or lowered); --python names an interpreter with JAX (benches/gpu/requirements.txt) for the peers, by default
# python3; --tests runs those whose name holds NAME alone; --train is how long the paper's network is trained (3600 s; 0 leaves it out). A step that fails is in the report, and the others run.
set -uo pipefail
cd "$(dirname "$0")"
device=cuda:0 quick= smoke= tests=gpu_ python=python3 train=3600
while [ $# -gt 0 ]; do
    case $1 in
        --device) device=$2; shift 2 ;;
        --quick) quick=1; shift ;;
        --smoke) smoke=1; shift ;;
        --tests) tests=$2; shift 2 ;;
        --python) python=$2; shift 2 ;;
        --train) train=$2; shift 2 ;;
        *) echo "unknown option $1" >&2; exit 2 ;;
    esac
done
# Where tests and benchmarks find scripts and data.
export ANSATZ_ROOT=$PWD
report=$PWD/report
mkdir -p "$report"
: > "$report/steps.jsonl"
step() { # NAME COMMAND…: its output goes into a file, its time and exit code into the list
    local name=$1 began code
    shift
    echo "== $name" >&2
    began=$(date +%s.%N)
    "$@" > "$report/$name.txt" 2> "$report/$name.err"
    code=$?
    printf '{"step":"%s","exit":%d,"seconds":%.1f}\n' "$name" "$code" "$(awk "BEGIN{print $(date +%s.%N)-$began}")" >> "$report/steps.jsonl"
    [ $code -eq 0 ] || { echo "   failed ($code): $report/$name.err" >&2; tail -3 "$report/$name.err" >&2; }
}
case $device in cuda*) step card nvidia-smi ;; vulkan*) step card vulkaninfo --summary ;; esac
step devices bin/ansatz devices
export ANSATZ_TEST_DEVICE=$device
step tests bin/tests-gpu "$tests" --ignored --test-threads=1 --nocapture
for example in examples/*.rhai; do
    name=$(basename "$example" .rhai)
    step "example-$name" bin/ansatz run "$example" --device "$device" --quiet --out "$report/runs/$name"
done
step heat_exact_score bin/ansatz run scripts/smdp/heat_exact_score.rhai --device "$device" --quiet --out "$report/runs/heat_exact_score" --set states=50
if [ -n "$smoke" ]; then
    step benchmarks bin/workloads --smoke --device "$device"
    step peers "$python" benches/gpu/peers.py --tiny
elif [ -z "$quick" ]; then
    step benchmarks bin/workloads --large --device "$device"
    step peers "$python" benches/gpu/peers.py
fi
if [ "$train" -gt 0 ]; then
    # The limit of time ends it; what was trained until then is measured from its metrics and checkpoints.
    step training bin/ansatz run scripts/smdp/heat.rhai --device "$device" --quiet --out "$report/runs/resnet" --set network=resnet --max-seconds "$train"
fi
python3 report.py "$report"
