#!/bin/sh
# Partitions a disk, fills it with packages from a mirror, makes it bootable by BIOS and UEFI, and starts the system.
set -eu
cd "$(dirname "$0")"
. ./settings.sh
. parts/say.sh
. parts/disks.sh
. parts/new-disk.sh
. parts/network.sh
. parts/new-system.sh
. parts/confirm.sh
. parts/boot-loader.sh
. parts/install.sh
. ./packages.sh

check_packages
begin_install
check_mirror
empty_disk
install_packages "$root"
finish_install
