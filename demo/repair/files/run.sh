#!/bin/sh
# Repairs the ext4 file system on DISK from a backup superblock, checks that its content is whole,
# and changes one file.
set -eu

disk=$1
here=$(dirname "$0")

fail() {
    echo "$1" >&2
    xb report result="$1"
    exit 1
}

mkdir -p /mnt
xb progress 5 "looking at $disk"
xb settle "$disk" || fail "there is no disk $disk"
if mount -t ext4 "$disk" /mnt; then
    umount /mnt
    fail "$disk is not broken"
fi
echo "$disk cannot be mounted: its primary superblock is gone"

xb progress 20 "repairing from the backup superblock at block 32768"
status=0
"$here/bin/e2fsck" -f -y -b 32768 -B 4096 "$disk" || status=$?
# Bit 0: errors were corrected. Anything from 4 on: errors are left.
[ "$status" -lt 4 ] || fail "e2fsck left errors (status $status)"
xb report e2fsck="$status"

xb progress 60 "checking what is on it"
mount -t ext4 "$disk" /mnt
(cd /mnt && sha256sum -c SHA256SUMS) || fail "a file is not what it was"
xb report content=whole

xb progress 80 "editing its configuration"
sed -i 's/^state=.*/state=repaired/' /mnt/etc/machine.conf
grep '^state=' /mnt/etc/machine.conf
sync
umount /mnt

xb progress 100 "done"
xb report result=repaired
