//! A virtual machine: how it is built, and what can be done to it while it runs.

use crate::{
    Scenario, accel,
    console::Console,
    lab::Lab,
    paths,
    qmp::Qmp,
    screen,
    wait::{self, wait_until},
};
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use std::{
    fs::{self, File},
    ops::{Deref, DerefMut},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Where the image is and how the firmware starts it.
enum Boot {
    Cd(PathBuf),
    Usb(PathBuf),
    Disk,
    Kernel { kernel: PathBuf, initramfs: PathBuf, cmdline: String },
}

/// A network card and its other end.
pub enum Nic {
    /// QEMU's own network: DHCP, and the host's loopback at 10.0.2.2.
    User,
    /// A network made by the scenario.
    Lab(PathBuf),
    /// One of the others, without a link until [`Vm::set_link`].
    Unplugged(Box<Nic>),
}

impl From<&Lab> for Nic {
    fn from(lab: &Lab) -> Self {
        Self::Lab(lab.socket().to_path_buf())
    }
}

/// How a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// As virtual machines have it.
    Virtio,
    /// SATA.
    Sata,
    /// NVMe.
    Nvme,
}

/// A disk: how it is attached, a raw image, and what more is said of it, each after a comma.
struct Disk {
    bus: Bus,
    image: PathBuf,
    options: String,
}

/// Options of a machine that is not running yet.
pub struct VmBuilder {
    folder: PathBuf,
    name: String,
    boot: Option<Boot>,
    uefi: bool,
    memory_mb: u32,
    nics: Vec<Nic>,
    disks: Vec<Disk>,
    ide: Option<PathBuf>,
    processors: u32,
    clock: Option<String>,
    watchdog: bool,
    instruction_clock: bool,
    newest: bool,
}

impl VmBuilder {
    /// Boots `iso` as a CD.
    #[must_use]
    pub fn cd(mut self, iso: impl Into<PathBuf>) -> Self {
        self.boot = Some(Boot::Cd(iso.into()));
        self
    }

    /// Boots `file` as a USB stick that can be written to.
    #[must_use]
    pub fn usb(mut self, file: impl Into<PathBuf>) -> Self {
        self.boot = Some(Boot::Usb(file.into()));
        self
    }

    /// Boots the first of its own disks, and nothing else.
    #[must_use]
    pub fn from_disk(mut self) -> Self {
        self.boot = Some(Boot::Disk);
        self
    }

    /// Boots a kernel without a boot loader.
    #[must_use]
    pub fn kernel(mut self, kernel: &Path, initramfs: &Path, cmdline: &str) -> Self {
        let (kernel, initramfs) = (kernel.to_path_buf(), initramfs.to_path_buf());
        self.boot = Some(Boot::Kernel { kernel, initramfs, cmdline: cmdline.to_owned() });
        self
    }

    /// UEFI firmware in place of a BIOS.
    #[must_use]
    pub fn uefi(mut self) -> Self {
        self.uefi = true;
        self
    }

    /// Memory in MiB; 512 unless said.
    #[must_use]
    pub fn memory(mut self, mb: u32) -> Self {
        self.memory_mb = mb;
        self
    }

    /// One more network card; none unless said.
    #[must_use]
    pub fn nic(mut self, nic: impl Into<Nic>) -> Self {
        self.nics.push(nic.into());
        self
    }

    /// One more disk, a raw image.
    #[must_use]
    pub fn disk(self, image: impl Into<PathBuf>) -> Self {
        self.disk_on(Bus::Virtio, image)
    }

    /// One more disk, a raw image. Its serial number is `disk0` and so on.
    #[must_use]
    pub fn disk_on(mut self, bus: Bus, image: impl Into<PathBuf>) -> Self {
        self.disks.push(Disk { bus, image: image.into(), options: String::new() });
        self
    }

