# Settings of the recipe wipe.

# The disks to wipe, by their whole serial numbers, one a line, as `xb image list` and the recipe rescue print them.
# A disk that is not named is not touched.
SERIALS="
"

# How: auto takes what each disk does best, of: format (NVMe), secure-erase (SATA), discard, overwrite.
# One of these words alone asks for just that, and refuses disks that cannot.
METHOD=auto

# What is read back afterwards: sample (the ends, and 64 places between) or full.
VERIFY=sample

# The path of the boot medium is known to the machine; only when it was pulled after boot say: MEDIUM=pulled
MEDIUM=there
