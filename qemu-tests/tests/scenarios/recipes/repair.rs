//! repair: a system whose disks were damaged from the partition table to the boot loader starts again from its own disk.

use super::{disk, preparing, reports};
use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY, SOON},
};
use std::{fs, time::Duration};

/// Checks of file systems, volume groups and two boot loaders, without hardware virtualisation.
const REPAIR: Duration = Duration::from_secs(700);

/// A system made of our own kernel and initial RAM disks on /dev/vda, and half of an array on /dev/vdb in use; three volume
/// groups and two encrypted partitions on /dev/vdc. Then: both partition tables of vda and all before its first partition are
/// gone, the main one of vdb too, and the entries of the backup of vdc; the superblock of the root file system; the firmware's
/// loader; and fstab has a wrong UUID, a device that is nowhere and a line of garbage. Of the groups one has lost all before its
/// data, one what leads to its description, and one the description on the second of its disks; of the encrypted partitions one
/// the first copy of its header, and one its key slots.
const PREPARE: &str = "
xb settle /dev/vda /dev/vdb /dev/vdc /run/xenoboot/medium.d/boot/kernel
modprobe -a ext4 raid1 vfat nls_ascii nls_cp437
printf 'label: gpt\\nsize=1MiB,type=21686148-6449-6E6F-744E-656564454649\\nsize=40MiB,type=U\\nsize=150MiB\\n' | sfdisk -q /dev/vda
printf 'label: gpt\\nsize=40MiB\\nsize=40MiB\\n' | sfdisk -q /dev/vdb
{
    echo 'label: gpt'
    for size in 12 12 12 12 8 8; do echo \"size=${size}MiB\"; done
} | sfdisk -q /dev/vdc
mkdir -p /mnt/here
fill() {
    mke2fs -q -t ext4 -b 1024 $1
    mount $1 /mnt/here
    echo \"$2 is whole\" > /mnt/here/file
    umount /mnt/here
}
group() {
    name=$1
    shift
    vgcreate -q -s 1M $name \"$@\"
    lvcreate -q -y -n files -l 100%FREE $name
    fill /dev/$name/files $name
}
group one /dev/vdc1
group two /dev/vdc2
group pair /dev/vdc3 /dev/vdc4
for part in /dev/vdc5 /dev/vdc6; do
    printf key | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
        --luks2-metadata-size 16k --luks2-keyslots-size 512k $part -
done
printf key | cryptsetup open --key-file - /dev/vdc5 vault
fill /dev/mapper/vault vault
cryptsetup close vault
mkfs.vfat -F 32 /dev/vda2 > /dev/null
mke2fs -q -t ext4 -b 1024 -L system /dev/vda3
mdadm --create /dev/md0 --run --quiet --metadata=1.2 --level=1 --raid-devices=2 /dev/vdb1 /dev/vdb2
mdadm --wait /dev/md0 || true
mke2fs -q -t ext4 /dev/md0
mount /dev/vda3 /mnt/here
cd /mnt/here
mkdir -p etc boot/efi home
cp /run/xenoboot/medium.d/boot/kernel boot/vmlinuz-ours
cat /run/xenoboot/medium.d/boot/base.img /run/xenoboot/medium.d/boot/site.img > boot/initrd.img-ours
echo 'PRETTY_NAME=\"Old system\"' > etc/os-release
cat > etc/fstab << END
# the old one
UUID=12345678-0000-0000-0000-000000000000 / ext4 defaults 0 1
UUID=$(blkid -o value -s UUID /dev/vda2) /boot/efi vfat umask=0077 0 2
UUID=$(blkid -o value -s UUID /dev/md0) /home xfs defaults 0 2
/dev/sdq7 /data ext4 defaults 0 2
something was written here
END
mkdir -p etc/lvm/backup
vgcfgbackup -q -f /mnt/here/etc/lvm/backup/one one
echo 'archive UUID=12345678-1111-0000-0000-000000000000 none luks' > etc/crypttab
cd /
vgchange -q -an
umount /mnt/here
mdadm --quiet /dev/md0 --fail /dev/vdb2 --remove /dev/vdb2
mount /dev/md0 /mnt/here
echo precious > /mnt/here/file
umount /mnt/here
mdadm --quiet --stop /dev/md0
dd if=/dev/zero of=/dev/vda bs=1M count=2 conv=notrunc status=none
dd if=/dev/zero of=/dev/vda bs=512 seek=$(($(blockdev --getsz /dev/vda) - 34)) conv=notrunc status=none || true
dd if=/dev/zero of=/dev/vda bs=1k seek=$((42 * 1024 + 1)) count=1 conv=notrunc status=none
dd if=/dev/zero of=/dev/vdb bs=512 count=34 conv=notrunc status=none
dd if=/dev/zero of=/dev/vdc1 bs=1M count=1 conv=notrunc status=none
dd if=/dev/zero of=/dev/vdc2 bs=512 count=9 conv=notrunc status=none
dd if=/dev/zero of=/dev/vdc4 bs=4k seek=1 count=255 conv=notrunc status=none
dd if=/dev/zero of=/dev/vdc5 bs=4k count=4 conv=notrunc status=none
dd if=/dev/zero of=/dev/vdc6 bs=4k seek=8 count=120 conv=notrunc status=none
dd if=/dev/zero of=/dev/vdc bs=512 seek=$(($(blockdev --getsz /dev/vdc) - 33)) count=1 conv=notrunc status=none
sync
echo all is damaged";

