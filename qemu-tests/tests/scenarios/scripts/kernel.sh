# Runs the commands that talk to the kernel, each on something real, and says which did not do what
# was expected. /dev/vda is blank, /dev/vdb has a file system (ext4, called `there`).

good=0
wrong=0
check() { # NAME PATTERN COMMAND: what it prints, on both streams, fits the pattern of a shell
    got=$(eval "$3" 2>&1)
    case $got in
        $2) good=$((good + 1)); echo "right: $1" ;;
        *)
            wrong=$((wrong + 1))
            echo "wrong: $1: $3"
            echo "$got" | sed 's/^/wrong:   /'
            ;;
    esac
}

at=/mnt/at
mkdir -p $at /mnt/other
xb settle /dev/vda /dev/vdb

# Disks and partitions
check lsblk 'vda 200M disk' 'lsblk -rno NAME,SIZE,TYPE /dev/vda'
check blockdev 209715200 'blockdev --getsize64 /dev/vda'
check blockdev '1?0' 'blockdev --setro /dev/vdb; blockdev --getro /dev/vdb; blockdev --setrw /dev/vdb; blockdev --getro /dev/vdb'
check sfdisk '' "printf 'label: gpt\n,100M\n,,S\n' | sfdisk --quiet /dev/vda"
xb settle /dev/vda2
check lsblk 'vda1 100M?vda2 9?M' 'lsblk -rno NAME,SIZE /dev/vda | tail -n +2'
check fdisk '*/dev/vda1*100M*Linux filesystem*/dev/vda2*Linux swap*' 'fdisk -l /dev/vda'
check sfdisk '*start=*2048, size=*204800,*' 'sfdisk --dump /dev/vda'
check sfdisk gone 'sfdisk --quiet --delete /dev/vda 1 && { test -e /dev/vda1 && echo there || echo gone; }'
printf 'size=100M, name=data\n' | sfdisk --quiet --append /dev/vda
xb settle /dev/vda1
check partprobe '' 'partprobe /dev/vda'
check blkid 'ext4?there' 'blkid -o value -s TYPE /dev/vdb; blkid -o value -s LABEL /dev/vdb'
check blkid '/dev/vdb' 'blkid -L there'
check blkid /dev/vda1 'blkid -l -o device -t PARTLABEL=data'
check wipefs '*ext4*there*' 'wipefs /dev/vdb'
check blkdiscard '' 'blkdiscard /dev/vda1'
check dd '*1048576 bytes*' 'dd if=/dev/urandom of=/dev/vda1 bs=64K count=16 conv=fsync'

# Swap
check mkswap '*Setting up swapspace version 1*' 'mkswap -L more /dev/vda2'
check swapon '' 'swapon -L more'
check swapon '/dev/vda2 partition 9*M 0B *' 'swapon --show --noheadings | tr -s " "'
check free '*[1-9]*' "free -m | awk '/Swap/ && \$2 > 90'"
check swapoff '' 'swapoff /dev/vda2; tail -n +2 /proc/swaps'
check wipefs '*erased*' 'wipefs -a /dev/vda2'

# File systems
check mount '' "mount -o noatime LABEL=there $at"
check findmnt "$at /dev/vdb ext4 rw,noatime" "findmnt -rno TARGET,SOURCE,FSTYPE,OPTIONS $at | cut -d, -f1,2"
check mountpoint "$at is a mountpoint" "mountpoint $at"
check mountpoint '/mnt/other is not a mountpoint' 'mountpoint /mnt/other'
check fstrim "$at: *trimmed" "fstrim -v $at"
check fsfreeze 'frozen' "fsfreeze -f $at; touch $at/cold & touch=\$!
    until grep -q '^State:.D' /proc/\$touch/status; do :; done; echo frozen; fsfreeze -u $at; wait \$touch"
