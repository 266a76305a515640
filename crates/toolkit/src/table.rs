//! Every command, one row each.

use crate::{applet::Applet, applets, shell, wrapped};
use std::ffi::OsString;

/// One command's name and code.
pub(crate) struct Row {
    /// What it is started by.
    pub(crate) name: &'static str,
    entry: Entry,
}

enum Entry {
    /// A command of ours: its own file in `applets/`.
    Own(&'static Applet),
    /// One of ours with commands within it that have options of their own.
    Family(&'static Applet, &'static [&'static Applet]),
    /// The shell.
    Shell,
    /// A command of uutils. The function is its `uumain`.
    Uutils(fn(Vec<OsString>) -> i32),
}

impl Row {
    /// Runs the command with its command line, argument 0 included; returns the exit status.
    pub(crate) fn run(&self, args: Vec<OsString>) -> i32 {
        match self.entry {
            Entry::Own(applet) => applet.main(args),
            Entry::Family(applet, within) => {
                let asked = args.get(1).and_then(|word| word.to_str());
                let named = |a: &&&Applet| a.name.rsplit(' ').next() == asked;
                match within.iter().find(named) {
                    Some(applet) => applet.main(args.into_iter().skip(1).collect()),
                    None => applet.main(args),
                }
            }
            Entry::Shell => shell::main(args),
            Entry::Uutils(main) => run_uutils(self.name, main, args),
        }
    }
}

/// What each program of uutils does around its `uumain` (the macro `uucore::bin`).
fn run_uutils(name: &str, main: fn(Vec<OsString>) -> i32, args: Vec<OsString>) -> i32 {
    uucore::panic::preserve_inherited_sigpipe();
    uucore::panic::mute_sigpipe_panic();
    let messages = match name {
        "[" => "test",
        "dir" | "vdir" => "ls",
        name => name,
    };
    if let Err(error) = uucore::locale::setup_localization(messages) {
        eprintln!("{name}: no messages: {error}");
        return 99;
    }
    let status = main(args);
    match std::io::Write::flush(&mut std::io::stdout()) {
        Ok(()) => status,
        Err(error) => {
            eprintln!("{name}: write error: {error}");
            status.max(1)
        }
    }
}

/// The row of a command.
pub(crate) fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

const fn own(applet: &'static Applet) -> Row {
    Row { name: applet.name, entry: Entry::Own(applet) }
}

const fn family(applet: &'static Applet, within: &'static [&'static Applet]) -> Row {
    Row { name: applet.name, entry: Entry::Family(applet, within) }
}

const fn shell(name: &'static str) -> Row {
    Row { name, entry: Entry::Shell }
}

const fn uutils(name: &'static str, main: fn(Vec<OsString>) -> i32) -> Row {
    Row { name, entry: Entry::Uutils(main) }
}

/// The table.
pub(crate) static TABLE: &[Row] = &[
    shell("sh"),
    shell("bash"),
    // Ours: each has its own file in `applets/`.
    own(&applets::arping::APPLET),
    own(&applets::awk::APPLET),
    own(&applets::blkdiscard::APPLET),
    own(&applets::blkid::APPLET),
    own(&applets::blockdev::APPLET),
    own(&applets::bzip2::APPLET),
    own(&applets::bzip2::UNPACK),
    own(&applets::bzip2::SHOW),
    own(&applets::clear::APPLET),
    own(&applets::cmp::APPLET),
    own(&applets::cpio::APPLET),
    own(&applets::curl::APPLET),
    own(&applets::dd::APPLET),
    own(&applets::diff::APPLET),
    own(&applets::dmesg::APPLET),
    own(&applets::efibootmgr::APPLET),
    own(&applets::ethtool::APPLET),
    own(&applets::fdisk::APPLET),
    own(&applets::fetch::APPLET),
    own(&applets::file::APPLET),
    own(&applets::find::APPLET),
    own(&applets::findmnt::APPLET),
    own(&applets::flock::APPLET),
    own(&applets::free::APPLET),
    own(&applets::fsfreeze::APPLET),
    own(&applets::fstrim::APPLET),
    own(&applets::fuser::APPLET),
    own(&applets::grep::APPLET),
    own(&applets::grep::EGREP),
    own(&applets::grep::FGREP),
    own(&applets::gzip::APPLET),
    own(&applets::gzip::UNPACK),
    own(&applets::gzip::SHOW),
    own(&applets::halt::APPLET),
    own(&applets::hexdump::APPLET),
    own(&applets::hexdump::HD),
    own(&applets::host::APPLET),
    own(&applets::hostname::APPLET),
    own(&applets::hwclock::APPLET),
    own(&applets::insmod::APPLET),
    own(&applets::ionice::APPLET),
    own(&applets::ip::APPLET),
    own(&applets::kexec::APPLET),
    own(&applets::killall::APPLET),
    own(&applets::less::APPLET),
    own(&applets::losetup::APPLET),
    own(&applets::lsblk::APPLET),
    own(&applets::lsmod::APPLET),
    own(&applets::lsof::APPLET),
    own(&applets::lspci::APPLET),
    own(&applets::lsusb::APPLET),
    own(&applets::mkswap::APPLET),
    own(&applets::modinfo::APPLET),
    own(&applets::modprobe::APPLET),
    own(&applets::more::APPLET),
    own(&applets::mount::APPLET),
    own(&applets::mountpoint::APPLET),
    own(&applets::mv::APPLET),
    own(&applets::nc::APPLET),
    own(&applets::netstat::APPLET),
    own(&applets::nsenter::APPLET),
    own(&applets::nslookup::APPLET),
    own(&applets::ntpdate::APPLET),
    own(&applets::partprobe::APPLET),
    own(&applets::patch::APPLET),
    own(&applets::pgrep::APPLET),
    own(&applets::pidof::APPLET),
    own(&applets::ping::APPLET),
    own(&applets::ping::SIX),
    own(&applets::pkill::APPLET),
    own(&applets::poweroff::APPLET),
    own(&applets::ps::APPLET),
    own(&applets::reboot::APPLET),
    own(&applets::renice::APPLET),
    own(&applets::reset::APPLET),
    own(&applets::rmmod::APPLET),
    own(&applets::sed::APPLET),
    own(&applets::setsid::APPLET),
    own(&applets::sfdisk::APPLET),
    own(&applets::ss::APPLET),
    own(&applets::strings::APPLET),
    own(&applets::stty::APPLET),
    own(&applets::sha256sum::B2SUM),
    own(&applets::sha256sum::MD5SUM),
    own(&applets::sha256sum::SHA1SUM),
    own(&applets::sha256sum::SHA224SUM),
    own(&applets::sha256sum::SHA256SUM),
    own(&applets::sha256sum::SHA384SUM),
    own(&applets::sha256sum::SHA512SUM),
    own(&applets::swapoff::APPLET),
    own(&applets::swapon::APPLET),
    own(&applets::switch_root::APPLET),
    own(&applets::sysctl::APPLET),
    own(&applets::tar::APPLET),
    own(&applets::time::APPLET),
    own(&applets::top::APPLET),
    own(&applets::traceroute::APPLET),
    own(&applets::umount::APPLET),
    own(&applets::unshare::APPLET),
    own(&applets::vi::APPLET),
    own(&applets::vmstat::APPLET),
    own(&applets::watch::APPLET),
    own(&applets::wget::APPLET),
    own(&applets::which::APPLET),
    own(&applets::wipefs::APPLET),
    family(
        &applets::xb::APPLET,
        &[
            &applets::xb::KEXEC,
            &applets::xb::boot_local::APPLET,
            &applets::fetch::APPLET,
            &applets::xb::image::APPLET,
            &applets::xb::partitions::APPLET,
        ],
    ),
    own(&applets::xargs::APPLET),
    own(&applets::xxd::APPLET),
    own(&applets::xz::APPLET),
    own(&applets::xz::UNPACK),
    own(&applets::xz::SHOW),
    own(&applets::zstd::APPLET),
    own(&applets::zstd::UNPACK),
    own(&applets::zstd::SHOW),
    // uutils' coreutils.
    uutils("[", |args| uu_test::uumain(args.into_iter())),
    uutils("arch", |args| uu_arch::uumain(args.into_iter())),
    uutils("base32", |args| uu_base32::uumain(args.into_iter())),
    uutils("base64", |args| uu_base64::uumain(args.into_iter())),
    uutils("basename", |args| uu_basename::uumain(args.into_iter())),
    uutils("basenc", |args| uu_basenc::uumain(args.into_iter())),
    uutils("cat", |args| uu_cat::uumain(args.into_iter())),
    uutils("chgrp", |args| uu_chgrp::uumain(args.into_iter())),
    uutils("chmod", |args| uu_chmod::uumain(args.into_iter())),
    uutils("chown", |args| uu_chown::uumain(args.into_iter())),
    uutils("chroot", |args| uu_chroot::uumain(args.into_iter())),
    uutils("cksum", |args| uu_cksum::uumain(args.into_iter())),
    uutils("comm", |args| uu_comm::uumain(args.into_iter())),
    uutils("cp", wrapped::cp::main),
    uutils("csplit", |args| uu_csplit::uumain(args.into_iter())),
    uutils("cut", |args| uu_cut::uumain(args.into_iter())),
    uutils("date", |args| uu_date::uumain(args.into_iter())),
    uutils("df", |args| uu_df::uumain(args.into_iter())),
    uutils("dir", |args| uu_dir::uumain(args.into_iter())),
    uutils("dircolors", |args| uu_dircolors::uumain(args.into_iter())),
    uutils("dirname", |args| uu_dirname::uumain(args.into_iter())),
    uutils("du", |args| uu_du::uumain(args.into_iter())),
    uutils("echo", |args| uu_echo::uumain(args.into_iter())),
    uutils("env", |args| uu_env::uumain(args.into_iter())),
    uutils("expand", |args| uu_expand::uumain(args.into_iter())),
    uutils("expr", |args| uu_expr::uumain(args.into_iter())),
    uutils("factor", |args| uu_factor::uumain(args.into_iter())),
    uutils("false", |args| uu_false::uumain(args.into_iter())),
    uutils("fmt", |args| uu_fmt::uumain(args.into_iter())),
    uutils("fold", |args| uu_fold::uumain(args.into_iter())),
    uutils("groups", |args| uu_groups::uumain(args.into_iter())),
    uutils("head", |args| uu_head::uumain(args.into_iter())),
    uutils("id", |args| uu_id::uumain(args.into_iter())),
    uutils("install", wrapped::install),
    uutils("join", |args| uu_join::uumain(args.into_iter())),
    uutils("kill", |args| uu_kill::uumain(args.into_iter())),
    uutils("link", |args| uu_link::uumain(args.into_iter())),
    uutils("ln", |args| uu_ln::uumain(args.into_iter())),
    uutils("logname", |args| uu_logname::uumain(args.into_iter())),
    uutils("ls", |args| uu_ls::uumain(args.into_iter())),
    uutils("mkdir", |args| uu_mkdir::uumain(args.into_iter())),
    uutils("mkfifo", |args| uu_mkfifo::uumain(args.into_iter())),
    uutils("mknod", |args| uu_mknod::uumain(args.into_iter())),
    uutils("mktemp", |args| uu_mktemp::uumain(args.into_iter())),
    uutils("nice", |args| uu_nice::uumain(args.into_iter())),
    uutils("nl", |args| uu_nl::uumain(args.into_iter())),
    uutils("nohup", |args| uu_nohup::uumain(args.into_iter())),
    uutils("nproc", |args| uu_nproc::uumain(args.into_iter())),
    uutils("numfmt", |args| uu_numfmt::uumain(args.into_iter())),
    uutils("od", |args| uu_od::uumain(args.into_iter())),
    uutils("paste", |args| uu_paste::uumain(args.into_iter())),
    uutils("pathchk", |args| uu_pathchk::uumain(args.into_iter())),
    uutils("pr", |args| uu_pr::uumain(args.into_iter())),
    uutils("printenv", |args| uu_printenv::uumain(args.into_iter())),
    uutils("printf", |args| uu_printf::uumain(args.into_iter())),
    uutils("ptx", |args| uu_ptx::uumain(args.into_iter())),
    uutils("pwd", |args| uu_pwd::uumain(args.into_iter())),
    uutils("readlink", wrapped::readlink),
    uutils("realpath", |args| uu_realpath::uumain(args.into_iter())),
    uutils("rm", |args| uu_rm::uumain(args.into_iter())),
    uutils("rmdir", |args| uu_rmdir::uumain(args.into_iter())),
    uutils("seq", |args| uu_seq::uumain(args.into_iter())),
    uutils("shred", |args| uu_shred::uumain(args.into_iter())),
    uutils("shuf", |args| uu_shuf::uumain(args.into_iter())),
    uutils("sleep", |args| uu_sleep::uumain(args.into_iter())),
    uutils("sort", wrapped::sort),
    uutils("split", wrapped::split),
    uutils("stat", |args| uu_stat::uumain(args.into_iter())),
    uutils("sum", |args| uu_sum::uumain(args.into_iter())),
    uutils("sync", |args| uu_sync::uumain(args.into_iter())),
    uutils("tac", |args| uu_tac::uumain(args.into_iter())),
    uutils("tail", |args| uu_tail::uumain(args.into_iter())),
    uutils("tee", |args| uu_tee::uumain(args.into_iter())),
    uutils("test", |args| uu_test::uumain(args.into_iter())),
    uutils("timeout", wrapped::timeout),
    uutils("touch", |args| uu_touch::uumain(args.into_iter())),
    uutils("tr", |args| uu_tr::uumain(args.into_iter())),
    uutils("true", |args| uu_true::uumain(args.into_iter())),
    uutils("truncate", |args| uu_truncate::uumain(args.into_iter())),
    uutils("tsort", |args| uu_tsort::uumain(args.into_iter())),
    uutils("tty", |args| uu_tty::uumain(args.into_iter())),
    uutils("uname", |args| uu_uname::uumain(args.into_iter())),
    uutils("unexpand", |args| uu_unexpand::uumain(args.into_iter())),
    uutils("uniq", |args| uu_uniq::uumain(args.into_iter())),
    uutils("unlink", |args| uu_unlink::uumain(args.into_iter())),
    uutils("uptime", |args| uu_uptime::uumain(args.into_iter())),
    uutils("vdir", |args| uu_vdir::uumain(args.into_iter())),
    uutils("wc", |args| uu_wc::uumain(args.into_iter())),
    uutils("whoami", |args| uu_whoami::uumain(args.into_iter())),
    uutils("yes", |args| uu_yes::uumain(args.into_iter())),
];