    /// One more disk, whose content nobody needs when the host's power fails, so that it is never written out
    /// for the machine's sake; with the most bytes that can be written to it in a second.
    #[must_use]
    pub fn scratch(mut self, image: impl Into<PathBuf>, rate: Option<u64>) -> Self {
        let rate = rate.map(|rate| format!(",throttling.bps-write={rate}"));
        let options = format!(",cache=unsafe{}", rate.unwrap_or_default());
        self.disks.push(Disk { bus: Bus::Virtio, image: image.into(), options });
        self
    }

    /// The newest processor that can be emulated, with all that it can: what another kernel finds when it takes over.
    #[must_use]
    pub fn newest(mut self) -> Self {
        self.newest = true;
        self
    }

    /// How many processors; one unless said.
    #[must_use]
    pub fn processors(mut self, count: u32) -> Self {
        self.processors = count;
        self
    }

    /// An old PC's disk, which its BIOS reads without the help of memory: it still can when Linux has had the disk.
    #[must_use]
    pub fn ide(mut self, image: impl Into<PathBuf>) -> Self {
        self.ide = Some(image.into());
        self
    }

    /// The battery clock at power-on, such as `1980-01-01T00:00:00`.
    #[must_use]
    pub fn clock(mut self, date: &str) -> Self {
        self.clock = Some(date.to_owned());
        self
    }

    /// A hardware watchdog (i6300esb) that resets the machine.
    #[must_use]
    pub fn watchdog(mut self) -> Self {
        self.watchdog = true;
        self
    }

    /// Under emulation, the machine's time goes on by a nanosecond with each instruction, and as in the
    /// world while it is idle: what is measured is the guest's work, not how long the emulator took to
    /// translate it, nor what else the host did.
    #[must_use]
    pub fn instruction_clock(mut self) -> Self {
        self.instruction_clock = true;
        self
    }

    /// Powers the machine on.
    pub fn start(self) -> Result<Vm> {
        let at = |suffix: &str| self.folder.join(format!("{}.{suffix}", self.name));
        let (serial, socket) = (at("serial"), at("qmp"));
        // A machine that is started again continues its console's file.
        let mut console = Console::new(serial.clone());
        console.skip();
        // The parent-death signal ends QEMU when even the test's process is killed.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        command.args(self.arguments(&serial, &socket)?);
        let log = at("qemu.log");
        let errors = File::create(&log).with_context(|| log.display().to_string())?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(errors.try_clone()?)
            .stderr(errors)
            .spawn()
            .context("qemu-system-x86_64")?;
        let group = Group(child);
        let qmp =
            Qmp::connect(&socket).with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        let scratch = at("memory");
        let mut vm = Vm { qmp, console, group, scratch };
        for (number, nic) in self.nics.iter().enumerate() {
            if matches!(nic, Nic::Unplugged(_)) {
                vm.set_link(number, false)?;
            }
        }
        vm.qmp.execute("cont", json!({}))?;
        Ok(vm)
    }

