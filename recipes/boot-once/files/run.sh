#!/bin/sh
# Starts another kernel once. What it starts has a program that tells the server that it is up.
set -eu
cd "$(dirname "$0")"
. ./settings.sh
. parts/say.sh
. parts/get.sh
. parts/ram-root.sh
. parts/confirm.sh

[ -n "$SYSTEM$KERNEL" ] || refuse "settings.sh names neither SYSTEM nor KERNEL"
[ -z "$SYSTEM" ] || [ -z "$KERNEL" ] || refuse "settings.sh names both SYSTEM and KERNEL"
[ -e /dev/watchdog ] || [ -e /dev/watchdog0 ] ||
    xb report "warning=this machine has no hardware watchdog: a kernel that hangs stays"
work=$(mktemp -d)
command_line=$APPEND

# Sets what is started of a system on the disks, with what confirms put into it.
find_in_system() {
    step 10 "looking for the system on $SYSTEM"
    xb settle
    device=$SYSTEM
    case $SYSTEM in
        UUID=*) device=$(blkid -U "${SYSTEM#UUID=}") || refuse "there is no $SYSTEM" ;;
        LABEL=*) device=$(blkid -L "${SYSTEM#LABEL=}") || refuse "there is no $SYSTEM" ;;
        *) [ -b "$SYSTEM" ] || refuse "$SYSTEM is no device" ;;
    esac
    root=/mnt/system
    mkdir -p "$root"
    modprobe -q "$(blkid -o value -s TYPE "$device")" || true
    mount "$device" "$root" || fail "$device cannot be mounted"
    kernel=$(ls "$root"/boot/vmlinuz-* 2> /dev/null | sort -V | tail -n 1)
    [ -n "$kernel" ] || fail "there is no kernel in /boot of $SYSTEM"
    initrd=$root/boot/initrd.img-${kernel##*/vmlinuz-}
    initrds=
    [ ! -e "$initrd" ] || initrds="--initrd $initrd"
    command_line="root=UUID=$(blkid -o value -s UUID "$device") $command_line"
    step 50 "a service in it will confirm"
    install_confirm "$root"
}

# The same for a system in memory: one more archive of files.
add_confirm() {
    step 60 "what confirms is added"
    # Which init the system has is not known here: systemd takes its own, others the script.
    mkdir -p "$work/more/etc" "$work/more/usr/lib/systemd/system"
    install_confirm "$work/more"
    confirm_by_init "$work/more"
    pack "$work/more" "$work/more.cpio"
    initrds="$initrds --initrd $work/more.cpio"
}

if [ -n "$SYSTEM" ]; then
    find_in_system
else
    get_kernel 5
    add_confirm
fi

step 80 "loading ${kernel##*/}"
# shellcheck disable=SC2086 # several options
xb kexec $initrds --append "$command_line" --watchdog "$WATCHDOG" "$kernel" || fail "the kernel was not taken"
[ -z "$SYSTEM" ] || umount /mnt/system
xb report "result=the kernel is loaded and starts when this is stored"
step 100 "starting"
