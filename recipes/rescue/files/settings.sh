# Settings of the recipe rescue.

# Names of the bundle's secrets that are tried on encrypted disks, with blanks between.
LUKS_SECRETS=""

# Where file systems are mounted, each in a folder named after its device.
MOUNT_AT=/mnt/rescue

# Whether file systems are checked, without writing: yes or no. Large ones take long.
CHECK=yes

# After so many seconds the check of one file system is given up.
CHECK_SECONDS=600
