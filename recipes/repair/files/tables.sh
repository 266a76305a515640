# Partition tables. To be sourced by run.sh.

# The sectors that a new table overwrites, until power-off: what was wrong may tell somebody something.
keep_ends() { # DISK
    name=$(basename "$1")
    dd if="$1" of="$kept/$name.start" bs=1M count=1 status=none
    dd if="$1" bs=512 skip=$(($(blockdev --getsize64 "$1") / 512 - 34)) of="$kept/$name.end" status=none
}

# One disk that cannot be written does not keep the others from being repaired.
write_table() { # WHAT DISK OPTION...
    what=$1 disk=$2
    shift 2
    if sfdisk --no-reread "$@" "$disk" > /dev/null; then
        did "$disk: $what"
    else
        lost "$disk: its partition table cannot be written"
    fi
}

repair_table() { # DISK
    said=$(sfdisk --verify "$1" 2>&1 || true)
    case $said in
        *"primary GPT table is corrupt"*)
            keep_ends "$1"
            write_table "the partition table was taken from its backup" "$1" --relocate gpt-bak-std
            ;;
        *"backup GPT table is corrupt"*)
            keep_ends "$1"
            write_table "the backup of the partition table was written anew" "$1" --relocate gpt-bak-std
            ;;
        *)
            # A disk may be used as a whole, and then has no table.
            [ -z "$(lsblk -dno PTTYPE "$1")" ] && [ -z "$(kind_of "$1")" ] && ! has_ring "$1" || return 0
            backup_alone "$1" || search_table "$1"
            ;;
    esac
}

# Only the backup at the disk's end is left: without an MBR that says so, nobody looks there.
backup_alone() { # DISK
    last=$(($(blockdev --getsize64 "$1") / $(blockdev --getss "$1") - 1))
    [ "$(dd if="$1" bs="$(blockdev --getss "$1")" skip=$last count=1 status=none | head -c 8 | tr -d '\000')" = "EFI PART" ] ||
        return 1
    keep_ends "$1"
    printf '\000\000\002\000\356\377\377\377\001\000\000\000\377\377\377\377' |
        dd of="$1" bs=1 seek=446 conv=notrunc status=none
    printf '\125\252' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
    if sfdisk --no-reread --relocate gpt-bak-std "$1" > /dev/null; then
        did "$1: MBR and partition table were taken from the backup at its end"
        return 0
    fi
    dd if="$kept/$(basename "$1").start" of="$1" bs=1M conv=notrunc,fsync status=none
    return 1
}

# Neither a table nor a file system at the disk's start: what is on it tells where its partitions were.
search_table() { # DISK
    [ "$LOST_TABLE" != no ] || {
        lost "$1: its partition table, and LOST_TABLE=no"
        return 0
    }
    if ! xb partitions --label "$LOST_TABLE" "$1" > "$kept/table"; then
        echo "$1 has no partition table, and nothing on it tells of one: it may be empty"
        return 0
    fi
    parts=$(grep -c '^start=' "$kept/table")
    first=$(sed -n 's/^start=\([0-9]*\),.*/\1/p' "$kept/table" | sort -n | head -n 1)
    # Where GRUB puts itself on a BIOS is not formatted, so it cannot be found; the space before the others serves.
    if [ "$LOST_TABLE" = gpt ] && [ "$first" -ge 512 ]; then
        sed -i 's/^unit:.*/&\nfirst-lba: 34/' "$kept/table"
        echo "start=34, size=$((first - 34)), type=21686148-6449-6E6F-744E-656564454649" >> "$kept/table"
    fi
    keep_ends "$1"
    cat "$kept/table"
    write_table "a new partition table of $parts partitions was made from what begins on the disk" "$1" < "$kept/table"
}

# The kernel has all partitions that the tables name.
settle_partitions() { # DISK...
    for disk in "$@"; do
        for part in $(sfdisk --dump "$disk" 2> /dev/null | awk '$2 == ":" {print $1}'); do
            xb settle "$part"
        done
    done
}
