# A kernel with what it gets into its memory. To be sourced after say.sh and get.sh; KERNEL, INITRD and ROOT are settings.

# Fetches all; sets $kernel, $initrds (options of `xb kexec`) and adds to $command_line what the root file system needs.
get_kernel() { # FIRST_PERCENT
    kernel=$work/kernel
    initrds=
    step "$1" "fetching the kernel"
    get "$KERNEL" "$kernel"
    if [ -n "$INITRD" ]; then
        step $(($1 + 10)) "fetching the initial RAM disk"
        get "$INITRD" "$work/initrd"
        initrds="--initrd $work/initrd"
    fi
    [ -n "$ROOT" ] || return 0
    step $(($1 + 20)) "fetching the root file system"
    get "$ROOT" "$work/root"
    kind=$(content_of "$work/root")
    step $(($1 + 40)) "making it ready for the kernel: $kind"
    case $kind in
        *[Ss]quashfs*) pack_squashfs "$work/root" "$work/root.cpio" ;;
        *tar*) pack_tar "$work/root" "$work/root.cpio" ;;
        *cpio*) mv "$work/root" "$work/root.cpio" ;;
        *) fail "the root image is neither squashfs nor cpio nor tar, but $kind" ;;
    esac
    rm -f "$work/root"
    initrds="$initrds --initrd $work/root.cpio"
}

# The kernel unpacks archives of cpio into its first file system, in memory, and starts what it finds there.
pack_tree() { # FOLDER TO
    if [ ! -e "$1/init" ]; then
        [ -e "$1/sbin/init" ] || [ -L "$1/sbin/init" ] || fail "the root file system has neither /init nor /sbin/init"
        command_line="rdinit=/sbin/init $command_line"
    fi
    pack "$1" "$2"
}

pack() { # FOLDER TO
    (cd "$1" && find . | cpio -o -H newc 2> /dev/null | gzip -1) > "$2"
}

pack_squashfs() { # IMAGE TO
    mkdir "$work/tree"
    modprobe -a -q loop squashfs || true
    mount -t squashfs -o ro,loop "$(readlink -f "$1")" "$work/tree" || fail "the root image cannot be mounted"
    pack_tree "$work/tree" "$2"
    umount "$work/tree"
}

pack_tar() { # ARCHIVE TO
    mkdir "$work/tree"
    tar -xf "$1" -C "$work/tree" || fail "the root archive cannot be unpacked"
    pack_tree "$work/tree" "$2"
    rm -r "$work/tree"
}

# What is in a packed file, as `file` says.
content_of() { # FILE
    case $(file -bL "$1") in
        gzip*) gzip -dc "$1" ;;
        XZ*) xz -dc "$1" ;;
        Zstandard*) zstd -dcq "$1" ;;
        bzip2*) bzip2 -dc "$1" ;;
        *) cat "$1" ;;
    esac 2> /dev/null | head -c 4096 > "$work/head" || true
    file -b "$work/head"
}
