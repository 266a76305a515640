#!/bin/sh
# Repairs disks in the order in which one thing stands on another: tables, RAID, encryption and volumes, file systems,
# the installed system's fstab and boot loader.
set -eu
cd "$(dirname "$0")"
. ./settings.sh
. parts/say.sh
. parts/disks.sh
. parts/bring-up.sh
. parts/boot-loader.sh
# What was there before, until power-off.
kept=/run/xenoboot-repair
log=$kept/check.log
. ./tables.sh
. ./arrays.sh
. ./encryption.sh
. ./volumes.sh
. ./file-systems.sh
. ./system.sh

step 2 "waiting for the disks"
xb settle
case $LOST_TABLE in gpt | dos | no) ;; *) refuse "LOST_TABLE=$LOST_TABLE in settings.sh is not known" ;; esac
case $BOOT_LOADER in missing | always | never) ;; *) refuse "BOOT_LOADER=$BOOT_LOADER in settings.sh is not known" ;; esac
all=$(disks)
[ "$DISKS" = all ] || all=$DISKS
[ -n "$all" ] || refuse "there is no disk but the boot medium: check cables and controller, or a driver is missing"
for disk in $all; do
    [ -b "$disk" ] || refuse "$disk in settings.sh is no disk; there are: $(disks | tr '\n' ' ')"
done
journal=$(mktemp)
mkdir -p "$kept"
: > "$kept/ends"

# What was done, and what could not be saved.
did() { # TEXT...
    echo "repaired: $*"
    echo "done $*" >> "$journal"
}
lost() { # TEXT...
    echo "lost: $*"
    echo "lost $*" >> "$journal"
}

# What stands on the disks by now and was not looked at yet.
repair_ends() {
    for device in $(ends $all); do
        ! grep -qx "$device" "$kept/ends" || continue
        repair_content "$device"
        [ -z "$(kind_of "$device")" ] || echo "$device" >> "$kept/ends"
    done
}

step 5 "partition tables"
for disk in $all; do
    repair_table "$disk"
done
blockdev --rereadpt $all 2> /dev/null || true
settle_partitions $all

step 15 "RAID, encryption and volume groups"
lost_headers
bring_up rw
for array in $(arrays); do
    repair_array "$array"
done
states_of_disks
restore_groups
repair_parts
lost_headers
bring_up rw

step 30 "file systems"
repair_ends
# What was unreadable before may be a part of something now.
bring_up rw

step 60 "the installed system"
root=/mnt/repaired
if find_system "$root" $(ends $all); then
    explain_crypttab "$root"
    states_of_system "$root"
    restore_groups
    bring_up rw
    repair_ends
    repair_fstab "$root"
    mount_rest "$root"
    step 80 "the boot loader"
    repair_boot_loader "$root"
    unmount_all "$root"
else
    lost "no installed system was found on the disks: no file system with /etc and a kernel in /boot"
fi

missing_groups
unknown_content

awk '{ key = $1; n[key]++; sub(/^[^ ]* /, ""); printf "%s.%d=%s\n", key, n[key], $0 }' "$journal" |
    while IFS= read -r line; do xb report "$line"; done
repairs=$(grep -c '^done ' "$journal" || true)
losses=$(grep -c '^lost ' "$journal" || true)
xb report "result=$repairs repairs, $losses losses"
step 100 "$repairs repairs, $losses losses"
[ "$losses" = 0 ] || exit 1
