#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh install|uninstall|install-module BUILT VERSION: copies what was built below PREFIX, takes it away again, or
# copies the Lua module alone to LUADIR and CMODDIR, where Lua looks for weft/init.lua and weft/core.so. PREFIX, LIBDIR,
# LUADIR, CMODDIR and DESTDIR (put in front of every path) are taken from the environment, where make puts its arguments.
set -eu

verb=$1 built=$2 version=$3
DESTDIR=${DESTDIR:-} PREFIX=${PREFIX:-/usr/local}
LIBDIR=${LIBDIR:-$PREFIX/lib} LUADIR=${LUADIR:-$PREFIX/share/lua/5.4}
CMODDIR=${CMODDIR:-$LIBDIR/lua/5.4}

for path in "$PREFIX" "$LIBDIR" "$LUADIR" "$CMODDIR"; do
  case $path in /*) ;; *) echo "install.sh: '$path' is no absolute path" >&2; exit 2 ;; esac
done

put() { # MODE FROM TO
  mkdir -p "$DESTDIR$(dirname "$3")"
  install -m "$1" "$2" "$DESTDIR$3"
}

link() { # TO AT, both absolute: the link is relative, so that the whole can be moved
  mkdir -p "$DESTDIR$(dirname "$2")"
  rm -rf "$DESTDIR$2"
  ln -s "$(realpath -ms --relative-to="$(dirname "$2")" "$1")" "$DESTDIR$2"
}

tree() { # FROM TO [TEST ...]: the files of a folder and the folders in it for which find's tests hold
  from=$1 to=$2
  shift 2
  (cd "$from" && find . -type f "$@" | LC_ALL=C sort) | while read -r file; do
    mode=644
    [ ! -x "$from/$file" ] || mode=755
    put $mode "$from/$file" "$to/${file#./}"
  done
}

shared_objects() { # TO
  for file in "$built"/lib/weft/*.so; do [ -L "$file" ] || put 755 "$file" "$1/${file##*/}"; done
}

pc() {
  mkdir -p "$DESTDIR$LIBDIR/pkgconfig"
  sed -e "s|@PREFIX@|$PREFIX|; s|@LIBDIR@|$LIBDIR|; s|@VERSION@|$version|" bindings/embed/weft.pc.in >"$DESTDIR$LIBDIR/pkgconfig/weft.pc"
}

install_all() {
  put 755 "$built/weft" "$PREFIX/bin/weft"
  put 644 bindings/embed/weft.h "$PREFIX/include/weft.h"
  put 755 "$built/lib/libweft.so" "$LIBDIR/libweft.so.$version"
  link "$LIBDIR/libweft.so.$version" "$LIBDIR/libweft.so.0"
  link "$LIBDIR/libweft.so.0" "$LIBDIR/libweft.so"
  put 644 "$built/lib/libweft.a" "$LIBDIR/libweft.a"
  pc
  shared_objects "$LIBDIR/weft"
  link "$LIBDIR/weft/core.so" "$LIBDIR/weft/weft_core.so"
  [ "$LIBDIR" = "$PREFIX/lib" ] || link "$LIBDIR/weft" "$PREFIX/lib/weft" # where the program looks
  tree lua "$PREFIX/share/weft/lua" -name '*.lua'
  "$built/weft" run scripts/dump.lua lua "$PREFIX/share/weft/lua" "$DESTDIR$LIBDIR/weft/lua"
  tree scripts "$PREFIX/share/weft/scripts" ! -name '*.c' ! -name '*.sh' ! -path './bench*' ! -name dump.lua ! -name layers.lua
  link "$PREFIX/share/weft/lua/weft" "$LUADIR/weft"
  link "$LIBDIR/weft" "$CMODDIR/weft"
}

uninstall() {
  rm -f "$DESTDIR$PREFIX/bin/weft" "$DESTDIR$PREFIX/include/weft.h" "$DESTDIR$LIBDIR"/libweft.so* "$DESTDIR$LIBDIR/libweft.a" \
    "$DESTDIR$LIBDIR/pkgconfig/weft.pc" "$DESTDIR$LUADIR/weft" "$DESTDIR$CMODDIR/weft"
  rm -rf "$DESTDIR$LIBDIR/weft" "$DESTDIR$PREFIX/lib/weft" "$DESTDIR$PREFIX/share/weft"
}

install_module() {
  tree lua/weft "$LUADIR/weft" -name '*.lua'
  shared_objects "$CMODDIR/weft"
}

case $verb in
  install) install_all ;;
  uninstall) uninstall ;;
  install-module) install_module ;;
  *) echo "install.sh: '$verb' is not one of install, uninstall, install-module" >&2; exit 2 ;;
esac
