# RAID. To be sourced by run.sh.

arrays() {
    lsblk -nlpo NAME,TYPE | awk '$2 ~ /^raid/ {print $1}' | sort -u
}

# A member that was left out and is healthy takes part again; it is filled with what it missed.
repair_array() { # ARRAY
    folder=/sys/block/$(basename "$(readlink -f "$1")")/md
    [ "$(cat "$folder/degraded" 2> /dev/null || echo 0)" != 0 ] || return 0
    uuid=$(mdadm --detail --export "$1" | sed -n 's/^MD_UUID=//p')
    for member in $(blkid -t TYPE=linux_raid_member -o device | sort -u); do
        [ "$(mdadm --examine --export "$member" 2> /dev/null | sed -n 's/^MD_UUID=//p')" = "$uuid" ] || continue
        ! in_array "$folder" "$member" || continue
        if failing "$member"; then
            lost "$1: $member is by its own account failing, and stays out"
        elif mdadm --quiet "$1" --re-add "$member" 2> /dev/null || mdadm --quiet "$1" --add "$member"; then
            did "$1: $member takes part again"
        fi
    done
    mdadm --wait "$1" > /dev/null 2>&1 || true
    missing=$(cat "$folder/degraded")
    [ "$missing" = 0 ] || lost "$1: $missing of its members are missing; replace the disk, then mdadm $1 --add PARTITION"
}

in_array() { # FOLDER MEMBER
    [ -e "$1/dev-$(basename "$2")" ]
}

failing() { # DEVICE
    disk=$(lsblk -dnpo PKNAME "$1")
    status=0
    smartctl -q silent -H "${disk:-$1}" > /dev/null 2>&1 || status=$?
    [ $((status & 8)) -ne 0 ]
}
