# Makes, fills, damages and repairs each kind of file system on one partition, and says what became of
# the files: `table: PLACE | KIND | DAMAGE | whether it mounts before the repair | N of N files`.

disk=/dev/vda
part=/dev/vda1
at=/mnt/repair
list=/tmp/repair.sums
mkdir -p $at
modprobe btrfs
xb settle $disk
printf 'label: gpt\nstart=1MiB, size=330MiB\n' | sfdisk --quiet $disk
xb settle $part

fill() {
    for n in 1 2 3 4 5 6 7 8; do
        mkdir -p $at/folder$n
        for m in 1 2 3 4 5 6 7 8; do
            head -c $((n * m * 1999)) /dev/urandom > $at/folder$n/file$m
        done
    done
    head -c 4000000 /dev/urandom > $at/large
    (cd $at && find . -type f | sort | xargs sha256sum) > $list
}

compare() { # WHAT
    total=$(wc -l < $list)
    right=$(cd $at && sha256sum -c $list 2> /dev/null | grep -c ': OK$')
    echo "table: $1 | $right of $total files"
}

# Zeros over COUNT blocks of SIZE bytes from block START on.
zero() { # DEVICE SIZE START COUNT
    if [ $(dd if=$1 bs=$2 skip=$3 count=$4 2> /dev/null | tr -d '\000' | head -c 1 | wc -c) = 0 ]; then
        echo "there is nothing to damage in $4 blocks of $2 bytes from $3 on"
        harmless=yes
    fi
    dd if=/dev/zero of=$1 bs=$2 seek=$3 count=$4 conv=notrunc,fsync 2> /dev/null
}

make() { # KIND DEVICE
    wipefs -a -f $2 > /dev/null 2>&1
    case $1 in
        ext2 | ext3 | ext4) mke2fs -q -F -t $1 -b 4096 $2 ;;
        xfs) mkfs.xfs -q -f $2 ;;
        btrfs) mkfs.btrfs -q -f $2 ;;
        vfat) mkfs.vfat -F 32 $2 > /dev/null ;;
        exfat) mkfs.exfat $2 > /dev/null ;;
        ntfs) mkfs.ntfs -Q -F $2 > /dev/null 2>&1 ;;
        f2fs) mkfs.f2fs -f $2 > /dev/null ;;
        jfs) mkfs.jfs -q $2 > /dev/null ;;
    esac
}

attach() { # KIND DEVICE [read-only]
    kind=$1
    test $kind = ntfs && kind=ntfs3
    mount ${3:+-o ro} -t $kind $2 $at
}

damage() { # KIND DEVICE WHAT
    case $3-$1 in
        superblock-ext*) zero $2 1024 1 1 ;;
        superblock-xfs) zero $2 512 0 1 ;;
        superblock-btrfs) zero $2 4096 16 1 ;;
        superblock-vfat | superblock-ntfs | superblock-exfat) zero $2 512 0 1 ;;
        superblock-f2fs) zero $2 4096 0 1 ;;
        superblock-jfs) zero $2 4096 8 1 ;;
        journal-ext*)
            # The journal's first block, found by its inode, 8.
            block=$(debugfs -R 'blocks <8>' $2 2> /dev/null | awk '{print $1}')
            zero $2 4096 $block 1
            ;;
        journal-xfs)
            block=$(xfs_db -r -c 'sb 0' -c 'convert fsblock 0 daddr' -c 'p logstart' $2 | awk '/logstart/ {print $3}')
            sector=$(xfs_db -r -c "convert fsblock $block daddr" $2 | sed 's/.*(\([0-9]*\)).*/\1/')
            zero $2 512 $sector 2048
            ;;
        journal-jfs)
            # The log lies at the end.
            size=$(blockdev --getsize64 $2)
            zero $2 4096 $((size / 4096 - 200)) 100
            ;;
        # The group descriptors.
        metadata-ext*) zero $2 4096 1 1 ;;
        # The first allocation group's header of free space.
        metadata-xfs) zero $2 512 1 1 ;;
        # A part of the first of two file allocation tables.
        metadata-vfat) zero $2 512 33 2 ;;
        # One of two checkpoints.
        metadata-f2fs) zero $2 4096 512 1 ;;
        # The table of the file system's own inodes.
        metadata-jfs) zero $2 4096 11 1 ;;
        # The table of files' record of itself.
        metadata-ntfs) zero $2 1024 16 1 ;;
        # One of two copies of the root of all trees.
        metadata-btrfs)
            root=$(btrfs inspect-internal dump-super $2 | awk '$1 == "root" {print $2}')
            place=$(btrfs-map-logical -l $root $2 | awk '/mirror 1/ {print $6}')
            zero $2 4096 $((place / 4096)) 4
            ;;
        metadata-exfat)
            sector=$(dump.exfat $2 | awk -F: '/FAT Offset/ {print $2}')
            zero $2 512 $((sector)) 1
            ;;
        *)
            echo "no damage of this kind: $3 $1"
            harmless=yes
            ;;
    esac
}

