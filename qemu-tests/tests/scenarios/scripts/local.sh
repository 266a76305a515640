# What is installed on the disks is found. One of them is made here: LVM in encryption on RAID.
set -e
xb settle /dev/vda /dev/vdb /dev/vdc
printf secret > /tmp/key
printf 'label: gpt\n,48M\n,48M\n' | sfdisk -q /dev/vdb
mdadm --create /dev/md0 --run --quiet --assume-clean --metadata=1.2 --level=1 --raid-devices=2 /dev/vdb1 /dev/vdb2
cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/md0 /tmp/key
cryptsetup open --key-file /tmp/key /dev/md0 outer
pvcreate -q /dev/mapper/outer
vgcreate -q my-group /dev/mapper/outer
lvcreate -q -y -W n -n root -l 100%FREE my-group
mkfs.ext4 -q /dev/mapper/my--group-root
mkdir -p /mnt/made
mount /dev/mapper/my--group-root /mnt/made
mkdir -p /mnt/made/boot/loader/entries
echo kernel > /mnt/made/boot/vmlinuz-1
printf 'title Wrapped thrice\nlinux /boot/vmlinuz-1\noptions root=/dev/my-group/root\n' > /mnt/made/boot/loader/entries/a.conf
umount /mnt/made
vgchange -q -an my-group
cryptsetup close outer
mdadm --quiet --stop /dev/md0
before=$(sha256sum /dev/vdb1 /dev/vdb2)

echo list:
xb boot-local --list --key-file /tmp/key
xb boot-local --list --device /dev/vda --json
xb boot-local nonesuch && exit 1
test "$before" = "$(sha256sum /dev/vdb1 /dev/vdb2)"
test "$(blockdev --getro /dev/vda /dev/vdb | sort -u)" = 0
test -z "$(ls /sys/class/block | grep -e ^md -e ^dm-[1-9])"
test -z "$(grep xenoboot/local /proc/mounts)"
echo everything is as it was
