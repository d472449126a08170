#!/bin/sh
# The experiments of SRGAN-D's authors, run again at one small budget. Results: Training/RESULTS.md.
#
#   sh Training/runs/experiments.sh DATA OUT [STAGE1 STAGE2 BATCH SEEDS]
#
# DATA has the folders train and heldout. STAGE1 and STAGE2 are iterations of BATCH patches; SEEDS counts the runs of
# the test of stability. Whatever is finished is left as it is, so that a broken run goes on. With SHORT=1 the common
# first stage is trained as short_budget.yaml says. OPTIONS go to every training run, such as "--set bfloat16=True".
set -eu
data=$1 out=$2 stage1=${3:-60000} stage2=${4:-60000} batch=${5:-16} seeds=${6:-5}
python=${PYTHON:-python}
seed=Training/configs/seed.yaml

run() { "$python" -m Training "$@"; }

train() { # NAME SEED VGG CONFIG...: stage 2 from SR-RRDB
  name=$1 number=$2 vgg=$3
  shift 3
  configs=""
  for config in $seed "$@"; do configs="$configs --config $config"; done
  # shellcheck disable=SC2086
  run stage2 $configs --data "$data/train" --start "$out/SR-RRDB/checkpoint.pt" --out "$out/$name" \
    --iterations "$stage2" --set batch="$batch" --set seed="$number" --set every=$((stage2 / 5)) \
    --set "validate#dataset#slices=2" --set perceptual_weights="$out/$vgg/vgg19.safetensors" ${OPTIONS:-}
}

vgg19() { # NAME SEED ITERATIONS TASKS
  # shellcheck disable=SC2086
  run vgg19 --data "$data/train" --out "$out/$1" --iterations "$3" --set seed="$2" --set tasks="$4" --set width=16 \
    ${OPTIONS:-}
}

vgg19 contrast-degradation 0 600 "['contrast','degradation']"
vgg19 degradation 1 350 "['degradation']"
# shellcheck disable=SC2086
run stage1 --config $seed ${SHORT:+--config Training/configs/short_budget.yaml} --data "$data/train" --factor 4 \
  --out "$out/SR-RRDB" --iterations "$stage1" --set batch="$batch" --set every=$((stage1 / 5)) \
  --set "validate#dataset#slices=2" ${OPTIONS:-}

# (a) the methods; SRGAN' is SRGAN with SRGAN-D's adversary and schedule. (b) is SRGAN' beside SRGAN-D: they differ in
# the perceptual network alone.
train SRGAN 0 contrast-degradation Training/configs/srgan.yaml
train SRGAN-prime 0 contrast-degradation
train SRGAN-D 0 degradation

# (c) stability
number=1
while [ "$number" -lt "$seeds" ]; do
  train "SRGAN-seed$number" "$number" contrast-degradation Training/configs/srgan.yaml
  train "SRGAN-D-seed$number" "$number" degradation
  number=$((number + 1))
done

for name in SR-RRDB SRGAN SRGAN-prime SRGAN-D; do
  [ -f "$out/$name/evaluation/table.md" ] || run evaluate --data "$data/heldout" --model "$out/$name/checkpoint.pt" \
    --out "$out/$name/evaluation" --set slices=4 \
    --set 'files=$sorted(str(path) for path in Path(@dataset_dir).glob("[!c]*.nii.gz"))' --set "degradations=['bicubic','kspace']"
done
