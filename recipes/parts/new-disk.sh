# A disk for a new system: GPT with places for GRUB on BIOS and UEFI, swap space and a root file system. To be sourced.

check_new_disk() {
    [ -n "$DISK" ] || refuse "settings.sh names no DISK; there are: $(xb image list | tr '\n' ';')"
    case $FILE_SYSTEM in
        ext4 | xfs | btrfs) ;;
        *) refuse "FILE_SYSTEM=$FILE_SYSTEM in settings.sh is not known" ;;
    esac
}

# Sets $esp, $swap (which may be empty) and $part. What is on the disk is gone: nothing on it boots from here on until the
# boot loader is installed at the end.
make_partitions() { # DISK
    blkdiscard -f "$1" 2> /dev/null || true
    dd if=/dev/zero of="$1" bs=1M count=1 conv=fsync status=none
    wipefs -a -f "$1" > /dev/null
    {
        echo "label: gpt"
        echo "size=1MiB, type=21686148-6449-6E6F-744E-656564454649"
        echo "size=$ESP_SIZE, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
        [ "$SWAP_SIZE" = 0 ] || echo "size=$SWAP_SIZE, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"
        echo "type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
    } > "$work/table"
    sfdisk --quiet "$1" < "$work/table" || fail "$1 could not be partitioned"
    nodes=$(sfdisk --dump "$1" | awk '$2 == ":" {print $1}')
    # shellcheck disable=SC2086 # one a word
    xb settle $nodes || fail "the kernel does not know the new partitions of $1"
    esp=$(echo "$nodes" | sed -n 2p)
    part=$(echo "$nodes" | tail -n 1)
    swap=
    [ "$SWAP_SIZE" = 0 ] || swap=$(echo "$nodes" | sed -n 3p)
}

make_file_systems() {
    mkfs.vfat -F 32 -n ESP "$esp" > /dev/null || fail "no file system could be made on $esp"
    [ -z "$swap" ] || mkswap "$swap" > /dev/null
    modprobe -q "$FILE_SYSTEM" || true
    case $FILE_SYSTEM in
        ext4) mke2fs -q -F -t ext4 "$part" ;;
        xfs) mkfs.xfs -q -f "$part" ;;
        btrfs) mkfs.btrfs -q -f "$part" ;;
    esac || fail "no file system could be made on $part"
}

mount_new() { # ROOT
    modprobe -a -q vfat nls_ascii nls_cp437 || true
    mkdir -p "$1"
    mount -t "$FILE_SYSTEM" "$part" "$1"
    mkdir -p "$1/boot/efi"
    mount -t vfat "$esp" "$1/boot/efi"
}

unmount_new() { # ROOT
    umount "$1/boot/efi"
    umount "$1"
}

by_uuid() { # DEVICE
    echo "UUID=$(blkid -o value -s UUID "$1")"
}

new_fstab() { # ROOT
    {
        echo "$(by_uuid "$part") / $FILE_SYSTEM defaults 0 1"
        echo "$(by_uuid "$esp") /boot/efi vfat umask=0077 0 2"
        [ -z "$swap" ] || echo "$(by_uuid "$swap") none swap sw 0 0"
    } > "$1/etc/fstab"
}
