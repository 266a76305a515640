//! rescue: everything is brought up and told, and not a byte is written.

use super::{digest, disk, preparing, reports};
use anyhow::{Context, Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY, SOON},
};
use std::fs;

/// A journal that waits to be replayed, a volume group in an encrypted partition, a file system without its
/// superblock, half a RAID 1.
const PREPARE: &str = "
xb settle /dev/vda /dev/vdb
modprobe -a ext4 xfs dm_crypt raid1
printf 'label: gpt\\nsize=32MiB\\nsize=64MiB\\nsize=32MiB\\n' | sfdisk -q /dev/vda
fill() { # DEVICE TEXT...
    mount $1 /mnt/here
    shift
    mkdir /mnt/here/etc
    echo 'PRETTY_NAME=\"Old system\"' > /mnt/here/etc/os-release
    echo $* > /mnt/here/file
    umount /mnt/here
}
mkdir -p /mnt/here
mke2fs -q -t ext4 -L root /dev/vda1
fill /dev/vda1 in the journal
debugfs -w -R 'feature needs_recovery' /dev/vda1
xb secret luks | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vda2 -
xb secret luks | cryptsetup open /dev/vda2 secret -d -
pvcreate -q /dev/mapper/secret
vgcreate -q volumes /dev/mapper/secret
lvcreate -q -y -n one -l 100%FREE volumes
mke2fs -q -t ext4 /dev/volumes/one
fill /dev/volumes/one in the volume
vgchange -q -an volumes
cryptsetup close secret
mke2fs -q -t ext4 /dev/vda3
dd if=/dev/zero of=/dev/vda3 bs=1k seek=1 count=1 conv=notrunc status=none
mdadm --create /dev/md0 --run --quiet --metadata=1.2 --level=1 --raid-devices=2 /dev/vdb missing
mkfs.xfs -q /dev/md0
fill /dev/md0 in the array
mdadm --quiet --stop /dev/md0
sync
echo all is prepared";

const SETTINGS: &str = "LUKS_SECRETS=luks\nMOUNT_AT=/mnt/rescue\nCHECK=yes\nCHECK_SECONDS=300\n";

/// What a person would do next.
const LOOK: &str = "cat /mnt/rescue/*/file && ! touch /mnt/rescue/vda1/new && \
    ! dd if=/dev/zero of=/dev/vda bs=512 count=1 && echo nothing can be written";

#[test]
fn rescue_shows_everything_and_writes_nothing() -> Result<()> {
    Scenario::run("recipe-rescue", |at| {
        let operator = Operator::start(at)?;
        let key = operator.new_key("cupboard")?;
        operator.approve_key(&key.fingerprint, "cupboard")?;
        let image = operator.image_of_with_toolbox("cupboard")?;
        let disks = [disk(&at.path("a"), 160)?, disk(&at.path("b"), 320)?];
        let vm = Vm::new(at, "vm").cd(image).nic(Nic::User).memory(768);
        let mut vm = vm.disk(&disks[0]).disk(&disks[1]).start()?;
        let secret = at.path("luks.key");
        fs::write(&secret, "open sesame")?;
        let with_key = |bundle: Bundle| {
            bundle.secret("luks", &secret).set("seal-for", &format!("[\"{}\"]", key.public))
        };
        vm.expect("boot medium: ", BOOT)?;
        operator.order(&with_key(preparing("prepare", PREPARE)))?;
        vm.expect("script: all is prepared", BOOT)?;
        vm.expect("phase wait", SOON)?;
        let before = [digest(&disks[0])?, digest(&disks[1])?];

        operator.order(&with_key(Bundle::recipe("rescue", SETTINGS)))?;
        vm.expect("the script succeeded", BOOT)?;
        vm.expect("phase wait", SOON)?;
        let told = reports(&operator, "cupboard")?;
        let told = |key: &str| told.get(key).cloned().with_context(|| format!("{key}: {told:#?}"));
        for (key, words) in [
            ("inventory.01", "{\"firmware\":\"bios\""),
            ("disk.vda", "disk0, table gpt"),
            (
                "content.vda1",
                "ext4 \"root\", mounted on /mnt/rescue/vda1, Old system, not checked, because its journal",
            ),
            ("content.vda3", "nothing that is known"),
            ("content.volumes-one", "ext4, mounted on /mnt/rescue/volumes-one, Old system, clean"),
            ("raid.md0", "raid1, 2 members, 1 missing"),
            ("content.md0", "xfs, mounted on /mnt/rescue/md0, Old system, clean"),
            ("damages", "2"),
        ] {
            let value = told(key)?;
            ensure!(value.contains(words), "{key}={value}");
        }
        operator.order(&Bundle::new("look", LOOK))?;
        for text in ["in the array", "in the journal", "in the volume"] {
            vm.expect(&format!("script: {text}"), RETRY)?;
        }
        vm.expect("script: nothing can be written", RETRY)?;
        ensure!(before == [digest(&disks[0])?, digest(&disks[1])?], "a disk was written to");
        Ok(())
    })
}
