#!/usr/bin/env bash
# The life of the Debian package on one machine: installed, upgraded, removed, back again, purged.
#
#   package_life.sh PACKAGE WORK
#
# Runs as root in a mount namespace of its own, with an overlay for a root: the machine does not
# change. A container that may not mount is the machine itself, if it has no naru. Prints one line
# for each thing that was looked at, "ok ..." or "not ok ...".
set -uo pipefail
package=$(realpath "$1") work=$(realpath "$2")

if [ "${NARU_PACKAGE_LIFE:-}" != inside ]; then
  export NARU_PACKAGE_LIFE=inside
  [ "$(id -u)" -eq 0 ] || map=--map-root-user
  if unshare --mount ${map:-} true; then
    exec unshare --mount ${map:-} --pid --fork --kill-child bash "$0" "$package" "$work"
  fi
  [ -e /.dockerenv ] || [ -e /run/.containerenv ] && ! dpkg-query -W naru > /dev/null 2>&1 || exit 3
  NARU_PACKAGE_LIFE=machine
fi

root=/
if [ "$NARU_PACKAGE_LIFE" = inside ]; then
  root=$work/root
  mount -t tmpfs none "$work" && mkdir "$work"/{upper,work,root} &&
    mount -t overlay none -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$root" &&
    mount -t proc none "$root/proc" && mount --rbind /dev "$root/dev" || exit 3
fi
cp "$package" "$root/first.deb"
cat > "$root/steps.sh" << 'STEPS'
check() {  # check TEXT COMMAND...: the command succeeds.
  local text=$1
  shift
  if "$@" > /tmp/said 2>&1; then
    echo "ok $text"
  else
    echo "not ok $text: $*"
    sed 's/^/    /' /tmp/said
  fi
}
not() { ! "$@"; }
has() { grep -q -- "$1" "$2"; }
owner() { [ "$(stat -c '%U:%G %a' "$1")" = "$2" ]; }
same() { [ "$1" = "$2" ]; }
version() { dpkg-query -W -f '${Version}' naru; }

as_naru() { exec setpriv --reuid naru --regid naru --init-groups -- "$@"; }
launch() {  # Starts the broker as the unit does it, on a free port.
  install -d -o naru -g naru -m 750 /run/naru
  rm -f /run/naru/ports
  as_naru narud -c /etc/naru/naru.conf --listen auto --port-file /run/naru/ports \
    > /tmp/narud.log 2>&1 &
  pid=$!
  until [ -s /run/naru/ports ] || ! kill -0 $pid; do read -rt 0.05 <> <(:) || true; done
}
serve() {  # One life of it; a message goes in and comes out.
  launch
  port=$(cut -f 2 /run/naru/ports)
  "$@"
  local code=$?
  kill $pid
  wait $pid && [ $code -eq 0 ] || { cat /tmp/narud.log; return 1; }
}
publish() { naru pub -p "$port" -t vehicles/car1/telemetry -m "$1"; }
records() { [ "$(naru stream tail telemetry | wc -l)" -eq "$1" ]; }
publish_one() { publish '{"n":1}' && records 1 && naru status; }
publish_another() { publish '{"n":2}' && records 2; }

sudo() {
  [ "$1" = -u ] || { "$@"; return; }
  (shift && exec setpriv --reuid "$1" --regid "$1" --init-groups -- "${@:2}")
}
systemctl() { [ "$*" != 'start naru' ] || { launch && echo $pid > /tmp/pid; }; }
run_mosquitto() {  # One life of mosquitto's, that leaves a session behind.
  local settings='user root\nlistener 0 /tmp/m.sock\nallow_anonymous true\npersistence true\n'
  printf "${settings}persistence_location /var/lib/mosquitto/\n" > /tmp/mosquitto.conf
  mkdir -p /var/lib/mosquitto
  mosquitto -c /tmp/mosquitto.conf &
  pid=$!
  until [ -S /tmp/m.sock ] || ! kill -0 $pid; do read -rt 0.05 <> <(:) || true; done
  mosquitto_sub --unix /tmp/m.sock -i kept -c -q 1 -t a -E
  local code=$?
  kill $pid && wait $pid && [ $code -eq 0 ]
}
from_mosquitto() {  # The guide's lines as they stand there, for another place of mosquitto.conf.
  awk '/^    /{print substr($0, 5); found = 1; next} found{exit}' \
    /usr/share/doc/naru/guide/from-mosquitto.md |
    sed 's|/etc/mosquitto/mosquitto.conf|/tmp/mosquitto.conf|' > /tmp/lines.sh
  # What does not end with those lines, and what this machine has no port for.
  sed -i -e '/^listener 0/d' -e 's|^user root|pid_file /run/mosquitto/mosquitto.pid|' \
    /tmp/mosquitto.conf
  export -f sudo systemctl launch as_naru
  bash -e /tmp/lines.sh || { cat /tmp/narud.log; return 1; }
  local sessions
  sessions=$(naru status | grep '^sessions\b')
  kill "$(cat /tmp/pid)"
  same "${sessions//[^0-9]/}" 1
}

