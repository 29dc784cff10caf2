#!/usr/bin/env bash
# deploy/deb/build.sh: builds the Debian package of narud and naru.
#
#   deploy/deb/build.sh [--lint] [DIRECTORY]
#
#   DIRECTORY  where the .deb goes (by default build/release/packages)
#   --lint     lintian looks at it; its errors and warnings are the end
#
# It uses the release build and makes it where it is missing. Needs dpkg-dev and file.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build/release
lint=0 out=$build/packages
while [ $# -gt 0 ]; do
  case $1 in
    --lint) lint=1 ;;
    --help | -h) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) echo "build.sh: there is no option $1; see --help" >&2; exit 2 ;;
    *) out=$1 ;;
  esac
  shift
done
case $out in /*) ;; *) out=$PWD/$out ;; esac

cd "$root"
[ -f "$build/build.ninja" ] || cmake --preset release
cmake --build --preset release --target narud naru naru_package_files
mkdir -p "$out"
umask 022
cpack --config "$build/CPackConfig.cmake" -G DEB -B "$out" > "$out/cpack.log" 2>&1 || {
  cat "$out/cpack.log" >&2
  exit 1
}
rm -rf "$out/_CPack_Packages"
package=$(ls -t "$out"/naru_*.deb | head -n 1)
if [ "$lint" -eq 1 ]; then
  user=()  # lintian does not like to be root.
  [ "$(id -u)" -ne 0 ] || user=(--allow-root)
  # It goes into no archive of Debian's, so it closes no bug there.
  lintian "${user[@]}" --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs \
    "$package"
fi
echo "$package"
