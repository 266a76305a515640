#!/bin/sh
# Makes the indices in this folder: assembles tiny modules and runs depmod (kmod) on them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/lib/modules/6.12.0-test
mkdir -p "$tree/kernel/net" "$tree/kernel/fs" "$tree/kernel/lib"

# module FILE "modinfo strings" "exported symbols" "needed symbols"
module() {
    {
        echo '.section .modinfo,"a"'
        for info in $2; do printf '.string "%s"\n' "$(echo "$info" | tr '~' ' ')"; done
        echo '.section __ksymtab_strings,"a"'
        for symbol in $3; do printf '.string "%s"\n' "$symbol"; done
        echo '.text'
        for symbol in $4; do printf '.quad %s\n' "$symbol"; done
    } | as -o "$tree/kernel/$1" -
}
module lib/failover.ko 'license=GPL' 'failover_register' ''
module lib/net-failover.ko 'license=GPL' 'net_failover_create' 'failover_register'
module net/virtio-net.ko 'license=GPL alias=virtio:d00000001v*' '' 'net_failover_create failover_register'
module net/e1000e.ko 'license=GPL alias=pci:v00008086d000010D3sv*sd*bc*sc*i* alias=pci:v00008086d0000150Csv*sd*bc*sc*i*' '' ''
module net/asix.ko 'license=GPL alias=usb:v0B95p772[A-C]d*dc*dsc*dp*ic*isc*ip*in*' '' ''
module net/generic.ko 'license=GPL alias=pci:v*d*sv*sd*bc02sc00i*' '' ''
module lib/crc-test.ko 'license=GPL alias=crypto-test' '' ''
module lib/late.ko 'license=GPL' '' ''
module fs/testfs.ko 'license=GPL alias=fs-testfs softdep=pre:~crypto-test~post:~late' '' ''
printf '%s\n' kernel/net/e1000e.ko kernel/net/generic.ko kernel/net/virtio-net.ko > "$tree/modules.order"
printf '%s\n' kernel/net/loopback-test.ko > "$tree/modules.builtin"
: > "$tree/modules.builtin.modinfo"
depmod -b "$work" 6.12.0-test
for file in modules.dep.bin modules.alias.bin modules.softdep modules.builtin; do
    cp "$tree/$file" "$here/"
done