check mount '*Read-only file system' "mount -o remount,ro $at; touch $at/no; mount -o remount,rw $at"
check mount 'kept' "mount --bind $at /mnt/other; echo kept > /mnt/other/file; cat $at/file; umount /mnt/other"
check mount 'a?b' "mkdir -p /tmp/up /tmp/work; mount -t tmpfs t /tmp/up; mkdir /tmp/up/u /tmp/up/w; echo a > $at/a;
    mount -t overlay -o lowerdir=$at,upperdir=/tmp/up/u,workdir=/tmp/up/w o /mnt/other; echo b > /mnt/other/b;
    cat /mnt/other/a /mnt/other/b; test -e $at/b && echo leaked; umount /mnt/other /tmp/up"
sleep 1000 > $at/open &
sleeper=$!
check umount '*busy*' "umount $at"
check fuser "*$sleeper*" "fuser -m $at"
check lsof "$sleeper" "lsof -t $at/open"
check umount '' "umount -l $at; kill $sleeper; findmnt -n $at"
check losetup 'lazy' "until mount /dev/vdb $at 2> /dev/null; do :; done; truncate -s 20M $at/image;
    printf ',10M\n' | sfdisk --quiet $at/image; loop=\$(losetup -fP --show $at/image); xb settle \${loop}p1
    lsblk -rno SIZE \${loop}p1 | grep -qx 10M && losetup -d \$loop && echo lazy"
check mount 'inner' "dd if=/dev/vdb of=/tmp/copy bs=1M 2> /dev/null; mount -o loop,ro,noload /tmp/copy /mnt/other &&
    findmnt -no SOURCE /mnt/other | grep -q '^/dev/loop' && echo inner; umount /mnt/other"
check sync '' "sync $at/file; sync -f $at; sync"
check df "/dev/vdb *$at" "df $at | tail -n 1"
check umount '' "umount $at; losetup -a"

# Modules, the kernel's log and settings
builtin=/usr/lib/modules/$(uname -r)/modules.builtin
part=$(sed -n '1s,.*/\(.*\)\.ko,\1,p' "$builtin")
check modinfo '(builtin)' "modinfo -n $part"
check rmmod '*is builtin.' "rmmod $part"
if grep -q '/xfs\.ko' "$builtin"; then
    check modprobe 'there' 'modprobe xfs && modprobe nls_utf8 && echo there'
else
    check modprobe 'xfs' 'modprobe xfs; lsmod | cut -d" " -f1 | grep -x xfs'
    check modinfo 'GPL' 'modinfo -F license xfs'
    check rmmod '' 'rmmod xfs; lsmod | grep "^xfs "'
    check modprobe '' 'modprobe xfs && modprobe -r xfs; lsmod | grep "^xfs "'
    check insmod 'nls_utf8' 'insmod $(modinfo -n nls_utf8); lsmod | cut -d" " -f1 | grep -x nls_utf8; rmmod nls_utf8'
fi
check modprobe '*no-such-module*' 'modprobe no-such-module'
check dmesg '1' 'dmesg | grep -c "Linux version"'
check dmesg 'a line of ours' 'echo "<5>a line of ours" > /dev/kmsg; dmesg -t | grep -o "a line of ours\$"'
check sysctl 'Linux' 'sysctl -n kernel.ostype'
check sysctl '33' 'sysctl -qw vm.swappiness=33; cat /proc/sys/vm/swappiness'

# Hardware
check lspci '*Ethernet controller: *1af4:*' 'lspci'
check lspci '*virtio*' 'lspci -k | grep "driver in use"'
check lsusb '*Bus 001 Device 001: ID 1d6b:0002*' 'lsusb'
check lsusb '*QEMU*' 'lsusb'
check inventory '*"memory"*' 'xb inventory --json'
check hwclock '2031-*' 'date -s "2031-05-06 07:08:09" > /dev/null; hwclock -w; hwclock -r'
check hwclock '2031-05' 'date -s "2040-01-01" > /dev/null; hwclock -s; date +%Y-%m'
check efibootmgr '*BootCurrent: *BootOrder: *' 'efibootmgr'
check efibootmgr 'BootNext: 0000' 'efibootmgr -n 0000 > /dev/null; efibootmgr | grep BootNext'
check efibootmgr '' 'efibootmgr -N > /dev/null; efibootmgr | grep BootNext'

