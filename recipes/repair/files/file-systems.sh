# File systems. To be sourced by run.sh. docs/REPAIR.md has what becomes of which damage.

repair_content() { # DEVICE
    kind=$(kind_of "$1")
    case $kind in
        '') restore_superblock "$1" ;;
        crypto_LUKS) explain_encryption "$1" ;;
        LVM2_member | linux_raid_member | swap) ;;
        *) check "$kind" "$1" ;;
    esac
}

# Whether the bytes at OFFSET are TEXT.
stands_at() { # DEVICE OFFSET TEXT
    [ "$(dd if="$1" bs=1 skip="$2" count=${#3} status=none 2> /dev/null | tr -d '\000')" = "$3" ]
}

# Nothing is known of the device: where formats keep a copy of their first block, it is looked for. What became of it is seen
# by looking at the device again, not by what the command says.
restore_superblock() { # DEVICE
    size=$(blockdev --getsize64 "$1")
    for place in 32768:4096 8193:1024 16384:2048 98304:4096 24577:1024 163840:4096; do
        block=${place%:*} bytes=${place#*:}
        if dumpe2fs -h -o superblock="$block" -o blocksize="$bytes" "$1" > /dev/null 2>&1; then
            checked 3 e2fsck -fy -b "$block" -B "$bytes" "$1" || true
            found ext "$1"
            return
        fi
    done
    if stands_at "$1" 67108928 _BHRfS_M; then
        btrfs rescue super-recover -y "$1" > "$log" 2>&1 || true
        found btrfs "$1"
    elif stands_at "$1" 61440 JFS1; then
        checked 3 fsck.jfs -f -y "$1" || true
        found jfs "$1"
    elif stands_at "$1" 6147 EXFAT; then
        checked 1 fsck.exfat -y -b "$1" || true
        found exfat "$1"
    elif stands_at "$1" 3154 FAT32; then
        dd if="$1" of="$1" bs=512 skip=6 count=1 conv=notrunc,fsync status=none
        checked 1 fsck.fat -a "$1" || true
        found vfat "$1"
    elif stands_at "$1" $((size - 509)) NTFS; then
        dd if="$1" of="$1" bs=512 skip=$((size / 512 - 1)) count=1 conv=notrunc,fsync status=none
        checked 0 ntfsfix -d "$1" || true
        found ntfs "$1"
    elif may_be_xfs "$1"; then
        repair_xfs "$1" || true
        found xfs "$1"
    fi
}

# Looking for the copies reads the whole device; the first stands where the second allocation group begins, and mkfs
# makes four of them where it is not told otherwise.
may_be_xfs() { # DEVICE
    for parts in 4 1 2 8 16 32; do
        at=$((($(blockdev --getsize64 "$1") / 4096 + parts - 1) / parts * 4096))
        ! stands_at "$1" "$at" XFSB || return 0
    done
    return 1
}

# What is still not known when all is done.
unknown_content() {
    for device in $(unknown_devices); do
        has_no_content "$device" || lost "$device: what is on it is not known"
    done
}

has_no_content() { # DEVICE
    case $(lsblk -dno PARTTYPE "$1") in
        21686148-6449-6e6f-744e-656564454649 | e3c9e316-0b5c-4db8-817d-f92df00215ae | 0x5 | 0xf | 0x85) return 0 ;;
    esac
    # A disk without a table was looked at before; one that is all zeros was never used.
    [ "$(lsblk -dno TYPE "$1")" = disk ] || is_blank "$1"
}

# A command that repairs: an exit status up to MOST says that it succeeded.
checked() { # MOST COMMAND...
    most=$1
    shift
    status=0
    "$@" > "$log" 2>&1 || status=$?
    tail -n 5 "$log"
    [ "$status" -le "$most" ]
}

found() { # KIND DEVICE
    if [ -n "$(kind_of "$2")" ]; then
        did "$2: the superblock of its $1 file system was restored from a copy"
        check "$(kind_of "$2")" "$2"
    else
        lost "$2: its $1 file system could not be restored"
    fi
}

repair_xfs() { # DEVICE
    checked 0 xfs_repair "$1" || checked 0 xfs_repair -L "$1"
}

# Whether all is right; if not, it is repaired. First in the way that loses nothing.
check() { # KIND DEVICE
    before=$(lost_files "$1" "$2")
    case $1 in
        ext2 | ext3 | ext4)
            checked 0 e2fsck -fp "$2" && return
            checked 3 e2fsck -fy "$2" && did "$2: its $1 file system was repaired" || lost "$2: e2fsck cannot repair it"
            ;;
        xfs)
            # A journal that waits to be replayed is replayed by mounting.
            replay "$2" xfs
            checked 0 xfs_repair -n "$2" && return
            repair_xfs "$2" && did "$2: its xfs file system was repaired" || lost "$2: xfs_repair cannot repair it"
            ;;
        btrfs)
            checked 0 btrfs check --readonly "$2" && return
            replay "$2" btrfs
            checked 0 btrfs check --readonly "$2" && did "$2: its btrfs file system was repaired from its second copies" ||
                lost "$2: btrfs check finds errors that only a restore can mend"
            ;;
        vfat)
            checked 0 fsck.fat -n "$2" && return
            checked 1 fsck.fat -a "$2" && did "$2: its vfat file system was repaired" || lost "$2: fsck.fat cannot repair it"
            ;;
        exfat)
            checked 0 fsck.exfat -n "$2" && return
            checked 1 fsck.exfat -y "$2" && did "$2: its exfat file system was repaired" || lost "$2: fsck.exfat cannot repair it"
            ;;
        ntfs)
            checked 0 ntfsfix -n "$2" && return
            checked 0 ntfsfix -d "$2" && did "$2: its ntfs file system was repaired; let Windows check it" ||
                lost "$2: ntfsfix cannot repair it"
            ;;
        jfs)
            checked 0 fsck.jfs -n "$2" && return
            checked 3 fsck.jfs -f -y "$2" && did "$2: its jfs file system was repaired" || lost "$2: fsck.jfs cannot repair it"
            ;;
        f2fs)
            checked 0 fsck.f2fs -a "$2" || { checked 0 fsck.f2fs -f "$2" && did "$2: its f2fs file system was repaired"; } ||
                lost "$2: fsck.f2fs cannot repair it"
            ;;
    esac
    after=$(lost_files "$1" "$2")
    [ "$after" -le "$before" ] || lost "$2: $((after - before)) files lost their names and are in lost+found"
}

# Mounted once: the journal is replayed, and btrfs, by reading everything, mends what it has twice.
replay() { # DEVICE KIND
    mkdir -p "$kept/once"
    mount -t "$2" "$1" "$kept/once" 2> /dev/null || return 0
    [ "$2" != btrfs ] || btrfs scrub start -B "$kept/once" > "$log" 2>&1 || true
    umount "$kept/once"
}

lost_files() { # KIND DEVICE
    case $1 in
        ext*) debugfs -R 'ls -p /lost+found' "$2" 2> /dev/null | awk -F/ '$6 != "" && $6 != "." && $6 != ".." {n++} END {print n + 0}' ;;
        *) echo 0 ;;
    esac
}
