# Settings of the recipe boot-once.

# A system on the disks: the device of its root file system, as a path, UUID=TEXT or LABEL=TEXT. Its newest kernel is started.
# Empty: what KERNEL, INITRD and ROOT name.
SYSTEM=""

# As in the recipe netboot: each a path below files/, or a URL with its SHA-256 behind a blank.
KERNEL=""
INITRD=""
ROOT=""

# Words for the kernel's command line; root= is added for a SYSTEM.
APPEND="ro"

# Options of `xb fetch`.
FETCH_OPTIONS="-q"

# Within so many seconds the system must be up and tell the server, or it restarts.
CONFIRM_SECONDS=300

# When the watchdog resets a machine on which the kernel hangs or panics, seconds.
WATCHDOG=180
