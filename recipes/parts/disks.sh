# Which disks there are. To be sourced.

# Every disk but the boot medium, a path a line.
disks() {
    medium=$(cut -d ' ' -f 1 /run/xenoboot/medium 2> /dev/null || true)
    if [ -n "$medium" ]; then
        parent=$(lsblk -dnpo PKNAME "$medium" 2> /dev/null || true)
        medium=${parent:-$medium}
    fi
    lsblk -dnpo NAME,TYPE | while read -r name type; do
        case $type-$name in
            "disk-$medium" | disk-/dev/ram* | disk-/dev/zram* | disk-/dev/nbd* | disk-/dev/fd*) ;;
            disk-*) echo "$name" ;;
        esac
    done
}

# What is on a device, as blkid calls it; empty when it is not known.
kind_of() { # DEVICE
    blkid -o value -s TYPE "$1" 2> /dev/null || true
}

# Disks, partitions and what is made of them: those on which nothing else stands, a path a line.
ends() { # DISK...
    lsblk -lnpo NAME "$@" | sort -u | while read -r name; do
        [ -n "$(lsblk -lnpo NAME "$name" | sed 1d)" ] || echo "$name"
    done
}