    fn arguments(&self, serial: &Path, socket: &Path) -> Result<Vec<String>> {
        let accel = accel::best();
        let mut all = Arguments::default();
        all.flags("-nodefaults -no-user-config -S -display none -vga std");
        all.add("-smp", self.processors.to_string());
        // A q35 has a watchdog of its own (iTCO); an old pc has only the one that it is given. Its disks are IDE.
        let old = self.watchdog || self.ide.is_some();
        all.add("-machine", if old { "pc" } else { "q35" });
        all.flags("-device virtio-rng-pci");
        all.add("-accel", accel);
        all.add("-cpu", accel::processor(self.newest));
        all.add("-m", self.memory_mb.to_string());
        all.add("-chardev", format!("file,id=serial,append=on,path={}", escaped(serial)));
        all.add("-serial", "chardev:serial");
        all.add("-qmp", format!("unix:{},server=on,wait=off", escaped(socket)));
        if self.instruction_clock && accel == "tcg" {
            all.flags("-icount shift=0");
        }
        if let Some(date) = &self.clock {
            all.add("-rtc", format!("base={date}"));
        }
        if self.watchdog {
            all.flags("-device i6300esb -action watchdog=reset");
        }
        for (number, nic) in self.nics.iter().enumerate() {
            nic.arguments(number, &mut all);
        }
        for (number, disk) in self.disks.iter().enumerate() {
            let Disk { bus, image, options } = disk;
            let device = bus.device(number);
            all.drive(&format!("id=disk{number},if=none,format=raw{options}"), image);
            all.add("-device", format!("{device},drive=disk{number},serial=disk{number}"));
        }
        if let Some(disk) = &self.ide {
            all.drive("id=ide,if=none,format=raw", disk);
            all.add("-device", "ide-hd,drive=ide");
        }
        if self.uefi {
            let (code, empty) = paths::ovmf()?;
            let vars = self.folder.join(format!("{}.vars", self.name));
            fs::copy(&empty, &vars).with_context(|| empty.display().to_string())?;
            all.drive("if=pflash,format=raw,readonly=on", &code);
            all.drive("if=pflash,format=raw", &vars);
        }
        self.boot.as_ref().context("the machine has nothing to boot from")?.arguments(&mut all);
        Ok(all.0)
    }
}

/// QEMU's command line.
#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn flags(&mut self, flags: &str) {
        self.0.extend(flags.split(' ').map(str::to_owned));
    }

    fn add(&mut self, flag: &str, value: impl Into<String>) {
        self.0.extend([flag.to_owned(), value.into()]);
    }

    fn drive(&mut self, options: &str, file: &Path) {
        self.add("-drive", format!("{options},file={}", escaped(file)));
    }
}

/// A path inside QEMU's comma-separated options.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

impl Boot {
    fn arguments(&self, all: &mut Arguments) {
        match self {
            Self::Cd(iso) => {
                all.drive("id=cd,if=none,media=cdrom,readonly=on,format=raw", iso);
                all.add("-device", "ide-cd,drive=cd,bootindex=0");
            }
            Self::Usb(file) => {
                all.drive("id=usb,if=none,format=raw", file);
                all.flags("-device qemu-xhci -device usb-storage,id=stick,drive=usb,bootindex=0");
            }
            // Without a CD the firmware comes to it by itself.
            Self::Disk => {}
            Self::Kernel { kernel, initramfs, cmdline } => {
                all.add("-kernel", kernel.display().to_string());
                all.add("-initrd", initramfs.display().to_string());
                all.add("-append", cmdline);
            }
        }
    }
}

impl Bus {
    fn device(self, number: usize) -> String {
        match self {
            Self::Virtio => "virtio-blk-pci".to_owned(),
            // The CD is at the first port.
            Self::Sata => format!("ide-hd,bus=ide.{}", number + 1),
            Self::Nvme => "nvme".to_owned(),
        }
    }
}

impl Nic {
    /// The same with its cable out.
    #[must_use]
    pub fn unplugged(self) -> Self {
        Self::Unplugged(Box::new(self))
    }

    fn netdev(&self) -> String {
        match self {
            Self::User => "user".to_owned(),
            Self::Lab(path) => {
                format!("stream,server=off,addr.type=unix,addr.path={}", escaped(path))
            }
            Self::Unplugged(nic) => nic.netdev(),
        }
    }

    fn arguments(&self, number: usize, all: &mut Arguments) {
        all.add("-netdev", format!("{},id=net{number}", self.netdev()));
        let mac = format!("52:54:00:00:00:{:02x}", number + 1);
        all.add(
            "-device",
            format!("virtio-net-pci,id=nic{number},netdev=net{number},mac={mac},romfile="),
        );
    }
}

/// A running machine. Dropped, it is killed with all that belongs to it.
pub struct Vm {
    /// QEMU's control socket.
    pub qmp: Qmp,
    /// The serial console.
    pub console: Console,
    group: Group,
    scratch: PathBuf,
}

