# Encryption. To be sourced by run.sh.

# LUKS2 has its header twice: one that is damaged is written anew from the other.
repair_header() { # DEVICE
    copy=$kept/$(basename "$1").header
    # Looking at it may mend it already.
    headers "$1" > "$copy"
    cryptsetup isLuks --type luks2 "$1" 2> /dev/null || return 0
    cryptsetup repair --batch-mode "$1" > "$log" 2>&1 < /dev/null || tail -n 5 "$log"
    headers "$1" | cmp -s - "$copy" || did "$1: one of two copies of its LUKS2 header was damaged, and taken from the other"
}

# Where the first copy is gone altogether, nobody looks for the second; it is at one of these places.
lost_headers() {
    for device in $(unknown_devices); do
        for place in 1 2 4 8 16 32 64 128 256; do
            [ "$(dd if="$device" bs=16k skip=$place count=1 status=none 2> /dev/null | head -c 4 | tr -d '\000')" != SKUL ] || repair_header "$device"
        done
    done
}

# Both copies of a header, at their largest.
headers() { # DEVICE
    dd if="$1" bs=1M count=8 status=none
}

# Why an encrypted device is not open.
explain_encryption() { # DEVICE
    dump=$kept/dump
    if ! cryptsetup luksDump "$1" > "$dump" 2> /dev/null; then
        lost "$1: encrypted, and its header is damaged; a copy by cryptsetup luksHeaderBackup brings it back, else what is on it is lost for good"
    elif grep -q '^Version:[[:blank:]]*2' "$dump" && ! has_key_slot "$1"; then
        lost "$1: encrypted, and its key slots are overwritten; a copy by cryptsetup luksHeaderBackup brings it back, else what is on it is lost for good"
    else
        lost "$1: encrypted, and none of the secrets opens it"
    fi
}

# Whether any key slot has what it had: to be told from noise it cannot be, from zeros it can.
has_key_slot() { # DEVICE
    for place in $(awk '/^Tokens:/ { exit } /Area offset:/ { sub(/.*Area offset:/, ""); print $1 }' "$dump"); do
        [ "$(dd if="$1" bs=4096 skip=$((place / 4096)) count=1 status=none | tr -d '\000' | wc -c)" -lt 2048 ] || return 0
    done
    return 1
}

# What the system would open, and is nowhere.
explain_crypttab() { # ROOT
    [ -f "$1/etc/crypttab" ] || return 0
    tr -d '\000\r' < "$1/etc/crypttab" | while read -r name spec rest; do
        case $name in '' | '#'*) continue ;; esac
        [ -n "$(device_of "$spec")" ] ||
            lost "crypttab: $spec for $name is nowhere; if its disk is there, both copies of its header are gone, and without one by cryptsetup luksHeaderBackup what is on it is lost for good"
    done
}
