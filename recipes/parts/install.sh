# An installation, before the system's files are there and after. To be sourced after the parts that are made for it: say.sh,
# new-disk.sh, network.sh, new-system.sh, confirm.sh and boot-loader.sh.

# Chooses the disk: sets $disk, $root, where the system will be mounted, and $work. Nothing is changed.
begin_install() {
    step 2 "waiting for the disks"
    xb settle
    check_new_disk
    check_new_system
    disk=$(xb image choose "$DISK") || refuse "DISK=$DISK means no disk that may be written; the log has the reason"
    work=$(mktemp -d)
    root=/mnt/new
}

# From here on nothing that was on the disk is left.
empty_disk() {
    step 5 "partitioning $disk"
    make_partitions "$disk"
    make_file_systems
    mount_new "$root"
}

# The files are there: makes them this machine's own, and ready to be started.
finish_install() {
    step 60 "settings of this machine"
    set_up_system "$root"
    step 70 "the boot loader"
    write_menu "$root" "$KERNEL_WORDS"
    install_grub_uefi "$root" "$root/boot/efi" || fail "GRUB for UEFI could not be installed"
    # Last of all, because from here on the disk boots.
    install_grub_bios "$root" "$disk" || fail "GRUB for BIOS could not be installed"
    step 90 "loading the new system's kernel"
    load_new_kernel "$root"
    unmount_new "$root"
    xb report "result=installed on $disk; it starts when this is stored"
    step 100 "installed"
}
