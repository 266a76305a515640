# Settings of the recipe install-debian-image.

# The root file system: an archive of tar, plain or packed by gzip, xz, zstd or bzip2. A path below files/, or a URL with
# its SHA-256 behind a blank.
IMAGE=""

# The disk, as for `xb image write --disk`: a path, serial=TEXT, largest, smallest>=20G, nvme and so on. All of it is used.
DISK=""

# The root file system's kind: ext4, xfs or btrfs. How large the firmware's partition is, and swap space (0 for none).
FILE_SYSTEM=ext4
ESP_SIZE=256MiB
SWAP_SIZE=0

# The system's name; empty: the name that the machine has here.
HOSTNAME=""

# The network: auto (as the machine has it here: its card, static addresses where the site file has some, else DHCP), dhcp, or
# keep (what the image has).
NETWORK=auto

# Words for the kernel's command line.
KERNEL_WORDS="ro"

# Options of `xb image unpack`: --cacert, --pinnedpubkey, or -k where the digest alone shall decide.
FETCH_OPTIONS="-q"

# Within so many seconds the system must be up and tell the server, or it restarts; 0: it need not tell.
CONFIRM_SECONDS=600

# When the watchdog resets a machine on which the new kernel hangs, seconds.
WATCHDOG=180
