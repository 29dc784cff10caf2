#!/usr/bin/env bash
# deploy/run.sh: from a fresh Debian 12 to a broker with a fleet of vehicles on it.
#
#   deploy/run.sh [--once] [--vehicles N] [DATA]
#
#   DATA          where the broker keeps its data (by default ./var)
#   --once        show everything, check it, stop what was started; exit 0 only if all was seen
#   --vehicles N  how many vehicles drive (by default 20)
#   --help        this text
#
# It installs missing packages (deploy/packages.txt), builds, starts narud and a fleet, shows
# telemetry flowing and a command on its way to a vehicle. Run it again as often as you like:
# what is there is used, not started twice.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/build/release/bin
step=0
steps=6

die() {
  printf '\nrun.sh: %s\n' "$*" >&2
  exit 1
}
say() { printf '    %s\n' "$*"; }
next_step() {
  step=$((step + 1))
  printf '\n[%d/%d] %s\n' "$step" "$steps" "$*"
}

# wait_for SECONDS COMMAND...: until the command succeeds; 1 when it did not in that time.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

alive() { [ -n "${1:-}" ] && kill -0 "$1" 2> /dev/null; }

# ----------------------------------------------------------------- arguments

once=0
vehicles=20
data=$root/var
while [ $# -gt 0 ]; do
  case $1 in
    --once) once=1 ;;
    --vehicles) vehicles=${2:-}; [ $# -eq 1 ] || shift ;;
    --help | -h) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) die "there is no option $1; see deploy/run.sh --help" ;;
    *) data=$1 ;;
  esac
  shift