const SETTINGS: &str = "DISKS=all\nLOST_TABLE=gpt\nLUKS_SECRETS=luks\nBOOT_LOADER=missing\n\
    KERNEL_WORDS='ro console=ttyS0 quiet second=1'\n";

/// What was on the disks that do not start the system.
const LOOK: &str = "mkdir -p /mnt
for device in /dev/one/files /dev/two/files /dev/pair/files /dev/mapper/luks-vdc5 /dev/md[0-9]*; do
    mount -o ro $device /mnt && cat /mnt/file && umount /mnt
done
cat /proc/mdstat";

/// What the repaired system runs: it knows by its command line that it was started from the disk.
const SECOND: &str = "grep -q second=1 /proc/cmdline && echo it runs from its own disk";

#[test]
fn repair_brings_a_damaged_system_back() -> Result<()> {
    Scenario::run("recipe-repair", |at| {
        let operator = Operator::start(at)?;
        let key = operator.new_key("cupboard")?;
        operator.approve_key(&key.fingerprint, "cupboard")?;
        let image = operator.image_of_with_toolbox("cupboard")?;
        let disks = [disk(&at.path("a"), 200)?, disk(&at.path("b"), 90)?, disk(&at.path("c"), 70)?];
        let vm = |builder: qemu_tests::VmBuilder| {
            disks.iter().fold(builder.nic(Nic::User).memory(768), |vm, disk| vm.disk(disk))
        };
        let mut machine = vm(Vm::new(at, "vm").cd(image)).start()?;
        machine.expect("boot medium: ", BOOT)?;
        operator.order(&preparing("prepare", PREPARE))?;
        machine.expect("script: all is damaged", BOOT)?;
        machine.expect("phase wait", SOON)?;
        fs::write(at.path("luks.key"), "key")?;
        let recipe = Bundle::recipe("repair", SETTINGS).secret("luks", at.path("luks.key"));
        let recipe = recipe.set("seal-for", &format!("[\"{}\"]", key.public));
        operator.order(&recipe.set("any", "true"))?;
        machine.expect("repairs, 4 losses", REPAIR)?;
        machine.expect("phase wait", SOON)?;
        let told = reports(&operator, "cupboard")?;
        let all = told.values().cloned().collect::<Vec<_>>().join("\n");
        for words in [
            "/dev/vda: a new partition table of 2 partitions was made",
            "/dev/vdb: MBR and partition table were taken from the backup",
            "/dev/vdc: the backup of the partition table was written anew",
            "/dev/vdb2 takes part again",
            "the volume group one was restored from /etc/lvm/backup of the system",
            "the volume group two was restored from the copies on /dev/vdc2",
            "the volume group pair: /dev/vdc4 had lost its description, and got it from the others",
            "/dev/vdc5: one of two copies of its LUKS2 header was damaged",
            "/dev/vdc6: encrypted, and its key slots are overwritten",
            "crypttab: UUID=12345678-1111-0000-0000-000000000000 for archive is nowhere",
            "/dev/vda2: the superblock of its ext file system was restored from a copy",
            "fstab was put right",
            "fstab: / is on /dev/vda2, not UUID=12345678",
            "fstab: on /home there is ext4, not xfs",
            "fstab: /dev/sdq7 for /data is nowhere",
            "fstab: a line with 4 fields and no place to mount at",
            "GRUB's menu was written anew, for 1 kernels",
            "/dev/vda: GRUB was installed for BIOS",
            "GRUB was installed for UEFI",
        ] {
            ensure!(all.contains(words), "{words:?} is not among: {told:#?}");
        }
        operator.order(&Bundle::new("look", LOOK))?;
        for name in ["one", "two", "pair", "vault"] {
            machine.expect(&format!("script: {name} is whole"), RETRY)?;
        }
        machine.expect("script: precious", RETRY)?;
        machine.expect("[UU]", SOON).context("the array is not whole")?;
        drop(machine);

        operator.order(&Bundle::new("second", SECOND))?;
        for uefi in [false, true] {
            let machine = vm(Vm::new(at, if uefi { "uefi" } else { "bios" }).from_disk());
            let mut machine = if uefi { machine.uefi() } else { machine }.start()?;
            machine.expect("script: it runs from its own disk", BOOT)?;
        }
        Ok(())
    })
}
