#!/usr/bin/env bash
# test/run.sh: installs what tests need, builds, runs everything, counts it.
#
#   test/run.sh [--ci | --long | --quick] [--only STAGE,STAGE...] [--list] [--no-install]
#
#   (nothing)   every stage
#   --ci        every stage, some with less
#   --long      every stage, with many more rounds and seeds
#   --quick     style, release build, unit and system tests
#
# The log of each stage is in build/test-logs. Exit 0 only if nothing failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

# One line a stage, in running order: name | seconds it may take | when | what it does.
# When: quick, in --quick too; long, only in --long.
# A function stage_NAME with dashes as underscores does it; taking a line out switches it off.
STAGES=(
  "tidy              | 120  | quick | include directions, sizes and words; tests of tidy; the reading order"
  "format            | 120  | quick | clang-format of every tracked C++ file"
  "build-release     | 1000 | quick | the release build"
  "unit              | 120  | quick | unit tests"
  "system            | 700  | quick | real clients against the real broker"
  "system-encode     | 240  |       | the core of them again: two shards, hops as bytes"
  "system-one-shard  | 240  |       | the core of them again on one shard"
  "demo              | 180  |       | deploy/run.sh --once"
  "kill-loop         | 300  |       | kill -9 under load, nothing acknowledged is lost"
  "power-loop        | 300  |       | the same with loss of all that was not synced"
  "planted-faults    | 400  |       | each fault put in on purpose is caught"
  "deviations        | 7200 | long  | each deviation from MQTT put in on purpose is found by its test"
  "simulator         | 800  |       | one node's cores from seeds"
  "core-bench        | 120  |       | what one step costs inside the cores, printed"
  "build-asan        | 1300 |       | the build with AddressSanitizer and UBSan"
  "unit-asan         | 240  |       | unit tests under it"
  "system-asan       | 420  |       | system tests under it, a part"
  "build-tsan        | 900  |       | the build with ThreadSanitizer, what has threads"
  "unit-tsan         | 180  |       | unit tests of shard, mailbox and committer under it"
  "system-tsan       | 300  |       | system tests on two shards under it, a part"
  "build-fuzz        | 600  |       | the fuzz targets"
  "fuzz              | 300  |       | each fuzz target for a while"
)
TOTAL_LIMIT=3000  # Seconds of a --ci run on two cores with a cold cache; said when exceeded.

PYTHON=/usr/bin/python3  # The one that Debian's packages belong to.
LOGS=build/test-logs
RELEASE=build/release/bin
JOBS=$(nproc)
SELF=$PWD/test/run.sh
# Marks of system tests (test/system/conftest.py): what has a second look under other options, and
# what is enough under a sanitizer.
CORE='core and not slow'
THREADS='threads and not slow'
PLANTS=(no_sync ack_before_commit forget_dedup reuse_packet_id clear_before_write)
SIM_PLANTS=(forget_given_back lend_twice)  # Of groups: the simulator finds them.

by_mode() {  # by_mode CI FULL LONG: one of the three values.
  case $NARU_TEST_MODE in ci) echo "$1" ;; long) echo "$3" ;; *) echo "$2" ;; esac
}

# ---------------------------------------------------------------- counting
# A stage says what it ran with `count PASSED FAILED SKIPPED`; one that says nothing counts as one.

count() {
  echo "$1 $2 ${3:-0}" >> "$LOGS/$NARU_STAGE.counts"
}

number_before() {  # number_before WORD TEXT: the number in front of the word, else 0.
  local found
  found=$(grep -oE "[0-9]+ $1" <<< "$2" | head -n 1 | cut -d' ' -f1)
  echo "${found:-0}"
}

run_python_tests() {
  local code last failed out=$LOGS/$NARU_STAGE.pytest
  $PYTHON -m pytest -q -p no:cacheprovider --timeout 180 -n "${WORKERS:-4}" \
    --durations=8 "$@" 2>&1 | tee "$out"
  code=${PIPESTATUS[0]}
  last=$(grep -E '[0-9]+ (passed|failed|skipped|error)' "$out" | tail -n 1)
  failed=$(($(number_before failed "$last") + $(number_before error "$last")))
  [ "$code" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
  count "$(number_before passed "$last")" "$failed" "$(number_before skipped "$last")"
  return "$code"
}

run_catch2() {
  local code last failed out=$LOGS/$NARU_STAGE.catch2
  "$@" --durations no 2>&1 | tee "$out"
  code=${PIPESTATUS[0]}
  last=$(grep -E '^(test cases:|All tests passed)' "$out" | tail -n 1)
  failed=$(number_before failed "${last%%assertions*}")
  [ "$code" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
  case $last in
    All*) count "$(number_before 'test case' "$last")" "$failed" ;;
    *) count "$(number_before passed "$last")" "$failed" ;;
  esac
  return "$code"
}

