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

step 2 "waiting for the disks"
xb settle
check_new_disk
check_new_system
case $IMAGE in
    '') refuse "settings.sh names no IMAGE" ;;
    http://*[[:blank:]]* | https://*[[:blank:]]*) ;;
    http://* | https://*) refuse "$IMAGE stands without its SHA-256" ;;
    *) [ -f "$IMAGE" ] || refuse "there is no file $IMAGE in the bundle" ;;
esac
disk=$(xb image choose "$DISK") || refuse "DISK=$DISK means no disk that may be written; the log has the reason"
work=$(mktemp -d)
root=/mnt/new

step 5 "partitioning $disk"
make_partitions "$disk"
make_file_systems
mount_new "$root"

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

step 60 "settings of this machine"
set_up_system "$root"

step 70 "the boot loader"
write_menu "$root" "$KERNEL_WORDS"
install_grub_uefi "$root" "$root/boot/efi" || fail "GRUB for UEFI could not be installed"
# Last of all, because from here on the disk boots.
install_grub_bios "$root" "$disk" || fail "GRUB for BIOS could not be installed"

step 90 "loading the new system's kernel"
load_new_kernel "$root"
unmount_new "$root"
xb report "result=installed on $disk; it starts when this is stored"
step 100 "installed"
