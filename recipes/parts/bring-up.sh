# RAID, encryption and volume groups are brought up, whatever stands on whatever. To be sourced after say.sh and
# disks.sh; $LUKS_SECRETS names the secrets of the bundle that are tried as keys. Before a device is opened for writing,
# `repair_header` is called with it, where there is such a function.

# Goes on until a round has found nothing new.
bring_up() { # ro|rw
    modprobe -a -q dm_mod dm_crypt md_mod raid1 raid456 raid10 raid0 linear || true
    there=0
    while now=$(lsblk -lnpo NAME | sort -u | wc -l) && [ "$now" -gt "$there" ]; do
        there=$now
        raid_up "$1"
        encryption_up "$1"
        volumes_up "$1"
    done
}

# Arrays that lack a member are started, too.
raid_up() { # ro|rw
    [ -n "$(blkid -t TYPE=linux_raid_member -o device 2> /dev/null || true)" ] || return 0
    how=
    [ "$1" = rw ] || how=--readonly
    mdadm --assemble --scan --run $how 2>&1 | grep -v '^$' || true
}

volumes_up() { # ro|rw
    vgs --noheadings -o vg_name 2> /dev/null | while read -r group; do
        # A volume that lacks a part is better than none, as long as nobody writes to it.
        if [ "$1" = ro ]; then
            vgchange -q -ay --activationmode partial \
                --config "activation { read_only_volume_list = [ \"$group\" ] }" "$group" < /dev/null
        else
            vgchange -q -ay --activationmode degraded "$group" < /dev/null
        fi || echo "the volume group $group cannot be activated"
    done
}

encryption_up() { # ro|rw
    blkid -t TYPE=crypto_LUKS -o device 2> /dev/null | sort | while read -r device; do
        name=luks-$(basename "$device")
        [ ! -e "/dev/mapper/$name" ] || continue
        [ "$1" = ro ] || ! command -v repair_header > /dev/null || repair_header "$device"
        how=
        [ "$1" = rw ] || how=--readonly
        for secret in $LUKS_SECRETS; do
            if xb secret "$secret" | cryptsetup open $how --key-file - "$device" "$name" 2> /dev/null; then
                echo "$device was opened with the secret $secret"
                break
            fi
        done
    done
}
