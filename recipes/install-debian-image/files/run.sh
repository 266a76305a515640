#!/bin/sh
# Partitions a disk, fills it from an archive, makes it bootable by BIOS and UEFI, and starts the system.
set -eu
cd "$(dirname "$0")"
. ./settings.sh
. parts/say.sh
. parts/disks.sh
. parts/new-disk.sh
. parts/network.sh
. parts/new-system.sh
. parts/confirm.sh
. parts/boot-loader.sh
. parts/install.sh

case $IMAGE in
    '') refuse "settings.sh names no IMAGE" ;;
    http://*[[:blank:]]* | https://*[[:blank:]]*) ;;
    http://* | https://*) refuse "$IMAGE stands without its SHA-256" ;;
    *) [ -f "$IMAGE" ] || refuse "there is no file $IMAGE in the bundle" ;;
esac
begin_install
empty_disk

step 15 "fetching the image and unpacking it"
digest=${IMAGE##*[[:blank:]]}
source=${IMAGE%%[[:blank:]]*}
case $source in
    http://* | https://*) ;;
    *) digest=$(sha256sum "$source" | cut -d ' ' -f 1) ;;
esac
# shellcheck disable=SC2086 # several options
xb image unpack $FETCH_OPTIONS --sha256 "$digest" "$source" "$root" || fail "the image could not be fetched and unpacked"
ls "$root"/boot/vmlinuz-* > /dev/null 2>&1 || fail "the image has no kernel in /boot"

finish_install
