# Volume groups. To be sourced by run.sh.
#
# What a group consists of stands on each of its disks, where the last states are kept in a ring, and on the installed system
# below /etc/lvm/backup. The newest state that is found anywhere counts.

states=$kept/lvm

# Devices on which nothing is known, a path a line.
unknown_devices() {
    for device in $(ends $all); do
        [ -n "$(kind_of "$device")" ] || echo "$device"
    done
}

# What LVM knows, once, because it looks at every device for each question: identifier, device, how many disks the group lacks, group.
survey() {
    pvs --noheadings --separator ' ' -o pv_uuid,pv_name,vg_missing_pv_count,vg_name > "$kept/pvs" 2> "$kept/pvs.said" < /dev/null || true
}

# Devices that LVM has marked as its own and that belong to no group.
unused_parts() {
    awk 'NF < 4 {print $2}' "$kept/pvs"
}

# The states in a device's ring, whether or not there is anything that leads to them, each in a file of FOLDER.
ring_of() { # DEVICE FOLDER
    mkdir -p "$2"
    dd if="$1" bs=1M count=1 status=none | tr -s '\000' '\001' | awk -v RS='\001' -v to="$2" '{
        count = split($0, line, "\n")
        if (line[1] !~ /^[A-Za-z0-9_+][A-Za-z0-9_.+-]* [{]$/ || line[2] !~ /^id = "/) next
        ended = 0
        for (n = 3; n <= count; n++) if (line[n] ~ /^creation_time = /) ended = 1
        if (ended) { print > (to "/" NR); close(to "/" NR) }
    }'
}

has_ring() { # DEVICE
    rm -rf "$kept/ring"
    ring_of "$1" "$kept/ring"
    [ -n "$(ls "$kept/ring")" ]
}

# Keeps the state that a file has, by group and number.
keep_state() { # FILE FROM
    group=$(sed -n 's/^\([A-Za-z0-9_+][A-Za-z0-9_.+-]*\) {$/\1/p' "$1" | head -n 1)
    state=$(sed -n 's/^[[:blank:]]*seqno = \([0-9]\{1,9\}\)$/\1/p' "$1" | head -n 1)
    [ -n "$group" ] && [ -n "$state" ] || return 0
    mkdir -p "$states/$group"
    [ ! -e "$states/$group/state.$state" ] || return 0
    cp "$1" "$states/$group/state.$state"
    echo "$2" > "$states/$group/from.$state"
}

# Everything that the disks tell: rings, and what groups that lack a part know of it.
states_of_disks() {
    mkdir -p "$states"
    survey
    for device in $(unknown_devices) $(unused_parts); do
        has_ring "$device" || continue
        for file in "$kept"/ring/*; do
            keep_state "$file" "the copies on $device"
            [ -z "$group" ] || echo "$device" >> "$states/$group/on"
        done
    done
    for group in $(awk '{print $4}' "$kept/pvs" | sort -u); do
        is_whole "$group" || ! vgcfgbackup -f "$kept/state" "$group" > "$log" 2>&1 || keep_state "$kept/state" "its other disks"
    done
}

states_of_system() { # ROOT
    mkdir -p "$states"
    survey
    for file in "$1"/etc/lvm/backup/*; do
        [ ! -f "$file" ] || keep_state "$file" "/etc/lvm/backup of the system"
    done
}

# Whether a group is known and lacks nothing.
is_whole() { # GROUP
    awk -v group="$1" '$4 == group { known = 1; missing += $3 } END { exit !known || missing }' "$kept/pvs"
}

# The parts of a state: identifier, size in sectors, and what the device was called.
parts_of() { # STATE
    awk '{ sub(/^[[:blank:]]+/, "") }
        /^physical_volumes [{]/ { inside = 1 }
        /^logical_volumes [{]/ { inside = 0 }
        inside && /^id = "[A-Za-z0-9-]+"/ { split($0, part, "\""); id = part[2] }
        inside && /^device = "/ { split($0, part, "\""); device = part[2] }
        inside && /^dev_size = / { size = $3 }
        inside && /^pe_count = / { print id, size, device }' "$1"
}

# Whether a part is there and belongs to the group.
has_part() { # GROUP ID
    awk -v group="$1" -v id="$2" '$1 == id && $2 != "[unknown]" && $4 == group { found = 1 } END { exit !found }' "$kept/pvs"
}

# The device that a part was on. Where its label is gone, it is the only one of its size: of those with copies of the state, of
# all, or else that of the same name.
device_of_part() { # GROUP ID SECTORS NAME
    labelled=$(blkid -t "UUID=$2" -o device 2> /dev/null | head -n 1)
    [ -z "$labelled" ] || { echo "$labelled"; return; }
    unknown_devices > "$kept/unknown"
    : >> "$states/$1/on"
    sort -u "$states/$1/on" | grep -Fx -f - "$kept/unknown" | of_size "$3" > "$kept/candidates" || true
    one_candidate && return
    of_size "$3" < "$kept/unknown" > "$kept/candidates"
    one_candidate || grep -Fx "$4" "$kept/candidates" || true
}

one_candidate() {
    [ "$(wc -l < "$kept/candidates")" = 1 ] && cat "$kept/candidates"
}

# Those of so many sectors that are not empty.
of_size() { # SECTORS
    while read -r device; do
        [ "$(blockdev --getsz "$device")" != "$1" ] || is_blank "$device" || echo "$device"
    done
}

is_blank() { # DEVICE
    [ "$(dd if="$1" bs=1M count=64 status=none | tr -d '\000' | head -c 1 | wc -c)" = 0 ]
}

# Every group of which a state is known and which is not whole.
restore_groups() {
    for folder in "$states"/*; do
        [ -d "$folder" ] || continue
        group=$(basename "$folder")
        is_whole "$group" || restore_group "$group" "$(ls "$folder" | sed -n 's/^state\.//p' | sort -n | tail -n 1)"
    done
}

restore_group() { # GROUP STATE
    text=$states/$1/state.$2
    parts_of "$text" > "$states/$1/parts"
    there=yes
    while read -r id sectors name; do
        ! has_part "$1" "$id" || continue
        device=$(device_of_part "$1" "$id" "$sectors" "$name")
        [ -n "$device" ] || { there=no; continue; }
        dd if="$device" of="$kept/$(basename "$device").start" bs=1M count=1 status=none
        pvcreate -ff -y --uuid "$id" --restorefile "$text" "$device" > "$log" 2>&1 < /dev/null || { tail -n 5 "$log"; there=no; }
    done < "$states/$1/parts"
    # Without all parts nothing is written to those that are there.
    [ "$there" = yes ] || return 0
    if vgcfgrestore -f "$text" "$1" > "$log" 2>&1 < /dev/null; then
        did "the volume group $1 was restored from $(cat "$states/$1/from.$2"), state $2"
    else
        tail -n 5 "$log"
        lost "the volume group $1 could not be restored; its description is $text: vgcfgrestore -f, by hand"
    fi
    survey
}

# Disks of a whole group on which its description is damaged.
damaged_parts() {
    sed -n 's/.* bad metadata [a-z]* on \([^ ]*\) [a-z]* .*/\1/p' "$kept/pvs.said" | sort -u
}

# They get it from the others.
repair_parts() {
    for device in $(damaged_parts); do
        group=$(awk -v device="$device" '$2 == device {print $4}' "$kept/pvs")
        [ -n "$group" ] && is_whole "$group" || continue
        vgchange -q -an "$group" > "$log" 2>&1 < /dev/null || true
        vgcfgbackup -f "$kept/state" "$group" > "$log" 2>&1 < /dev/null || true
        pvck --repair -y -f "$kept/state" "$device" > "$log" 2>&1 < /dev/null || true
        survey
        if damaged_parts | grep -Fqx "$device"; then
            tail -n 5 "$log"
            lost "the volume group $group: its description on $device is damaged, and pvck cannot mend it"
        else
            did "the volume group $group: $device had lost its description, and got it from the others"
        fi
    done
}

# What is known of and is not there.
missing_groups() {
    for folder in "$states"/*; do
        [ -d "$folder" ] || continue
        group=$(basename "$folder")
        is_whole "$group" || lost "the volume group $group lacks a disk, or which it was cannot be told; what lies on it is back when the disk is"
    done
}
