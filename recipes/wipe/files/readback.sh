# What the disk gives back after it was wiped. To be sourced by run.sh.

# Places that are looked at, MiB, one a line: both ends and 64 between.
places() { # DISK
    size=$(($(blockdev --getsize64 "$1") / 1048576))
    {
        echo 0
        echo $((size > 0 ? size - 1 : 0))
        for n in $(seq 1 64); do echo $((size * n / 65)); done
    } | sort -nu
}

# The digest of one MiB.
digest() { # DISK PLACE
    dd if="$1" bs=1M skip="$2" count=1 iflag=direct status=none | sha256sum | cut -d ' ' -f 1
}

# Keeps what is there before.
remember() { # DISK
    for place in $(places "$1"); do
        echo "$place $(digest "$1" "$place")"
    done > "$work/before"
}

zeros() { # COMMAND... whose output is looked at
    [ "$("$@" | tr -d '\000' | head -c 1 | wc -c)" = 0 ]
}

# Whether nothing of the content is left; sets $seen, how much was looked at. What a disk gives back after its own erasure is its maker's choice, as
# long as it is not what was there.
read_back() { # DISK METHOD
    blockdev --flushbufs "$1"
    seen=sample
    case $2 in
        format | secure-erase)
            while read -r place before; do
                [ "$(digest "$1" "$place")" != "$before" ] ||
                    zeros dd if="$1" bs=1M skip="$place" count=1 iflag=direct status=none || return 1
            done < "$work/before"
            return 0
            ;;
    esac
    if [ "$VERIFY" = full ]; then
        seen=full
        zeros dd if="$1" bs=4M iflag=direct status=none
        return
    fi
    while read -r place before; do
        zeros dd if="$1" bs=1M skip="$place" count=1 iflag=direct status=none || return 1
    done < "$work/before"
}