done
[[ $vehicles =~ ^[1-9][0-9]*$ ]] || die "--vehicles needs a number"
case $data in /*) ;; *) data=$PWD/$data ;; esac

# What stays behind must outlive this terminal; what --once starts must not outlive this run.
detached=(setsid nohup)
[ "$once" -eq 0 ] || detached=(env)

# What this run has started; the end of --once stops exactly that.
narud_pid='' fleet_pid='' tail_pid='' records=''

stop_one() {  # stop_one PID: asks it to end, waits, then insists.
  alive "$1" || return 0
  kill -TERM "$1" 2> /dev/null || return 0
  wait_for 20 gone "$1" || kill -KILL "$1" 2> /dev/null || true
}
gone() { ! alive "$1"; }

clean_up() {
  local code=$?
  trap - EXIT
  [ -z "$tail_pid" ] || kill "$tail_pid" 2> /dev/null || true
  if [ "$once" -eq 1 ] || [ "$code" -ne 0 ]; then
    stop_one "$fleet_pid"
    stop_one "$narud_pid"
  fi
  [ -z "$records" ] || rm -f "$records" "$records.states" "$records.error"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# ------------------------------------------------------------------- install

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo > /dev/null; then
    sudo "$@"
  else
    die "packages are missing: run this as root once, or install sudo"
  fi
}

is_installed() {
  dpkg-query -W -f='${Status}' "$1" 2> /dev/null | grep -q '^install ok installed'
}

install_packages() {
  local package missing=()
  command -v dpkg-query > /dev/null ||
    die "this is not Debian: install what deploy/packages.txt lists, then use cmake --preset release"
  while read -r package; do
    is_installed "$package" || missing+=("$package")
  done < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$root/deploy/packages.txt")
  if [ ${#missing[@]} -eq 0 ]; then
    say "all there"
    return
  fi
  say "installing: ${missing[*]}"
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# --------------------------------------------------------------------- build

# A compiler of these sources may take 1.5 GB: no more at once than fit into memory.
build_jobs() {
  local cores memory_kb fit
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  fit=$((memory_kb / 1500000))
  [ "$fit" -ge 1 ] || fit=1
  echo $((fit < cores ? fit : cores))
}

build() {
  (cd "$root" && cmake --preset release -Wno-dev) > "$data/configure.log" 2>&1 || {
    tail -n 20 "$data/configure.log"
    die "the build could not be configured"
  }
  say "compiling with $(build_jobs) at once; the first time takes some minutes"
  (cd "$root" && cmake --build --preset release --parallel "$(build_jobs)" --target narud naru) ||
    die "the build failed"
}

# -------------------------------------------------------------------- broker

naru() { "$bin/naru" --socket "$socket" "$@"; }

answers() { [ -S "$socket" ] && naru status > /dev/null 2>&1; }

is_taken() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# status_value NAME: one number or word of the broker's status.
status_value() { naru status | awk -F '\t' -v name="$1" '$1 == name {print $2; exit}'; }

started_or_dead() { gone "$narud_pid" || { [ -s "$data/narud.ports" ] && answers; }; }

start_broker() {
  local listen=1883
  if answers; then
    say "one is already running on this data directory"
    return
  fi
  if is_taken 1883; then
    say "port 1883 is taken by another program: a free one is used instead"
    listen=auto
  fi
  rm -f "$data/narud.ports"
  "${detached[@]}" "$bin/narud" --data "$data" --listen "$listen" --port-file "$data/narud.ports" \
    --api-socket "$socket" >> "$data/narud.log" 2>&1 < /dev/null &
  narud_pid=$!
  echo "$narud_pid" > "$data/narud.pid"
  if ! wait_for 60 started_or_dead || gone "$narud_pid"; then
    tail -n 20 "$data/narud.log"
    die "narud did not start; its last words are above (and in $data/narud.log)"
  fi
}

# --------------------------------------------------------------------- fleet

is_driving() { naru clients car-0001 2> /dev/null | grep -q "^connected$(printf '\t')true$"; }

count_driving() {
  naru clients --limit 100000 | awk -F '\t' '$1 ~ /^car-/ && $2 == "yes" {n++} END {print n + 0}'
}

# A fleet of an earlier run that knows this port comes back to a restarted broker by itself.
is_waiting_fleet() {
  alive "$1" && tr '\0' ' ' < "/proc/$1/cmdline" | grep -q "naru fleet --port $port "
}

start_fleet() {
  local source=() recordings=$root/../shared/data before
  before=$(cat "$data/fleet.pid" 2> /dev/null || true)
  if is_waiting_fleet "$before" && ! is_driving; then
    say "the fleet of before is still there: waiting for its return"
    wait_for 45 is_driving || stop_one "$before"
  fi
  if is_driving; then
    say "vehicles are already on the road: they are used"
    return
  fi
  if [ -d "$recordings" ]; then
    recordings=$(cd "$recordings" && pwd)
    say "replaying the recordings in $recordings"
    source=(--recordings "$recordings")
  else
    say "no recordings in ../shared/data: the drives are made up"
  fi
  "${detached[@]}" "$bin/naru" fleet --port "$port" --vehicles "$vehicles" "${source[@]}" \
    > "$data/fleet.log" 2>&1 < /dev/null &
  fleet_pid=$!
  echo "$fleet_pid" > "$data/fleet.pid"
}

# keys_with N: how many vehicles have N records or more in what was followed so far.
keys_with() {
  awk -F '\t' -v n="$1" 'NF >= 5 {seen[$2]++}
    END {for (key in seen) if (seen[key] >= n) count++; print count + 0}' "$records"
}

enough_telemetry() {
  alive "$tail_pid" || die "the stream could not be followed: $(tail -n 1 "$records.error")"
  if [ -n "$fleet_pid" ] && gone "$fleet_pid"; then
    tail -n 5 "$data/fleet.log"
    die "the fleet ended; its last words are above"
  fi
  [ "$(keys_with 5)" -ge "$wanted_vehicles" ]
}

# Lines "KEY EXPECTED FOUND", one for each jump in a vehicle's sequence.
find_gaps() {
  awk -F '\t' 'NF >= 5 {
    if (($2 in last) && $3 != last[$2] + 1) print $2, last[$2] + 1, $3
    last[$2] = $3
  }' "$records"
}

show_vehicles() {
  printf '    %-10s %9s %9s %9s  %s\n' VEHICLE RECORDS FIRST LAST "LAST PAYLOAD"
  awk -F '\t' 'NF >= 5 {
    if (!($2 in first)) first[$2] = $3
    last[$2] = $3; count[$2]++; payload[$2] = $5
  } END {
    for (key in first)
      printf "    %-10s %9d %9d %9d  %.60s...\n", key, count[key], first[key], last[key], payload[key]
  }' "$records" | sort | head -n 5
}

follow_telemetry() {
  records=$(mktemp "${TMPDIR:-/tmp}/naru-run.XXXXXX")
  "$bin/naru" --socket "$socket" stream tail telemetry --from latest --follow \
    > "$records" 2> "$records.error" &
  tail_pid=$!
}

check_telemetry() {
  wait_for 90 enough_telemetry ||
    die "only $(keys_with 5) of $wanted_vehicles vehicles sent 5 records within 90 s"
  local gaps
  gaps=$(find_gaps)
  [ -z "$gaps" ] || die "sequences have gaps (vehicle, expected, found): $gaps"
  show_vehicles
  say "$(grep -c . "$records") records followed from $(keys_with 1) vehicles," \
    "every vehicle's sequence without a gap"
}

# ------------------------------------------------------------------- command

check_command() {
  local expected='queued sent delivered accepted running succeeded' seen
  say "naru cmd send car-0001 unlock '{\"door\":\"driver\"}' --wait"
  naru cmd send car-0001 unlock '{"door":"driver"}' --expires 30s --wait |
    tee "$records.states" | sed 's/^/    /' || die "the command did not succeed"
  seen=$(awk '{printf "%s%s", sep, $2; sep = " "}' "$records.states")
  [ "$seen" = "$expected" ] || die "the command's states were '$seen', not '$expected'"
}

# ---------------------------------------------------------------------- main

finish_once() {
  local before after
  next_step "Checking that telemetry still grows, then stopping what was started"
  before=$(keys_with 1)
  after=$(grep -c . "$records")
  wait_for 30 has_grown "$after" || die "no more telemetry came after the command"
  [ -z "$(find_gaps)" ] || die "sequences have gaps (vehicle, expected, found): $(find_gaps)"
  kill "$tail_pid" 2> /dev/null || true
  tail_pid=''
  if [ -n "$fleet_pid" ]; then
    stop_one "$fleet_pid"
    wait "$fleet_pid" || die "the fleet ended with unacknowledged messages; see $data/fleet.log"
    fleet_pid=''
  fi
  if [ -n "$narud_pid" ]; then
    stop_one "$narud_pid"
    wait "$narud_pid" || die "narud did not end cleanly; see $data/narud.log"
    narud_pid=''
  fi
  say "all seen: $before vehicles, telemetry without gaps, a command from queued to succeeded"
}
has_grown() { [ "$(grep -c . "$records")" -gt "$1" ]; }

say_how_to_go_on() {
  local narud_is fleet_is
  narud_is=$(cat "$data/narud.pid" 2> /dev/null || echo '?')
  fleet_is=$(cat "$data/fleet.pid" 2> /dev/null || echo '?')
  cat << TEXT

The broker runs on: narud, pid $narud_is, MQTT on 127.0.0.1:$port, data in $data
The fleet drives on: pid $fleet_is, log in $data/fleet.log
Stop both with:     kill $fleet_is $narud_is

Try next:
  export PATH="$bin:\$PATH" NARU_SOCKET="$socket"
  naru status
  naru clients car-0001
  naru stream tail telemetry --follow
  naru cmd send car-0002 honk --wait
  naru sub -p $port -t 'vehicles/car-0001/#' -v
  mosquitto_sub -p $port -t 'vehicles/+/telemetry' -v
  mosquitto_pub -p $port -q 1 -t vehicles/my-car/telemetry -m '{"speed":42}'
TEXT
}

[ "$once" -eq 0 ] || steps=7
mkdir -p "$data"
data=$(cd "$data" && pwd)
socket=$data/naru.sock

next_step "Packages"
install_packages
next_step "Build (preset release)"
build
next_step "Broker"
start_broker
port=$(status_value listeners.0.port)
say "MQTT on 127.0.0.1:$port, control on $socket, log in $data/narud.log"
next_step "Fleet: telemetry through the broker into the stream"
follow_telemetry
start_fleet
wanted_vehicles=$vehicles
[ -n "$fleet_pid" ] || wanted_vehicles=$(count_driving)
check_telemetry
next_step "Status"
naru --json status > /dev/null
naru status | awk -F '\t' '$1 ~ /^(health|connections|sessions|streams\..*|counters\.publishes_in)$/ {
  printf "    %-28s %s\n", $1, $2}'
next_step "A command to a vehicle"
check_command
if [ "$once" -eq 1 ]; then
  finish_once
else
  say_how_to_go_on
fi
