# A system made of packages, by debootstrap. To be sourced by run.sh.

check_packages() {
    case $SUITE in
        '' | *[!A-Za-z0-9-]*) refuse "SUITE=$SUITE in settings.sh is no codename" ;;
    esac
    [ -e "/usr/share/debootstrap/scripts/$SUITE" ] || refuse "debootstrap does not know SUITE=$SUITE"
    case $MIRROR in
        '') refuse "settings.sh names no MIRROR" ;;
        http://* | https://*) ;;
        *) refuse "MIRROR=$MIRROR in settings.sh is no URL" ;;
    esac
    case $VARIANT in
        standard | minbase) ;;
        *) refuse "VARIANT=$VARIANT in settings.sh is not known" ;;
    esac
    [ -f "$KEYRING" ] || refuse "there is no file $KEYRING, neither in the bundle nor on the machine"
    # What confirms asks the server by it.
    [ "$CONFIRM_SECONDS" = 0 ] || PACKAGES="$PACKAGES curl"
}

# Whether the mirror is there, and is what the keys say: before anything is changed. debootstrap does not take its word for it.
check_mirror() {
    step 4 "asking the mirror"
    lists=$MIRROR/dists/$SUITE/InRelease
    wget -q -O "$work/InRelease" "$lists" || refuse "$lists could not be fetched"
    gpgv --status-fd 1 --ignore-time-conflict --keyring "$(readlink -f "$KEYRING")" "$work/InRelease" \
        > "$work/signature" 2> /dev/null || true
    grep -q '^\[GNUPG:\] VALIDSIG ' "$work/signature" || refuse "$lists is not signed by a key of KEYRING=$KEYRING"
}

install_packages() { # ROOT
    # shellcheck disable=SC2086 # one a word
    set -- "$1" --force-check-sig --keyring="$(readlink -f "$KEYRING")" --arch=amd64 --include="$(joined $PACKAGES)" \
        --components="$(joined $COMPONENTS)"
    [ "$VARIANT" = standard ] || set -- "$@" --variant="$VARIANT"
    # shellcheck disable=SC2086 # one a word
    [ -z "$EXCLUDE" ] || set -- "$@" --exclude="$(joined $EXCLUDE)"
    to=$1
    shift
    # Each package would wait for the disk otherwise. A system that is not finished is not started.
    unsafe=$to/etc/dpkg/dpkg.cfg.d/unsafe-io
    mkdir -p "${unsafe%/*}"
    echo force-unsafe-io > "$unsafe"
    step 10 "asking for lists of packages"
    # Our own shell can do it, and takes three times as long.
    { dash "$(command -v debootstrap)" "$@" "$SUITE" "$to" "$MIRROR" 2>&1 || : > "$work/failed"; } | told
    if [ -e "$work/failed" ]; then
        tail -n 20 "$to/debootstrap/debootstrap.log" || true
        fail "debootstrap did not succeed; the log has the reason"
    fi
    rm -f "$unsafe" "$to"/var/cache/apt/archives/*.deb
    ls "$to"/boot/vmlinuz-* > /dev/null 2>&1 || fail "no package brought a kernel to /boot: PACKAGES in settings.sh names none"
    # The system's own apt asks the same mirror.
    case $KEYRING in
        /*) ;;
        *) install -D -m 644 "$KEYRING" "$to/etc/apt/trusted.gpg.d/mirror.gpg" ;;
    esac
}

joined() { # WORD...
    echo "$@" | tr ' ' ','
}

# What debootstrap says, without what it says of every file; where it stands, as our progress.
told() {
    while IFS= read -r line; do
        case $line in
            'I: Validating '*) continue ;;
            'I: Checking component '*) step 15 "fetching the packages" ;;
            'I: Chosen extractor '*) step 25 "unpacking them" ;;
            'I: Installing core packages'*) step 30 "installing the first of them" ;;
            'I: Unpacking the base system'*) step 40 "installing the others" ;;
            'I: Configuring the base system'*) step 50 "configuring them" ;;
        esac
        printf '%s\n' "$line"
    done
}
