#!/bin/sh
# Starts a kernel with a root file system in memory. No disk is touched.
set -eu
cd "$(dirname "$0")"
. ./settings.sh
. parts/say.sh
. parts/get.sh
. parts/ram-root.sh

[ -n "$KERNEL" ] || refuse "settings.sh names no KERNEL"
[ -n "$INITRD$ROOT" ] || refuse "settings.sh names neither INITRD nor ROOT"
work=$(mktemp -d)
command_line=$APPEND
get_kernel 5

step 90 "loading"
# shellcheck disable=SC2086 # several options
xb kexec $initrds --append "$command_line" --watchdog "$WATCHDOG" "$kernel" || fail "the kernel was not taken"
xb report "result=the kernel is loaded and starts when this is stored"
step 100 "starting"
