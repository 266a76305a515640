//! The agent, started and supervised by init.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use xenoboot_agent::{
    app,
    init::{DESCRIPTOR, Init},
    layout::{Layout, ROOT_VARIABLE},
    sftp, ssh,
};

fn main() -> ExitCode {
    // The agent starts these itself: what strangers can reach is in processes of its own.
    match std::env::args().nth(1).as_deref() {
        Some(ssh::WORD) => return ssh::main(Layout::new(std::env::var_os(ROOT_VARIABLE))),
        Some(sftp::WORD) => return sftp::main(),
        _ => {}
    }
    // First, before anything else is opened. Without it the agent was started by hand.
    let socket = xenoboot_sys::inherit::take(DESCRIPTOR).ok();
    // init reads it; if it ever does not, that is no reason to wait. A terminal is left as it is.
    if !rustix::termios::isatty(rustix::stdio::stderr()) {
        let _ = rustix::io::ioctl_fionbio(rustix::stdio::stderr(), true);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("the event loop cannot be made: {e}");
            return ExitCode::FAILURE;
        }
    };
    let layout = Layout::new(std::env::var_os(ROOT_VARIABLE));
    let ended = runtime.block_on(async {
        let init = Init::new(socket)?;
        app::run(layout, init).await;
        Ok::<_, std::io::Error>(())
    });
    // A script's files may still be being removed on another thread: that is not waited for.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("descriptor {DESCRIPTOR} is not init's socket: {e}");
            ExitCode::FAILURE
        }
    }
}
