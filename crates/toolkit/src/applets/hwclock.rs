//! `hwclock`: the clock that runs while the machine is off.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    dates::date,
    partitions::plain,
};
use anyhow::{Context as _, bail};
use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use xenoboot_sys::{
    Kernel,
    clock::{Clock as _, hardware_at, set_hardware_at},
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "hwclock",
    summary: "Prints the hardware clock, or sets it from the system's clock or the other way round.",
    usage: "[-r|-s|-w] [-u] [-f FILE]",
    options: &[
        flag('r', "show", "print it (so if nothing is said)"),
        flag('s', "hctosys", "set the system's clock from it"),
        flag('w', "systohc", "set it from the system's clock"),
        flag('u', "utc", "it runs in UTC, as always"),
        flag('l', "localtime", "refused: there are no time zones here"),
        Opt { short: 'f', long: "rtc", value: "FILE", help: "this clock, if not the first one" },
        flag('\0', "test", "change nothing"),
    ],
    notes: "",
    example: "hwclock -w",
    run,
};

/// Where a clock is looked for.
const PLACES: [&str; 3] = ["/dev/rtc0", "/dev/rtc", "/dev/misc/rtc"];

fn run(args: &Args) -> anyhow::Result<u8> {
    args.no_operands()?;
    if args.has("localtime") {
        return usage_error("the hardware clock runs in UTC: there are no time zones here");
    }
    if ["show", "hctosys", "systohc"].iter().filter(|o| args.has(o)).count() > 1 {
        return usage_error("-r, -s and -w exclude each other");
    }
    let found = || PLACES.iter().find(|place| Path::new(place).exists()).map(PathBuf::from);
    let Some(device) = args.value("rtc").map(PathBuf::from).or_else(found) else {
        bail!("Cannot access the Hardware Clock via any known method.");
    };
    let failed = |error: std::io::Error| {
        anyhow::anyhow!("Cannot access the Hardware Clock {}: {}", device.display(), plain(&error))
    };
    if args.has("systohc") {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("before 1970")?;
        if !args.has("test") {
            // Its seconds begin when it is set, and it has no fractions: set at a full second.
            std::thread::sleep(
                Duration::from_secs(1) - Duration::from_nanos(now.subsec_nanos().into()),
            );
            let now = SystemTime::now().duration_since(UNIX_EPOCH).context("before 1970")?;
            set_hardware_at(&device, now).map_err(failed)?;
        }
        return Ok(0);
    }
    let time = hardware_at(&device).map_err(failed)?;
    if args.has("hctosys") {
        if !args.has("test") {
            Kernel.set(time).context("settimeofday() failed")?;
        }
        return Ok(0);
    }
    let shown = date(i64::try_from(time.as_secs())?);
    println!("{} {}.000000+00:00", shown.iso(), shown.time);
    Ok(0)
}
