# The ways of wiping a disk. To be sourced by run.sh; each do_METHOD gets the disk.

# Which ways a disk has, the best first, of those that METHOD allows.
methods_of() { # DISK
    {
        ! can_format "$1" || echo format
        ! can_secure_erase "$1" || echo secure-erase
        ! can_discard "$1" || echo discard
        echo overwrite
    } | { [ "$METHOD" = auto ] && cat || grep -x "$METHOD" || true; }
}

# A number that an NVMe controller says of itself.
said_of() { # DISK FIELD
    nvme id-ctrl "$1" 2> /dev/null | awk -v field="$2" '$1 == field {print $3}'
}

# NVMe: the controller formats (OACS, bit 1), and with this disk no other that hangs on it (FNA, bits 0 and 1).
can_format() { # DISK
    case $1 in /dev/nvme*) ;; *) return 1 ;; esac
    oacs=$(said_of "$1" oacs)
    [ $((${oacs:-0} & 2)) -ne 0 ] || return 1
    fna=$(said_of "$1" fna)
    [ $((${fna:-3} & 3)) -eq 0 ] || [ "$(nvme list-ns "${1%n*}" --all 2> /dev/null | grep -c '\[')" = 1 ]
}

# By throwing the key away where it can (FNA, bit 2), else every block.
do_format() { # DISK
    fna=$(said_of "$1" fna)
    if [ $((${fna:-0} & 4)) -ne 0 ]; then
        nvme format "$1" --ses=2 --force && return
    fi
    nvme format "$1" --ses=1 --force
}

# SATA: the security feature set is there, not in use, and not frozen by the firmware.
can_secure_erase() { # DISK
    case $(lsblk -dno TRAN "$1") in sata) ;; *) return 1 ;; esac
    said=$(hdparm -I "$1" 2> /dev/null | sed -n '/^Security:/,/^[A-Z]/p')
    echo "$said" | grep -Eq '^[[:blank:]]+supported$' &&
        echo "$said" | grep -Eq 'not[[:blank:]]+enabled' &&
        echo "$said" | grep -Eq 'not[[:blank:]]+frozen'
}

do_secure_erase() { # DISK
    # The password is needed for the command alone: the erasure takes it away again.
    hdparm --user-master u --security-set-pass xenoboot "$1" > /dev/null || return 1
    if hdparm -I "$1" | grep -q 'supported: enhanced erase'; then
        hdparm --user-master u --security-erase-enhanced xenoboot "$1" && return
    fi
    hdparm --user-master u --security-erase xenoboot "$1" && return
    hdparm --user-master u --security-disable xenoboot "$1" > /dev/null || true
    return 1
}

can_discard() { # DISK
    most=$(cat "/sys/block/$(basename "$1")/queue/discard_max_bytes" 2> /dev/null || echo 0)
    [ "$most" != 0 ]
}

# With the copies that it made itself, where it can.
do_discard() { # DISK
    blkdiscard -f -s "$1" 2> /dev/null || blkdiscard -f "$1"
}

do_overwrite() { # DISK
    size=$(blockdev --getsize64 "$1")
    dd if=/dev/zero of="$1" bs=4M count="$size" iflag=count_bytes oflag=direct conv=fsync status=none
}
