# Settings of the recipe install-debootstrap.

# The release, by its codename, and the URL where its packages are: a mirror of Debian, or of another system that debootstrap knows.
SUITE=trixie
MIRROR=""
COMPONENTS="main"

# The keys of which one must have signed what the mirror has, as OpenPGP without armor: a path of the machine, or below files/.
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# What is installed anyway: standard, or minbase for what no system is without, and apt.
VARIANT=standard

# Packages besides, a kernel among them, and packages that are left out. With what they depend on.
PACKAGES="linux-image-amd64 openssh-server"
EXCLUDE=""

# The disk, as for `xb image write --disk`: a path, serial=TEXT, largest, smallest>=20G, nvme and so on. All of it is used.
DISK=""

# The root file system's kind: ext4, xfs or btrfs. How large the firmware's partition is, and swap space (0 for none).
FILE_SYSTEM=ext4
ESP_SIZE=256MiB
SWAP_SIZE=0

# The system's name; empty: the name that the machine has here.
HOSTNAME=""

# The network: auto (as the machine has it here: its card, static addresses where the site file has some, else DHCP), dhcp, or
# keep (what the packages set up, which is nothing).
NETWORK=auto

# Words for the kernel's command line.
KERNEL_WORDS="ro"

# Within so many seconds the system must be up and tell the server, or it restarts; 0: it need not tell.
CONFIRM_SECONDS=600

# When the watchdog resets a machine on which the new kernel hangs, seconds.
WATCHDOG=180
