# What makes an installed system this machine's own. To be sourced after network.sh.

check_new_system() {
    find_network
    [ ! -d seed ] || [ -f seed/user-data ] || refuse "files/seed is there without user-data"
}

set_up_system() { # ROOT
    new_fstab "$1"
    name=${HOSTNAME:-${XENOBOOT_NAME:-}}
    if [ -n "$name" ]; then
        echo "$name" > "$1/etc/hostname"
        grep -q "[[:blank:]]$name\$" "$1/etc/hosts" 2> /dev/null || printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >> "$1/etc/hosts"
    fi
    # An image that was copied must not give all machines one identity.
    [ ! -e "$1/etc/machine-id" ] || : > "$1/etc/machine-id"
    set_up_keys "$1"
    set_up_network "$1"
    set_up_seed "$1"
    [ "$CONFIRM_SECONDS" = 0 ] || install_confirm "$1"
}

# Host keys that the site has, or new ones; the operators' keys; a password.
set_up_keys() { # ROOT
    mkdir -p "$1/etc/ssh"
    for kind in ed25519 ecdsa rsa; do
        key=$1/etc/ssh/ssh_host_${kind}_key
        if xb secret "ssh-host-$kind" > "$work/key" 2> /dev/null; then
            (umask 077 && cat "$work/key" > "$key")
            ssh-keygen -y -f "$key" > "$key.pub" || fail "the secret ssh-host-$kind is no key of SSH"
            echo "the host key $kind came with the bundle: $(ssh-keygen -lf "$key.pub")"
        else
            rm -f "$key" "$key.pub"
        fi
    done
    rm -f "$work/key"
    ls "$1"/etc/ssh/ssh_host_*_key > /dev/null 2>&1 || new_host_key "$1"
    if [ -f authorized_keys ]; then
        (umask 077 && mkdir -p "$1/root/.ssh" && cat authorized_keys > "$1/root/.ssh/authorized_keys")
    fi
    if xb secret root-password > "$work/hash" 2> /dev/null; then
        awk -F: -v OFS=: -v file="$work/hash" 'BEGIN { getline hash < file } $1 == "root" { $2 = hash } { print }' \
            "$1/etc/shadow" > "$work/shadow"
        cat "$work/shadow" > "$1/etc/shadow"
        rm -f "$work/hash" "$work/shadow"
    fi
}

new_host_key() { # ROOT
    ssh-keygen -q -t ed25519 -N '' -C "root@${name:-machine}" -f "$1/etc/ssh/ssh_host_ed25519_key" < /dev/null
    xb report "ssh-host-key=$(ssh-keygen -lf "$1/etc/ssh/ssh_host_ed25519_key.pub")"
}

# What cloud-init reads (NoCloud), when the bundle has it.
set_up_seed() { # ROOT
    [ -f seed/user-data ] || return 0
    [ -e "$1/usr/bin/cloud-init" ] || xb report "seed=the image has no cloud-init, which would read it"
    seed=$1/var/lib/cloud/seed/nocloud
    (umask 077 && mkdir -p "$seed" && cat seed/user-data > "$seed/user-data")
    if [ -f seed/meta-data ]; then
        cat seed/meta-data > "$seed/meta-data"
    else
        printf 'instance-id: %s\nlocal-hostname: %s\n' "$XENOBOOT_RUN" "${name:-localhost}" > "$seed/meta-data"
    fi
    for file in network-config vendor-data; do
        [ ! -f "seed/$file" ] || cat "seed/$file" > "$seed/$file"
    done
}

# The system's own way to make GRUB's menu where it has one, else ours.
write_menu() { # ROOT WORDS
    if [ -x "$1/usr/sbin/update-grub" ] && [ -x "$1/usr/bin/grub-script-check" ]; then
        in_system "$1" update-grub && return
        echo "the system's own update-grub failed"
    fi
    write_grub_cfg "$1" "$2"
}

in_system() { # ROOT COMMAND...
    at=$1
    shift
    for folder in proc sys dev; do mount --bind "/$folder" "$at/$folder"; done
    status=0
    chroot "$at" "$@" || status=$?
    for folder in dev sys proc; do umount "$at/$folder"; done
    return "$status"
}

# The newest kernel of the system, as its boot loader would start it.
load_new_kernel() { # ROOT
    kernel=$(ls "$1"/boot/vmlinuz-* | sort -V | tail -n 1)
    initrd=$1/boot/initrd.img-${kernel##*/vmlinuz-}
    set --
    [ ! -e "$initrd" ] || set -- --initrd "$initrd"
    xb kexec "$@" --append "root=$(by_uuid "$part") $KERNEL_WORDS" --watchdog "$WATCHDOG" "$kernel" ||
        fail "the new kernel could not be loaded"
}
