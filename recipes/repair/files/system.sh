# The installed system: where it is, and its fstab. To be sourced by run.sh.

# Mounts the first system that is found; sets $root_device.
find_system() { # ROOT DEVICE...
    at=$1
    shift
    mkdir -p "$at"
    for root_device in "$@"; do
        case $(kind_of "$root_device") in
            ext[234] | xfs | jfs | f2fs) mount "$root_device" "$at" || continue ;;
            btrfs) mount "$root_device" "$at" || continue
                # Where the system is in a subvolume, it is called so by convention.
                for subvolume in @ root; do
                    [ -d "$at/$subvolume/etc" ] || continue
                    umount "$at"
                    mount -o "subvol=$subvolume" "$root_device" "$at"
                    break
                done
                ;;
            *) continue ;;
        esac
        if [ -d "$at/etc" ] && { [ -e "$at/etc/os-release" ] || [ -e "$at/etc/fstab" ] || [ -d "$at/boot" ]; }; then
            name=$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\).*/\1/p' "$at/etc/os-release" 2> /dev/null || true)
            xb report "system=${name:-a system without a name} on $root_device"
            return 0
        fi
        umount "$at"
    done
    return 1
}

# The device that a first field means; empty when it is not there.
device_of() { # SPEC
    case $1 in
        UUID=*) blkid -U "${1#UUID=}" ;;
        LABEL=*) blkid -L "${1#LABEL=}" ;;
        PARTUUID=* | PARTLABEL=*) blkid -t "$1" -o device | head -n 1 ;;
        /dev/disk/by-uuid/*) blkid -U "${1##*/}" ;;
        /dev/*) [ ! -b "$1" ] || echo "$1" ;;
        # Of the network, of memory, or a file: not a device's.
        *) echo "$1" ;;
    esac 2> /dev/null || true
}

# The one device of a kind that no line means.
unclaimed() { # KIND
    for device in $(ends $all); do
        [ "$(kind_of "$device")" = "$1" ] && ! grep -qx "$device" "$kept/claimed" && echo "$device"
    done > "$kept/candidates" || true
    [ "$(wc -l < "$kept/candidates")" != 1 ] || cat "$kept/candidates"
}

by_uuid() { # DEVICE
    echo "UUID=$(blkid -o value -s UUID "$1")"
}

# Lines that are understood and whose devices are there stay as they are.
repair_fstab() { # ROOT
    table=$1/etc/fstab
    [ -e "$table" ] || : > "$table"
    cp -p "$table" "$kept/fstab"
    echo "$root_device" > "$kept/claimed"
    tr -d '\000\r' < "$kept/fstab" | while read -r spec rest; do
        case $spec in '' | '#'*) continue ;; esac
        device_of "$spec"
    done >> "$kept/claimed"
    : > "$kept/fstab.new"
    tr -d '\000\r' < "$kept/fstab" | while IFS= read -r line; do
        repair_line "$line" >> "$kept/fstab.new"
    done
    awk '$1 !~ /^#/ && $2 == "/"' "$kept/fstab.new" | grep -q . || {
        say_done "fstab: the line of / was missing"
        echo "$(by_uuid "$root_device") / $(kind_of "$root_device") defaults 0 1" >> "$kept/fstab.new"
    }
    ! cmp -s "$kept/fstab" "$kept/fstab.new" || return 0
    cp -p "$table" "$table.before-repair"
    cat "$kept/fstab.new" > "$table"
    sync
    did "fstab was put right; the one before is /etc/fstab.before-repair"
}

# Of a function whose output is the new fstab.
say_done() { did "$@" >&2; }
say_lost() { lost "$@" >&2; }

# Prints what a line becomes.
repair_line() { # LINE
    set -f
    # shellcheck disable=SC2086 # its fields
    set -- "$1" $1
    set +f
    line=$1
    shift
    case ${1:-#} in '#'*) printf '%s\n' "$line"; return ;; esac
    case $# in
        4 | 5 | 6) ;;
        *) say_lost "fstab: a line with $# fields was made a comment: $line"; printf '# not understood: %s\n' "$line"; return ;;
    esac
    spec=$1 at=$2 type=$3
    case $at in
        /* | none | swap) ;;
        *) say_lost "fstab: a line with $# fields and no place to mount at was made a comment: $line"; printf '# not understood: %s\n' "$line"; return ;;
    esac
    shift 3
    device=$(device_of "$spec")
    if [ -z "$device" ]; then
        if [ "$at" = / ]; then device=$root_device; else device=$(unclaimed "$type"); fi
        if [ -z "$device" ]; then
            say_lost "fstab: $spec for $at is nowhere; its line was made a comment"
            printf '# missing: %s\n' "$line"
            return
        fi
        say_done "fstab: $at is on $device, not $spec"
        echo "$device" >> "$kept/claimed"
        spec=$(by_uuid "$device")
    fi
    kind=$type
    [ ! -b "$device" ] || kind=$(kind_of "$device")
    case $type-$kind in
        auto-* | swap-* | *- | ntfs*-ntfs | fuse*) kind=$type ;;
    esac
    if [ "$kind" != "$type" ]; then
        say_done "fstab: on $at there is $kind, not $type"
    elif [ "$spec" = "${line%%[[:blank:]]*}" ]; then
        printf '%s\n' "$line"
        return
    fi
    printf '%s %s %s %s\n' "$spec" "$at" "$kind" "$*"
}

# What the boot loader needs of the rest.
mount_rest() { # ROOT
    for place in /usr /boot /efi /boot/efi; do
        awk -v at="$place" '$1 !~ /^#/ && $2 == at {print $1, $3}' "$1/etc/fstab" | head -n 1 | while read -r spec kind; do
            mkdir -p "$1$place"
            mount -t "$kind" "$(device_of "$spec")" "$1$place" || lost "$place: $spec cannot be mounted"
        done
    done
}

unmount_all() { # ROOT
    sync
    findmnt -rno TARGET | awk -v root="$1" '$1 == root || index($1, root "/") == 1' | sort -r | while read -r at; do
        umount "$at"
    done
}

repair_boot_loader() { # ROOT
    [ "$BOOT_LOADER" != never ] || return 0
    if ! ls "$1"/boot/vmlinuz* > /dev/null 2>&1; then
        lost "there is no kernel in /boot of $root_device: install one, by chroot for instance"
        return 0
    fi
    if ! good_grub_cfg "$1"; then
        write_grub_cfg "$1" "$KERNEL_WORDS"
        did "GRUB's menu was written anew, for $(ls "$1"/boot/vmlinuz-* | wc -l) kernels"
    fi
    for disk in $(disks_below "$1/boot"); do
        if has_bios_place "$disk" && { [ "$BOOT_LOADER" = always ] || ! has_bios_loader "$disk"; }; then
            if install_grub_bios "$1" "$disk"; then
                did "$disk: GRUB was installed for BIOS"
            else
                lost "$disk: GRUB for BIOS could not be installed"
            fi
        fi
    done
    esp=$(esp_of "$1") || return 0
    if [ "$BOOT_LOADER" = always ] || ! find "$esp" -iname '*.efi' | grep -q .; then
        if install_grub_uefi "$1" "$esp"; then
            did "GRUB was installed for UEFI"
        else
            lost "GRUB for UEFI could not be installed"
        fi
    fi
}
