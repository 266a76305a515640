# GRUB from the toolbox, for a system that is mounted. To be sourced.

# The disks on which a folder's file system lies: with RAID, several.
disks_below() { # FOLDER
    lsblk -lnpso NAME,TYPE "$(findmnt -no SOURCE -T "$1" | sed 's/\[.*//')" | awk '$2 == "disk" {print $1}' | sort -u
}

# Whether GRUB for BIOS has a place on a disk: a partition of its own, or the gap of an MBR.
has_bios_place() { # DISK
    case $(lsblk -dno PTTYPE "$1") in
        dos) return 0 ;;
        gpt) [ -n "$(bios_place "$1")" ] ;;
        *) return 1 ;;
    esac
}

# GRUB's own partition.
bios_place() { # DISK
    lsblk -lnpo NAME,PARTTYPE "$1" | awk '$2 == "21686148-6449-6e6f-744e-656564454649" {print $1; exit}'
}

# Whether any boot loader for BIOS is there: code in the first sector, and what it loads.
has_bios_loader() { # DISK
    place=$(bios_place "$1")
    has_content "$1" 0 440 && { if [ -n "$place" ]; then has_content "$place" 0 512; else has_content "$1" 512 512; fi; }
}

has_content() { # DEVICE OFFSET LENGTH
    [ "$(dd if="$1" bs=1 skip="$2" count="$3" status=none | tr -d '\000' | head -c 1 | wc -c)" != 0 ]
}

install_grub_bios() { # ROOT DISK
    grub-install --target=i386-pc --boot-directory="$1/boot" --recheck "$2"
}

# The place where the firmware looks without being told. On a machine with UEFI the firmware is told, too.
install_grub_uefi() { # ROOT ESP
    grub-install --target=x86_64-efi --boot-directory="$1/boot" --efi-directory="$2" --removable --no-nvram \
        --no-uefi-secure-boot --recheck || return 1
    if [ -d /sys/firmware/efi ]; then
        grub-install --target=x86_64-efi --boot-directory="$1/boot" --efi-directory="$2" --bootloader-id=xenoboot \
            --no-uefi-secure-boot --recheck || echo "the firmware did not take a boot entry; it finds the disk by itself"
    fi
}

# The ESP of a system: where it is mounted.
esp_of() { # ROOT
    for place in "$1/boot/efi" "$1/efi" "$1/boot"; do
        [ -d "$place" ] && [ "$(findmnt -no FSTYPE "$place")" = vfat ] || continue
        echo "$place"
        return 0
    done
    return 1
}

good_grub_cfg() { # ROOT
    for name in grub grub2; do
        config=$1/boot/$name/grub.cfg
        [ -s "$config" ] && grep -Eq '^[[:blank:]]*(menuentry|blscfg|linux)' "$config" && grub-script-check "$config" && return 0
    done
    return 1
}

# A menu of all kernels, the newest first.
write_grub_cfg() { # ROOT WORDS...
    root=$1
    shift
    mkdir -p "$root/boot/grub"
    boot_device=$(findmnt -no SOURCE -T "$root/boot" | sed 's/\[.*//')
    root_device=$(findmnt -no SOURCE "$root" | sed 's/\[.*//')
    folder=/boot
    [ "$boot_device" = "$root_device" ] || folder=
    case $root_device in
        # Names that the system gives to volumes itself.
        /dev/mapper/*) root_is=$root_device ;;
        *) root_is=UUID=$(blkid -o value -s UUID "$root_device") ;;
    esac
    name=$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\).*/\1/p' "$root/etc/os-release" 2> /dev/null | tr -d "'")
    {
        echo "set timeout=3"
        echo "search --no-floppy --fs-uuid --set=root $(blkid -o value -s UUID "$boot_device")"
        for kernel in $(ls "$root"/boot/vmlinuz-* | sort -rV); do
            version=${kernel##*/vmlinuz-}
            echo "menuentry '${name:-Linux}, $version' {"
            echo "    linux $folder/vmlinuz-$version root=$root_is $*"
            for initrd in "initrd.img-$version" "initramfs-$version.img" "initrd-$version"; do
                [ ! -e "$root/boot/$initrd" ] || echo "    initrd $folder/$initrd"
            done
            echo "}"
        done
    } > "$root/boot/grub/grub.cfg"
}