build_next() {  # The same package under a later version, with another default configuration.
  dpkg-deb -R /first.deb /next && sed -i 's/^Version:.*/Version: 99.0-1/' /next/DEBIAN/control &&
    echo '# a later default' >> /next/etc/naru/naru.conf && dpkg-deb -b --root-owner-group -Znone /next /next.deb
}

check "installs" dpkg --no-triggers --force-unsafe-io -i /first.deb
check "has a system user" same "$(getent passwd naru | cut -d: -f6,7)" /var/lib/naru:/usr/sbin/nologin
check "the data directory is the user's" owner /var/lib/naru 'naru:naru 750'
check "secrets may lie beside the configuration" owner /etc/naru 'root:naru 750'
check "the default configuration is good" narud --check -c /etc/naru/naru.conf
check "only this machine can connect" not grep -qE '^(listener|port|bind_address)' /etc/naru/naru.conf
check "the service is enabled" test -L /etc/systemd/system/multi-user.target.wants/naru.service
check "the unit is there" test -f /lib/systemd/system/naru.service
check "manual pages are there" test -f /usr/share/man/man1/naru.1.gz -a -f /usr/share/man/man8/narud.8.gz
check "words complete" bash -c '. /usr/share/bash-completion/completions/naru && complete -p naru'
check "the broker serves" serve publish_one

check "a later package is built" build_next
echo '# mine' >> /etc/naru/naru.conf
echo 'max_keepalive 600' > /etc/naru/conf.d/own.conf
check "upgrades" dpkg --no-triggers --force-unsafe-io --force-confdef --force-confold -i /next.deb
check "the later version is there" same "$(version)" 99.0-1
check "my line in the configuration stays" has '^# mine' /etc/naru/naru.conf
check "the later default lies beside it" has '^# a later default' /etc/naru/naru.conf.dpkg-dist
check "my file stays" has 600 /etc/naru/conf.d/own.conf
check "telemetry is still there" serve publish_another

check "is removed" dpkg --no-triggers --force-unsafe-io -r naru
check "programs are gone" not test -e /usr/bin/narud -o -e /usr/bin/naru
check "the unit is gone" not test -e /lib/systemd/system/naru.service
check "the configuration stays" has '^# mine' /etc/naru/naru.conf
check "data stays" test -d /var/lib/naru/store
check "comes back" dpkg --no-triggers --force-unsafe-io --force-confdef --force-confold -i /next.deb
check "the service is enabled again" test -L /etc/systemd/system/multi-user.target.wants/naru.service
check "telemetry has outlived it" serve records 2

rm /etc/naru/conf.d/own.conf
check "is purged" dpkg --no-triggers --force-unsafe-io -P naru
check "data is gone" not test -e /var/lib/naru
check "the configuration is gone" not test -e /etc/naru
check "nothing enables it" find /etc/systemd /var/lib/systemd -name 'naru.service*' -exec false {} +
check "dpkg knows nothing of it" not dpkg-query -W naru
check "installs after a purge" dpkg --no-triggers --force-unsafe-io -i /first.deb
check "the service has begun a store" serve naru status
check "mosquitto leaves a session" run_mosquitto
check "the guide's lines take it over" from_mosquitto
echo done
STEPS
exec chroot "$root" bash /steps.sh