impl Vm {
    /// A machine named `name`, whose files lie in the scenario's folder.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "a machine starts as its builder")]
    pub fn new(scenario: &Scenario, name: &str) -> VmBuilder {
        VmBuilder { newest: false, ..Self::in_folder(scenario.folder(), name) }
    }

    /// A machine named `name`, whose files lie in `folder`.
    #[must_use]
    pub fn in_folder(folder: &Path, name: &str) -> VmBuilder {
        VmBuilder {
            folder: folder.to_path_buf(),
            name: name.to_owned(),
            boot: None,
            uefi: false,
            memory_mb: 512,
            nics: Vec::new(),
            disks: Vec::new(),
            ide: None,
            processors: 1,
            clock: None,
            watchdog: false,
            instruction_clock: false,
            newest: true,
        }
    }

    /// Waits for `text` on the serial console, after what was found last; returns its line.
    pub fn expect(&mut self, text: &str, limit: Duration) -> Result<String> {
        self.console.expect(text, limit)
    }

    /// Plugs the cable of card `number` in or out.
    pub fn set_link(&mut self, number: usize, up: bool) -> Result<()> {
        self.qmp.execute("set_link", json!({ "name": format!("nic{number}"), "up": up }))?;
        Ok(())
    }

    /// Pulls the USB stick that it booted from.
    pub fn pull_stick(&mut self) -> Result<()> {
        self.qmp.execute("device_del", json!({ "id": "stick" }))?;
        Ok(())
    }

    /// Presses Ctrl-Alt-Del.
    pub fn ctrl_alt_del(&mut self) -> Result<()> {
        let key = |name| json!({ "type": "qcode", "data": name });
        let keys = json!({ "keys": [key("ctrl"), key("alt"), key("delete")] });
        self.qmp.execute("send-key", keys)?;
        Ok(())
    }

    /// Types letters and digits at the machine's keyboard, and Enter.
    pub fn type_line(&mut self, text: &str) -> Result<()> {
        let keys = text.to_ascii_lowercase();
        let keys = keys.chars().map(String::from).chain([String::from("ret")]);
        for key in keys {
            let keys = json!([{ "type": "qcode", "data": key }]);
            self.qmp.execute("send-key", json!({ "keys": keys, "hold-time": 20 }))?;
        }
        Ok(())
    }

    /// Waits until QEMU has told of an event `times` times since power-on.
    pub fn expect_event(&mut self, name: &str, times: usize, limit: Duration) -> Result<()> {
        wait_until(&format!("event {name} number {times}"), limit, || {
            Ok((self.qmp.events(name) >= times).then_some(()))
        })
    }

    /// Waits until the machine has powered itself off.
    pub fn expect_power_off(&mut self, limit: Duration) -> Result<()> {
        wait_until("the machine to power off", limit, || {
            Ok(self.group.try_wait().context("QEMU")?.map(|_| ()))
        })
    }

    /// Saves a picture of the screen.
    pub fn picture(&mut self, path: &Path) -> Result<()> {
        screen::picture(&mut self.qmp, path)
    }

    /// Waits until the screen, in text mode, shows each of `texts`; returns the rows of the text buffer.
    pub fn expect_screen(&mut self, texts: &[&str]) -> Result<Vec<String>> {
        let scratch = self.scratch.clone();
        wait_until(&format!("{texts:?} on the screen"), wait::SOON, || {
            let rows = screen::rows(&mut self.qmp, &scratch)?;
            let all = rows.join("\n");
            Ok(texts.iter().all(|text| all.contains(text)).then_some(rows))
        })
    }
}

/// QEMU and its children, killed together.
struct Group(Child);

impl Deref for Group {
    type Target = Child;
    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Group {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let (Ok(None), Some(group)) = (self.0.try_wait(), group) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}
