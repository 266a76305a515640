#!/bin/sh
# Brings up everything on the disks, read-only, and reports what there is and what is damaged.
set -eu
cd "$(dirname "$0")"
. ./settings.sh
. parts/say.sh
. parts/disks.sh
. parts/bring-up.sh
. ./look.sh

step 5 "waiting for the disks"
xb settle
all=$(disks)
[ -n "$all" ] || fail "there is no disk but the boot medium: check cables and controller, or a driver is missing"
damages=$(mktemp)

step 10 "setting the disks read-only"
for device in $(lsblk -lnpo NAME $all | sort -u); do
    blockdev --setro "$device"
done

step 15 "reporting the hardware"
xb inventory
# A report has at most 4096 bytes: the document is in pieces, in order.
xb inventory --json | fold -w 3000 | awk '{ printf "inventory.%02d=%s\n", NR, $0 }' |
    while IFS= read -r piece; do xb report "$piece"; done

step 30 "looking at disks and partition tables"
for disk in $all; do
    look_at_disk "$disk"
done

step 40 "bringing up RAID, encryption and volume groups"
bring_up ro
look_at_raid

step 60 "mounting and checking file systems"
for device in $(ends $all); do
    look_at_content "$device"
done

count=$(wc -l < "$damages")
awk '{ printf "damage.%d=%s\n", NR, $0 }' "$damages" | while IFS= read -r line; do xb report "$line"; done
xb report "damages=$count" "result=everything that can be read is below $MOUNT_AT"
step 100 "done: $count damages found; the machine waits for you"
