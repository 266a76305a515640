# Looks at things and reports them. To be sourced by run.sh.

damage() { # TEXT...
    echo "damaged: $*"
    echo "$*" >> "$damages"
}

look_at_disk() { # DISK
    facts=$(lsblk -dno SIZE,MODEL,SERIAL "$1" | tr -s ' ' | sed 's/^ //')
    table=$(lsblk -dno PTTYPE "$1")
    health=unknown
    status=0
    smartctl -q silent -H "$1" > /dev/null 2>&1 || status=$?
    # Bit 3: the disk itself says that it fails; bits 0 to 2: it cannot be asked.
    if [ $((status & 8)) -ne 0 ]; then
        health=failing
        damage "$1: by its own account the disk is failing"
    elif [ $((status & 7)) -eq 0 ]; then
        health=good
    fi
    said=$(sfdisk --verify "$1" 2>&1 || true)
    case $said in
        *"primary GPT table is corrupt"*) damage "$1: the main partition table is damaged, its backup is whole" ;;
        *"backup GPT table is corrupt"*) damage "$1: the backup of the partition table is damaged" ;;
    esac
    if [ -z "$table" ] && [ -z "$(kind_of "$1")" ]; then
        damage "$1: neither a partition table nor a file system was found"
    fi
    xb report "disk.$(as_key "$(basename "$1")")=$facts, table ${table:-none}, health $health"
}

look_at_raid() {
    for array in $(lsblk -nlpo NAME,TYPE | awk '$2 ~ /^raid/ {print $1}' | sort -u); do
        folder=/sys/block/$(basename "$(readlink -f "$array")")/md
        missing=$(cat "$folder/degraded")
        xb report "raid.$(as_key "$(basename "$array")")=$(cat "$folder/level"), $(cat "$folder/raid_disks") members, $missing missing"
        [ "$missing" = 0 ] || damage "$array: $missing of its members are missing"
    done
}

# Options under which nothing is written, not even what the journal still holds.
mount_options() { # KIND
    case $1 in
        ext3 | ext4) echo ro,noload ;;
        xfs) echo ro,norecovery ;;
        btrfs) echo ro,rescue=nologreplay,degraded ;;
        f2fs) echo ro,norecovery ;;
        *) echo ro ;;
    esac
}

# Whether a device has no content of its own: a whole disk (which was looked at before), and partitions of some types.
holds_nothing() { # DEVICE
    [ "$(lsblk -dno TYPE "$1")" != disk ] || return 0
    case $(lsblk -dno PARTTYPE "$1") in
        21686148-6449-6e6f-744e-656564454649) ;; # for GRUB on a BIOS
        e3c9e316-0b5c-4db8-817d-f92df00215ae) ;; # reserved by Windows
        0x5 | 0xf | 0x85) ;; # extended partitions
        *) return 1 ;;
    esac
}

look_at_content() { # DEVICE
    kind=$(kind_of "$1")
    key=$(as_key "$(basename "$1")")
    case $kind in
        '')
            holds_nothing "$1" || {
                xb report "content.$key=nothing that is known"
                damage "$1: no file system is found on it"
            }
            return
            ;;
        swap) xb report "content.$key=swap"; return ;;
        crypto_LUKS) xb report "content.$key=encrypted, and none of the secrets opens it"; return ;;
        LVM2_member | linux_raid_member)
            xb report "content.$key=$kind that could not be brought up"
            damage "$1: $kind that could not be brought up"
            return
            ;;
    esac
    label=$(lsblk -dno LABEL "$1")
    at=$MOUNT_AT/$(basename "$1")
    state="not checked"
    [ "$CHECK" != yes ] || check "$kind" "$1"
    mkdir -p "$at"
    type=$kind
    [ "$kind" != ntfs ] || type=ntfs3
    if mount -t "$type" -o "$(mount_options "$kind")" "$1" "$at"; then
        where="mounted on $at"
        system=$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\).*/\1/p' "$at/etc/os-release" 2> /dev/null || true)
        [ -z "$system" ] || where="$where, $system"
    else
        rmdir "$at"
        where="not mountable"
        damage "$1: its $kind cannot be mounted"
    fi
    case $state in damaged*) damage "$1: $kind, $state" ;; esac
    xb report "content.$key=$kind${label:+ \"$label\"}, $where, $state"
}

# Sets $state: what a check that writes nothing says.
check() { # KIND DEVICE
    status=0
    case $1 in
        ext2 | ext3 | ext4)
            if dumpe2fs -h "$2" 2> /dev/null | grep -q needs_recovery; then
                state="not checked, because its journal is to be replayed first"
                return
            fi
            timeout "$CHECK_SECONDS" e2fsck -fn "$2" > /tmp/check.log 2>&1 || status=$?
            ;;
        xfs) timeout "$CHECK_SECONDS" xfs_repair -n "$2" > /tmp/check.log 2>&1 || status=$? ;;
        btrfs) timeout "$CHECK_SECONDS" btrfs check --readonly --force "$2" > /tmp/check.log 2>&1 || status=$? ;;
        vfat) timeout "$CHECK_SECONDS" fsck.fat -n "$2" > /tmp/check.log 2>&1 || status=$? ;;
        exfat) timeout "$CHECK_SECONDS" fsck.exfat -n "$2" > /tmp/check.log 2>&1 || status=$? ;;
        ntfs) timeout "$CHECK_SECONDS" ntfsfix -n "$2" > /tmp/check.log 2>&1 || status=$? ;;
        jfs) timeout "$CHECK_SECONDS" fsck.jfs -n "$2" > /tmp/check.log 2>&1 || status=$? ;;
        *) return 0 ;;
    esac
    case $status in
        0) state=clean ;;
        124) state="not checked to the end within $CHECK_SECONDS s" ;;
        *)
            state="damaged ($(tail -n 1 /tmp/check.log | tr -d '\r'))"
            tail -n 20 /tmp/check.log
            ;;
    esac
}
