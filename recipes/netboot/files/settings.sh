# Settings of the recipe netboot. A file is a path below files/, or a URL with its SHA-256 behind a blank.

# The kernel.
KERNEL=""

# Its initial RAM disk; may be empty.
INITRD=""

# The root file system: squashfs, cpio or tar, the last two also packed by gzip, xz, zstd or bzip2. May be empty when
# the initial RAM disk is the whole system.
ROOT=""

# The kernel's command line. The consoles of the running kernel are handed on when it names none.
APPEND=""

# Options of `xb fetch`: a proxy, or --cacert, or -k where digests alone shall decide.
FETCH_OPTIONS="-q"

# When the watchdog resets a machine on which the kernel hangs, seconds.
WATCHDOG=180
