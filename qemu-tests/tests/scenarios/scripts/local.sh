# What is installed on the disks is found. One of them is made here: a subvolume of btrfs, in LVM, in encryption, on RAID.
set -e
xb settle /dev/vda /dev/vdb /dev/vdc
printf 'label: gpt\n,200M\n,200M\n' | sfdisk -q /dev/vdb
mdadm --create /dev/md0 --run --quiet --assume-clean --metadata=1.2 --level=1 --raid-devices=2 /dev/vdb1 /dev/vdb2
xb secret luks | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file - /dev/md0
xb secret luks | cryptsetup open --key-file - /dev/md0 outer
pvcreate -q /dev/mapper/outer
vgcreate -q my-group /dev/mapper/outer
lvcreate -q -y -W n -n root -l 100%FREE my-group
mkfs.btrfs -q /dev/mapper/my--group-root
mkdir -p /mnt/made /mnt/installed
mount /dev/mapper/my--group-root /mnt/made
btrfs subvolume create /mnt/made/@
mkdir -p /mnt/made/@/boot/loader/entries
mount -o ro,noload /dev/vda1 /mnt/installed
cp /mnt/installed/boot/vmlinuz /mnt/made/@/boot/vmlinuz-1
cp /mnt/installed/boot/initrd.img /mnt/made/@/boot/initrd-1
umount /mnt/installed
cat >/mnt/made/@/boot/loader/entries/a.conf <<'END'
title Wrapped four times
linux /boot/vmlinuz-1
initrd /boot/initrd-1
options loglevel=7 installed=wrapped root=/dev/my-group/root rootflags=subvol=@
END
umount /mnt/made
vgchange -q -an my-group
cryptsetup close outer
mdadm --quiet --stop /dev/md0
sync
# How many writes and discards there were, and of how many sectors.
written() { set -- $(cat /sys/class/block/vdb/stat); echo "$5 $7 ${12} ${14}"; }
before=$(written)

echo list:
xb boot-local --list --secret luks
xb boot-local --list --device /dev/vda --json
xb boot-local nonesuch && exit 1
sync
test "$before" = "$(written)"
test "$(blockdev --getro /dev/vda /dev/vdb | sort -u)" = 0
test -z "$(ls /sys/class/block | grep -e ^md -e ^dm-[1-9])"
test -z "$(grep xenoboot/local /proc/mounts)"
echo everything is as it was
