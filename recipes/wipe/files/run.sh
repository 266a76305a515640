#!/bin/sh
# Wipes the named disks and reports each with the machine's signature.
set -eu
cd "$(dirname "$0")"
. ./settings.sh
. parts/say.sh
. parts/disks.sh
. ./methods.sh
. ./readback.sh

# Prints the one disk that has this serial number.
disk_of() { # SERIAL
    disks | while read -r disk; do
        [ "$(lsblk -dno SERIAL "$disk" | tr -d ' ')" != "$(printf '%s' "$1" | tr -d ' ')" ] || echo "$disk"
    done
}

# Why a disk must not be written, in words; empty when it may.
trouble_of() { # DISK
    xb image list | awk -v disk="$1:" '
        $1 == disk { here = 1; next }
        here && /^  not written: / { sub(/^  not written: /, ""); print; exit }
        { here = 0 }'
}

wipe() { # DISK SERIAL
    size=$(blockdev --getsize64 "$1")
    model=$(lsblk -dno MODEL "$1")
    remember "$1"
    verified=no
    for method in $(methods_of "$1"); do
        step "$percent" "$1 ($2): $method"
        if ! "do_$(echo "$method" | tr - _)" "$1"; then
            echo "$1: $method failed"
            continue
        fi
        if read_back "$1" "$method"; then
            verified=$seen
            break
        fi
        echo "$1: after $method its content is still there"
    done
    number=$((number + 1))
    result="serial=\"$2\" model=\"$model\" size=$size method=$method verified=$verified at=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    xb report --sign "disk$number=$result" || fail "there is no signed report of $1, \"$2\": the agent does not take it"
    [ "$verified" != no ]
}

step 1 "looking for the disks"
xb settle
[ "$MEDIUM" = pulled ] || xb settle /run/xenoboot/medium ||
    refuse "the boot medium was not found, so it might be taken for a disk to wipe; if it was pulled, set MEDIUM=pulled"
case $METHOD in
    auto | format | secure-erase | discard | overwrite) ;;
    *) refuse "METHOD=$METHOD in settings.sh is not known" ;;
esac
case $VERIFY in
    sample | full) ;;
    *) refuse "VERIFY=$VERIFY in settings.sh is not known" ;;
esac

# Everything is looked at before anything is wiped.
work=$(mktemp -d)
printf '%s\n' "$SERIALS" | sed 's/^[[:blank:]]*//; s/[[:blank:]]*$//; /^$/d' | sort -u > "$work/serials"
[ -s "$work/serials" ] || refuse "settings.sh names no disk; there are: $(xb image list | tr '\n' ';')"
while IFS= read -r serial; do
    disk=$(disk_of "$serial")
    case $disk in
        '') refuse "no disk has the serial number \"$serial\"; there are: $(xb image list | tr '\n' ';')" ;;
        *"
"*) refuse "several disks have the serial number \"$serial\"" ;;
    esac
    trouble=$(trouble_of "$disk")
    [ -z "$trouble" ] || refuse "$disk, \"$serial\", is not wiped: $trouble"
    [ -n "$(methods_of "$disk")" ] || refuse "$disk, \"$serial\", cannot do METHOD=$METHOD"
    echo "$disk $serial" >> "$work/disks"
done < "$work/serials"

total=$(wc -l < "$work/disks")
number=0
failed=0
while read -r disk serial; do
    percent=$((5 + 95 * number / total))
    wipe "$disk" "$serial" || failed=$((failed + 1))
done < "$work/disks"
[ "$failed" = 0 ] || fail "$failed of $total disks could not be wiped: the signed reports say which"
xb report "result=$total disks wiped"
step 100 "all disks are wiped"
