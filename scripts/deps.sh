#!/bin/sh
# SPDX-License-Identifier: MIT
# deps.sh WHAT...: makes sure that the Debian packages for build, test, lint, valgrind, fuzz, bench or lambda are there.
# Installs what is missing when that is possible without asking anybody, else prints the command that does.
set -eu

build="gcc libc6-dev make pkg-config liblua5.4-dev libuv1-dev libsqlite3-dev libpq-dev default-libmysqlclient-dev node-llhttp zlib1g-dev
  libcurl4-openssl-dev libedit-dev libssl-dev"
test="lua5.4 lua-busted sqlite3 postgresql pgbouncer mariadb-server mariadb-client openssl curl chromium zip unzip binutils tmux
  g++ luarocks valgrind libc6-dbg wrk lua-check"
lint="lua5.4 lua-check cppcheck"
valgrind="valgrind libc6-dbg"
fuzz="clang libclang-rt-dev"
bench="lua5.4 sqlite3 postgresql mariadb-server wrk nginx-light libnginx-mod-http-lua lua-cjson"
lambda="zip binutils"

wanted=
for what; do
  case $what in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    lint) wanted="$wanted $lint" ;;
    valgrind) wanted="$wanted $valgrind" ;;
    fuzz) wanted="$wanted $fuzz" ;;
    bench) wanted="$wanted $bench" ;;
    lambda) wanted="$wanted $lambda" ;;
    *) echo "deps.sh: '$what' is not one of build, test, lint, valgrind, fuzz, bench, lambda" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "This is no Debian system: see to it that the counterparts of these packages are installed:$wanted" >&2
  exit 0
fi

# dpkg-query fails when one of the names is unknown; what it prints about the others still counts.
have=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' $wanted 2>/dev/null || true)"
missing=
for name in $wanted; do
  case $have in *" installed:$name "*) ;; *) missing="$missing $name" ;; esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo -n"
else
  echo "Packages are missing. Install them, then run make again:" >&2
  echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
  exit 1
fi

mkdir -p build
exec 9>build/apt.lock
flock 9
log=build/apt.log
echo "Installing$missing" >&2
for attempt in 1 2 3; do
  if $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >"$log" 2>&1 &&
     $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >>"$log" 2>&1 </dev/null
  then exit 0; fi
  [ "$attempt" = 3 ] || sleep $((attempt * 5))
done
tail -n 20 "$log" >&2
echo "apt-get failed (all of its output is in $log). By hand:" >&2
echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
exit 1