repair() { # KIND DEVICE WHAT
    case $1 in
        ext2 | ext3 | ext4) e2fsck -fy $2 ;;
        xfs) xfs_repair $2 || xfs_repair -L $2 ;;
        btrfs)
            if test $3 = superblock; then
                btrfs rescue super-recover -y $2
            else
                attach $1 $2 && btrfs scrub start -B $at
                umount $at
            fi
            ;;
        vfat)
            # fsck.fat needs a boot sector: the backup is the seventh.
            test $3 = superblock && dd if=$2 of=$2 bs=512 skip=6 count=1 conv=notrunc 2> /dev/null
            fsck.fat -a $2
            ;;
        exfat) fsck.exfat -y -b $2 ;;
        ntfs) ntfsfix -d $2 ;;
        f2fs) fsck.f2fs -f $2 ;;
        jfs) fsck.jfs -f -y $2 ;;
    esac
}

round() { # KIND DEVICE WHAT NAME
    make $1 $2 && attach $1 $2 || { echo "table: $4 | $1 | $3 | cannot be made"; return; }
    fill
    umount $at
    harmless=no
    damage $1 $2 $3
    test $harmless = no || { echo "table: $4 | $1 | $3 | not damaged"; return; }
    mounts=no
    attach $1 $2 read-only 2> /dev/null && umount $at && mounts=yes
    row="$4 | $1 | $3 | $mounts"
    repair $1 $2 $3 > /tmp/repair.log 2>&1
    if attach $1 $2; then
        compare "$row"
        umount $at
    else
        echo "table: $row | not repaired"
        tail -n 5 /tmp/repair.log
    fi
}

for kind in ext2 ext3 ext4 xfs btrfs vfat exfat ntfs f2fs jfs; do
    round $kind $part superblock partition
done
for kind in ext3 ext4 xfs jfs; do round $kind $part journal partition; done
for kind in ext2 ext4 xfs btrfs vfat exfat ntfs f2fs jfs; do round $kind $part metadata partition; done
wipefs -a -f $part > /dev/null

# LVM
pvcreate -q -ff -y $part && vgcreate -q volumes $part && lvcreate -q -y -n one -L 316M volumes
for kind in ext4 xfs; do round $kind /dev/volumes/one superblock LVM; done
vgremove -q -f volumes
pvremove -q -ff -y $part

# Encrypted
echo secret | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $part -
echo secret | cryptsetup open $part secret -d -
for kind in ext4 xfs; do round $kind /dev/mapper/secret superblock LUKS2; done
cryptsetup close secret

# RAID 1 and 5, each without one of its disks
raid() { # LEVEL DISKS...
    level=$1
    shift
    mdadm --create /dev/md0 --run --quiet --metadata=1.2 --level=$level --raid-devices=$# "$@"
    mdadm --wait /dev/md0
    mdadm --quiet /dev/md0 --fail $1 --remove $1
    for kind in ext4 xfs; do round $kind /dev/md0 superblock "degraded RAID $level"; done
    mdadm --quiet --stop /dev/md0
    mdadm --quiet --zero-superblock "$@"
}
xb settle /dev/vdd
raid 1 /dev/vdb /dev/vdc
raid 5 /dev/vdb /dev/vdc /dev/vdd
echo all rounds are over