needs() {  # A stage whose program is not built fails: nothing is skipped in silence.
  for program in "$@"; do
    [ -x "$program" ] || { echo "missing: $program"; return 1; }
  done
}

build() {  # build PRESET [TARGET...]
  local preset=$1
  shift
  cmake --preset "$preset" && cmake --build --preset "$preset" --parallel "$JOBS" \
    ${1:+--target "$@"}
}

# ------------------------------------------------------------------ stages

stage_tidy() {
  needs tools/tidy && tools/tidy && test/spec/conformance.py &&
    test/spec/planted_deviations.py --check &&
    run_python_tests -n 0 test/tidy_test.py test/spec test/reading_order_test.py
}

stage_format() {
  local files
  mapfile -t files < <(git ls-files '*.cpp' '*.hpp')
  [ "${#files[@]}" -gt 0 ] || { echo "git tracks no C++ file"; return 1; }
  printf '%s\0' "${files[@]}" | xargs -0 -n 40 -P "$JOBS" clang-format-14 --dry-run -Werror
}

stage_build_release() { build release; }

stage_unit() { needs $RELEASE/naru_unit && run_catch2 $RELEASE/naru_unit; }

stage_system() {  # What measures how long others wait runs with nothing beside it.
  local all=0 alone=test/system/56_abuse_test.py
  needs $RELEASE/narud $RELEASE/naru || return 1
  run_python_tests test/system --ignore "$alone" || all=1
  WORKERS=0 run_python_tests "$alone" || all=1
  return $all
}

part_of_system() {  # part_of_system MARKS: only with --long all of it.
  [ "$NARU_TEST_MODE" = long ] || set -- -m "$1"
  run_python_tests test/system "$@"
}

stage_system_encode() {
  needs $RELEASE/narud && NARU_FRONT_HOP=encode NARU_SHARDS=2 part_of_system "$CORE"
}

stage_system_one_shard() { needs $RELEASE/narud && NARU_SHARDS=1 part_of_system "$CORE"; }

stage_demo() {
  rm -rf "$LOGS/demo-var"
  needs deploy/run.sh && deploy/run.sh --once "$LOGS/demo-var"
}

kill_loop() { needs $RELEASE/naru_kill_loop && $RELEASE/naru_kill_loop "$@"; }

stage_kill_loop() {
  kill_loop --mode kill --narud $RELEASE/narud --rounds "$(by_mode 50 50 1000)"
}

stage_power_loop() {
  needs $RELEASE/narud_power_loss &&
    kill_loop --mode power --narud $RELEASE/narud_power_loss --rounds "$(by_mode 50 50 1000)"
}

stage_planted_faults() {
  local plant all=0
  for plant in "${PLANTS[@]}"; do
    if kill_loop --mode power --narud $RELEASE/narud_power_loss --rounds 8 --plant "$plant"
    then count 1 0; else count 0 1; all=1; fi
  done
  for plant in "${SIM_PLANTS[@]}"; do
    if needs $RELEASE/naru_sim && $RELEASE/naru_sim --seeds 20 --plant "$plant"
    then count 1 0; else count 0 1; all=1; fi
  done
  return $all
}

stage_deviations() {
  local code last
  needs $RELEASE/naru && test/spec/planted_deviations.py --result "$LOGS/deviations.md" |
    tee "$LOGS/$NARU_STAGE.out"
  code=${PIPESTATUS[0]}
  last=$(tail -n 1 "$LOGS/$NARU_STAGE.out")
  count "$(number_before passed "$last")" "$(number_before failed "$last")"
  return "$code"
}

stage_simulator() {  # Each processor has its share of the seeds.
  local worker share last failed all=0 pids=()
  needs $RELEASE/naru_sim || return 1
  if $RELEASE/naru_sim --seeds 5 --twice; then count 5 0; else count 0 1; all=1; fi
  share=$(($(by_mode 200 1000 10000) / JOBS))
  for ((worker = 0; worker < JOBS; worker++)); do
    $RELEASE/naru_sim --from $((1 + worker * share)) --seeds "$share" \
      > "$LOGS/$NARU_STAGE.$worker" 2>&1 &
    pids+=($!)
  done
  for ((worker = 0; worker < JOBS; worker++)); do
    failed=0
    wait "${pids[worker]}" || failed=1
    tail -n 40 "$LOGS/$NARU_STAGE.$worker"
    last=$(grep -E '^[0-9]+ passed' "$LOGS/$NARU_STAGE.$worker" | tail -n 1)
    [ "$failed" -eq 0 ] || { all=1; failed=$(number_before failed "$last"); }
    count "$(number_before passed "$last")" "$failed"
  done
  return $all
}

