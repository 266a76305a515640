# Settings of the recipe repair.

# The disks that may be changed, by path or as `all` but the boot medium.
DISKS=all

# The kind of table that a disk gets when none of its own can be found: gpt, dos, or no for none at all.
LOST_TABLE=gpt

# Names of the bundle's secrets that are tried on encrypted disks, with blanks between.
LUKS_SECRETS=""

# When the boot loader is installed: missing (when it is), always or never.
BOOT_LOADER=missing

# Words for the kernel's command line of entries that have to be made anew.
KERNEL_WORDS="ro"