# Processes
sleep 1001 &
one=$!
check ps "$one sleep" "ps -o pid=,comm= -p $one | sed 's/^ *//'"
check pgrep "$one" 'pgrep -f "sleep 1001"'
check pidof "*$one*" 'pidof sleep'
check renice '*7*' "renice -n 7 $one; ps -o ni= -p $one"
check ionice 'idle' "ionice -c 3 -p $one; ionice -p $one"
check nice '5' 'nice -n 5 nice'
check top "*$one*sleep*" "top -b -n 1 -p $one"
# Only the shell that started it may wait for it.
pkill -f 'sleep 1001'
wait $one && status=0 || status=$?
check pkill '143' "echo $status"
check killall '137' 'sleep 1002 & killall -9 sleep; wait $!; echo $?'
check timeout '124' 'timeout 0.2 sleep 100; echo $?'
check setsid 'leader' 'setsid -w sh -c "test \$\$ = \$(cut -d\" \" -f6 /proc/\$\$/stat) && echo leader"'
check vmstat '*procs*memory*' 'vmstat 1 1'
check uptime '*load average*' 'uptime'
check flock 'busy' 'exec 9> /tmp/lock; flock 9; flock -n /tmp/lock true || echo busy; exec 9>&-'
check unshare 'inside?1' 'unshare -u -p -f --mount-proc sh -c "hostname inside; hostname; ps -o pid= -p 1 | tr -d \" \""'
check nsenter 'deep' 'unshare -u sh -c "hostname deep; sleep 1003" & inner=$!
    until [ "$(nsenter -t $inner -u hostname 2> /dev/null)" = deep ]; do :; done; nsenter -t $inner -u hostname; pkill -f "sleep 1003"'
check chroot 'bin?usr' 'mkdir -p /tmp/root/bin /tmp/root/usr; cp /usr/lib/xenoboot/toolkit /tmp/root/bin/ls; chroot /tmp/root /bin/ls /'
check switch_root '*process 1' 'switch_root /tmp/root /bin/ls'
check mknod 'c 1 3' 'mknod /tmp/null c 1 3 && stat -c "c %t %T" /tmp/null'
check chown '3:4' 'chown 3:4 /tmp/null; stat -c %u:%g /tmp/null'

# Network
link=$(ip -br link | awk '/UP/ && $1 != "lo" { print $1; exit }')
check ip "$link*10.0.2.15/24*" "ip -br addr show $link"
check ip '10.9.9.1' 'ip addr add 10.9.9.1/24 dev lo; ip -j addr show lo | grep -o 10.9.9.1'
check ip '10.8.0.0/16 via 10.0.2.2 *' 'ip route add 10.8.0.0/16 via 10.0.2.2; ip route show 10.8.0.0/16'
check ip '*lookup 77*' 'ip rule add from 10.9.9.1 lookup 77; ip rule'
check ip '*10.0.2.77*02:00:00:00:00:01*' "ip neigh add 10.0.2.77 lladdr 02:00:00:00:00:01 dev $link; ip neigh show"
check ip '*v9@*' "ip link add link $link name v9 type vlan id 9; ip link set v9 up; ip -br link show v9; ip link del v9"
check ping '*1 received, 0% packet loss*' 'ping -c 1 10.0.2.2'
check ping '*1 received*' 'ping -6 -c 1 ::1'
check arping '*1 response*' "arping -c 1 -I $link 10.0.2.2"
check traceroute '*1 *127.0.0.1*' 'traceroute -n 127.0.0.1'
check nc 'over the line' 'echo over the line | nc -l -p 777 -s 127.0.0.1 > /tmp/in & until ss -ltn | grep -q ":777 "; do :; done; nc -w 2 127.0.0.1 777 < /dev/null'
nc -l -p 778 > /dev/null < /dev/null &
server=$!
until ss -ltn | grep -q ':778 '; do :; done
check ss "*nc*pid=$server*" 'ss -ltnp | grep :778'
check netstat "*:778 *LISTEN*$server/nc*" 'netstat -ltnp | grep :778'
kill $server
check ethtool '*Link detected: yes*' "ethtool $link"
check ethtool 'driver: virtio_net' "ethtool -i $link | head -n 1"
check hostname 'renamed' 'hostname renamed; uname -n'

echo "of the commands $good did what was expected, $wrong did not"