stage_core_bench() {
  needs $RELEASE/naru_core_bench && $RELEASE/naru_core_bench --benchmark_min_time=0.05
}

stage_build_asan() { build asan narud naru_unit; }

with_asan() {
  ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 \
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "$@"
}

stage_unit_asan() { needs build/asan/bin/naru_unit && with_asan run_catch2 build/asan/bin/naru_unit; }

stage_system_asan() {
  needs build/asan/bin/narud $RELEASE/naru &&
    NARUD=$PWD/build/asan/bin/narud NARU=$PWD/$RELEASE/naru with_asan part_of_system "$CORE"
}

stage_build_tsan() { build tsan narud naru_unit_tsan; }

with_tsan() {
  TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/test/tsan.supp "$@"
}

stage_unit_tsan() {
  needs build/tsan/bin/naru_unit_tsan &&
    with_tsan run_catch2 build/tsan/bin/naru_unit_tsan
}

stage_system_tsan() {
  needs build/tsan/bin/narud $RELEASE/naru &&
    NARUD=$PWD/build/tsan/bin/narud NARU=$PWD/$RELEASE/naru NARU_SHARDS=2 with_tsan \
      part_of_system "$THREADS"
}

stage_build_fuzz() { build fuzz naru_fuzz; }

stage_fuzz() {
  local target name corpus found=0 seconds
  seconds=$(by_mode 10 10 300)
  for target in build/fuzz/bin/*_fuzz; do
    [ -x "$target" ] || continue
    found=1
    name=$(basename "$target")
    corpus=$LOGS/corpus/$name
    mkdir -p "$corpus"
    echo "== $name, $seconds s"
    if "$target" -max_total_time="$seconds" -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$LOGS/$name-" "$corpus" $(ls -d "test/fuzz/corpus/$name" 2> /dev/null)
    then count 1 0; else count 0 1; fi
  done
  [ $found -eq 1 ] || { echo "no fuzz target in build/fuzz/bin"; return 1; }
  ! grep -q '^0 1' "$LOGS/$NARU_STAGE.counts"
}

# ---------------------------------------------------------------- packages

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

install_packages() {
  local package missing=()
  [ -f deploy/packages.txt ] || { echo "missing: deploy/packages.txt"; return 1; }
  while read -r package; do
    dpkg-query -W -f='${Status}' "$package" 2> /dev/null | grep -q 'ok installed' && continue
    [ "$package" = npm ] && command -v npm > /dev/null && continue  # Its makers' nodejs has it.
    missing+=("$package")
  done < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' deploy/packages.txt test/packages.txt)
  [ "${#missing[@]}" -eq 0 ] && return 0
  echo "installing: ${missing[*]}"
  # Tests start mosquitto on ports of their own; Debian would start it on 1883.
  if [[ " ${missing[*]} " == *" mosquitto "* ]] && [ -d /run/systemd/system ]; then
    as_root systemctl mask mosquitto.service
  fi
  as_root apt-get update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      "${missing[@]}" > "$LOGS/install.log" 2>&1
}

# MQTT.js and what it needs, of the versions in the lock file.
install_node_modules() {
  local from=test/system/mqttjs to=build/mqttjs
  cmp -s $from/package-lock.json $to/node_modules/.package-lock.of && return 0
  echo "installing: MQTT.js"
  rm -rf $to && mkdir -p $to && cp $from/package.json $from/package-lock.json $to/ &&
    (cd $to && npm ci --ignore-scripts --no-audit --no-fund) > "$LOGS/npm.log" 2>&1 &&
    cp $from/package-lock.json $to/node_modules/.package-lock.of
}

# ----------------------------------------------------------------- running

field() { cut -d'|' -f"$1" <<< "$2" | sed 's/^ *//; s/ *$//'; }

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# Runs one stage within its limit. timeout makes a process group of its own and ends all of it,
# so no broker and no compiler stays behind. Says something every half minute.
run_stage() {
  local name=$1 limit=$2 begin=$SECONDS said=$SECONDS pid code
  rm -f "$LOGS/$name.counts"
  NARU_STAGE=$name timeout --kill-after=15 "$limit" "$SELF" --stage "$name" \
    > "$LOGS/$name.log" 2>&1 < /dev/null &
  pid=$!
  current=$pid
  while kill -0 "$pid" 2> /dev/null; do
    sleep 0.2
    if [ $((SECONDS - said)) -ge 30 ]; then
      said=$SECONDS
      printf '    %s  %s\n' "$(clock $((SECONDS - begin)))" \
        "$(tail -n 1 "$LOGS/$name.log" | tr '\r' '\n' | tail -n 1 | cut -c 1-90)"
    fi
  done
  wait "$pid"
  code=$?
  current=
  report_stage "$name" "$code" "$limit" $((SECONDS - begin))
}

report_stage() {
  local name=$1 code=$2 limit=$3 seconds=$4 p=0 f=0 s=0 verdict=ok
  if [ -f "$LOGS/$name.counts" ]; then
    read -r p f s < <(awk '{p += $1; f += $2; s += $3} END {print p, f, s}' "$LOGS/$name.counts")
  elif [ "$code" -eq 0 ]; then
    p=1
  fi
  if [ "$code" -ne 0 ]; then
    [ "$f" -eq 0 ] && f=1
    verdict=FAILED
    [ "$code" -eq 124 ] || [ "$code" -eq 137 ] && verdict="FAILED: over its limit of $limit s"
  fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  summary+=("$(printf '%-16s %7s  %5d passed %3d failed %3d skipped  %s' "$name" \
    "$(clock "$seconds")" "$p" "$f" "$s" "$verdict")")
  printf '    %s\n' "${summary[-1]}"
  if [ "$code" -ne 0 ]; then
    echo "---- the end of $LOGS/$name.log"
    tail -n "$(by_mode 150 60 60)" "$LOGS/$name.log"
    echo "----"
  fi
}

stop() {
  [ -n "${current:-}" ] && kill "$current" 2> /dev/null && wait "$current"
  exit 130
}

wanted() {  # wanted NAME WHEN
  if [ -n "$only" ]; then
    case ",$only," in *",$1,"*) return 0 ;; *) return 1 ;; esac
  fi
  [ "$2" != long ] || [ "$NARU_TEST_MODE" = long ] || return 1
  [ "$NARU_TEST_MODE" != quick ] || [ "$2" = quick ]
}

