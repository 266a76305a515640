# The network of an installed system, as the machine has it here. To be sourced after say.sh; NETWORK is a setting.

site=/etc/xenoboot/site/site.toml
cards=/sys/class/net
resolver=/etc/resolv.conf

# The card by which the server is reached, and what it has: sets $card, $mac, $static4, $static6, $dhcp4, $auto6, $gateways and
# $servers. Before anything is changed.
find_network() {
    static4='' static6='' dhcp4=yes auto6=yes gateways='' servers=''
    case $NETWORK in
        auto | dhcp) ;;
        keep) return 0 ;;
        *) refuse "NETWORK=$NETWORK in settings.sh is not known" ;;
    esac
    card=$({ ip route show default; ip -6 route show default; } | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
    [ -n "$card" ] || refuse "there is no default route to take the network's settings from: set NETWORK=keep"
    [ -e "$cards/$card/device" ] ||
        refuse "the server is reached by $card, which is a VLAN, a bond or a bridge: set NETWORK=keep, and give the system its network in files/seed/network-config or in the image"
    mac=$(cat "$cards/$card/address")
    [ "$NETWORK" = auto ] || return 0
    here=$(ip -o addr show dev "$card" scope global)
    static4=$(echo "$here" | awk '$3 == "inet" {print $4}' | in_site_file)
    static6=$(echo "$here" | awk '$3 == "inet6" && !/ dynamic / {print $4}')
    grep -Eq 'address[[:blank:]]*=[[:blank:]]*"[0-9A-Fa-f]*:' "$site" || static6=
    [ -z "$static4" ] && echo "$here" | grep -q ' inet ' || dhcp4=
    [ -z "$static6" ] && echo "$here" | grep -q ' inet6 ' || auto6=
    [ -n "$static4$static6" ] || return 0
    gateways=$({ ip route show default dev "$card"; ip -6 route show default dev "$card"; } | sed -n 's/.* via \([^ ]*\).*/\1/p')
    [ -n "$static6" ] || gateways=$(echo "$gateways" | grep -v : || true)
    [ -n "$static4" ] || gateways=$(echo "$gateways" | grep : || true)
    servers=$(awk '$1 == "nameserver" {print $2}' "$resolver")
}

# Of addresses with prefix lengths those that the site file has; others came by DHCP.
in_site_file() {
    while read -r address; do
        ! grep -Fq "\"$address\"" "$site" || echo "$address"
    done
}

# By what the system has for it: netplan, ifupdown, or systemd-networkd.
set_up_network() { # ROOT
    if [ "$NETWORK" = keep ]; then
        return
    elif [ -f seed/network-config ]; then
        echo "the network is left to cloud-init: the bundle has seed/network-config"
        return
    elif [ -d "$1/etc/netplan" ] && [ -e "$1/usr/sbin/netplan" ]; then
        for other in "$1"/etc/netplan/*.yaml; do
            [ ! -e "$other" ] || mv "$other" "$other.before-install"
        done
        (umask 077 && netplan > "$1/etc/netplan/50-xenoboot.yaml")
    elif [ -e "$1/usr/sbin/ifup" ]; then
        mkdir -p "$1/etc/network"
        interfaces > "$1/etc/network/interfaces"
    elif [ -e "$1/usr/lib/systemd/systemd-networkd" ]; then
        mkdir -p "$1/etc/systemd/network"
        # The first file that fits a card counts.
        networkd > "$1/etc/systemd/network/05-xenoboot.network"
        SYSTEMD_OFFLINE=1 chroot "$1" systemctl enable systemd-networkd > /dev/null 2>&1 || fail "systemd-networkd could not be enabled"
    else
        fail "the system has neither netplan nor ifupdown nor systemd-networkd: set NETWORK=keep if its network is set up otherwise"
    fi
    set_up_resolver "$1"
    # Otherwise cloud-init asks for DHCP on the first card.
    [ ! -d "$1/etc/cloud" ] || {
        mkdir -p "$1/etc/cloud/cloud.cfg.d"
        echo 'network: {config: disabled}' > "$1/etc/cloud/cloud.cfg.d/99-xenoboot-network.cfg"
    }
}

# Name servers that belong to static addresses, where nothing in the system would take them from its network's settings.
set_up_resolver() { # ROOT
    [ -n "$servers" ] || return 0
    [ ! -e "$1/usr/sbin/resolvconf" ] && [ ! -e "$1/usr/bin/resolvectl" ] || return 0
    rm -f "$1/etc/resolv.conf"
    for server in $servers; do echo "nameserver $server"; done > "$1/etc/resolv.conf"
}

networkd() {
    printf '[Match]\nMACAddress=%s\n\n[Network]\n' "$mac"
    case $dhcp4-$auto6 in
        yes-yes) echo "DHCP=yes" ;;
        yes-) echo "DHCP=ipv4" ;;
    esac
    [ -z "$static6" ] || echo "IPv6AcceptRA=no"
    for address in $static4 $static6; do echo "Address=$address"; done
    for server in $servers; do echo "DNS=$server"; done
    for gateway in $gateways; do printf '\n[Route]\nGateway=%s\nGatewayOnLink=yes\n' "$gateway"; done
}

netplan() {
    printf 'network:\n  version: 2\n  ethernets:\n    first:\n      match:\n        macaddress: "%s"\n' "$mac"
    printf '      dhcp4: %s\n      dhcp6: %s\n' "$(truth "$dhcp4")" "$(truth "$auto6")"
    [ -n "$static4$static6" ] || return 0
    [ -z "$static6" ] || echo '      accept-ra: false'
    # shellcheck disable=SC2086 # several
    printf '      addresses: [%s]\n' "$(quoted $static4 $static6)"
    [ -z "$gateways" ] || echo '      routes:'
    for gateway in $gateways; do printf '        - {to: default, via: "%s", on-link: true}\n' "$gateway"; done
    # shellcheck disable=SC2086 # several
    [ -z "$servers" ] || printf '      nameservers:\n        addresses: [%s]\n' "$(quoted $servers)"
}

truth() { # WORD-OR-NOTHING
    if [ -n "$1" ]; then echo true; else echo false; fi
}

quoted() { # WORD...
    for word in "$@"; do printf '"%s", ' "$word"; done | sed 's/, $//'
}

# The name that the system will give the card is not known here; ifupdown finds it by its address.
interfaces() {
    printf 'auto lo\niface lo inet loopback\n\nauto mac/%s=first\n' "$mac"
    [ -z "$dhcp4" ] || echo "iface first inet dhcp"
    [ -z "$auto6" ] || [ "$NETWORK" = dhcp ] || echo "iface first inet6 auto"
    for address in $static4; do static inet "$address" "$(echo "$gateways" | grep -v : || true)"; done
    for address in $static6; do static inet6 "$address" "$(echo "$gateways" | grep : || true)"; done
    # shellcheck disable=SC2086,SC2116 # on one line
    [ -z "$servers" ] || printf '    dns-nameservers %s\n' "$(echo $servers)"
}

# Each family has its gateway once.
static() { # FAMILY ADDRESS GATEWAYS
    printf 'iface first %s static\n    address %s\n' "$1" "$2"
    case " $gateway_of " in *" $1 "*) return ;; esac
    gateway_of="$gateway_of $1"
    for gateway in $3; do printf '    gateway %s\n' "$gateway"; done
}
gateway_of=