run_all() {
  local row name
  for row in "${STAGES[@]}"; do
    name=$(field 1 "$row")
    wanted "$name" "$(field 3 "$row")" || continue
    printf '%s  %s: %s\n' "$(clock $SECONDS)" "$name" "$(field 4 "$row")"
    run_stage "$name" "$(field 2 "$row")"
  done
}

finish() {
  echo
  printf '%s\n' "${summary[@]}"
  echo "time: $(clock $SECONDS) on $JOBS cores"
  [ "$SECONDS" -le "$TOTAL_LIMIT" ] || echo "longer than the $(clock $TOTAL_LIMIT) it should take"
  local line="$passed passed, $failed failed"
  [ "$skipped" -eq 0 ] || line+=", $skipped skipped"
  echo "$line"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] || exit 1
  [ "$NARU_TEST_MODE" != ci ] || [ "$skipped" -eq 0 ] || exit 1  # A skip is not a pass.
}

export NARU_TEST_MODE=${NARU_TEST_MODE:-full} PYTHONDONTWRITEBYTECODE=1
only='' install=1 current='' passed=0 failed=0 skipped=0 summary=()
while [ $# -gt 0 ]; do
  case $1 in
    --ci | --long | --quick) NARU_TEST_MODE=${1#--} ;;
    --only) only=${2:?--only needs the names of stages}; shift ;;
    --no-install) install=0 ;;
    --list) printf '%s\n' "${STAGES[@]}"; exit 0 ;;
    --stage) "stage_${2//-/_}"; exit ;;  # Its own child, so that a limit can end it.
    *) sed -n '2,12s/^# \{0,1\}//p' "$SELF"; exit 2 ;;
  esac
  shift
done
for name in ${only//,/ }; do
  printf '%s\n' "${STAGES[@]}" | grep -q "^$name " ||
    { echo "there is no stage '$name'; see test/run.sh --list"; exit 2; }
done
mkdir -p "$LOGS"
trap stop INT TERM
if [ $install -eq 1 ] && ! { install_packages && install_node_modules; }; then
  echo "packages could not be installed; see $LOGS/install.log and $LOGS/npm.log"
  exit 1
fi
run_all
finish
