//! The shell: brush, with the command line of bash.
//!
//! It has one thread: nothing in it is waited for but by the kernel, subshells are forked
//! processes, and the futures that brush is written with never wait for each other.

mod builtins;
mod completion;
mod line;
mod options;
mod session;

use brush_core::{
    Error, ErrorKind, ProfileLoadBehavior, RcLoadBehavior, ShellExtensions, extensions,
    openfiles::OpenFile, sys::signal,
};
use options::{Input, Options};
use std::{
    collections::HashMap,
    ffi::OsString,
    fs::File,
    io::{self, Write as _},
    os::fd::AsFd as _,
    path::Path,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// Error messages as scripts' users know them: `sh: line 3: no-such-command: not found`.
#[derive(Clone, Default)]
struct Messages;

impl extensions::ErrorFormatter for Messages {
    fn format_error(
        &self,
        error: &brush_core::error::Error,
        shell: &brush_core::Shell<impl ShellExtensions>,
    ) -> String {
        let text = format!("{error:#}");
        // Not what Rust adds to the kernel's words.
        let what = text.split(" (os error ").next().unwrap_or(&text);
        // What is no program says its own place.
        match error.kind() {
            ErrorKind::ParseError(..) => format!("{what}\n"),
            _ => format!("{}: {what}\n", place(shell)),
        }
    }
}

/// Where in which script something is wrong: `sh: line 3`; only the name in an interactive session.
fn place(shell: &brush_core::Shell<impl ShellExtensions>) -> String {
    let name = shell.current_shell_name().unwrap_or("sh".into());
    match shell.env_str("LINENO") {
        Some(line) if !shell.options().interactive => format!("{name}: line {line}"),
        _ => name.into_owned(),
    }
}

type Extensions = extensions::ShellExtensionsImpl<Messages>;
type Shell = brush_core::Shell<Extensions>;

/// Runs the shell with the command line `args`, argument 0 included; returns the exit status.
pub(crate) fn main(args: Vec<OsString>) -> i32 {
    let args = args.into_iter().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>();
    let options = match options::parse(&args) {
        Ok(options) => options,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{}: {error} (see --help)", options::NAME);
            return 2;
        }
    };
    if let Some(text) = options.print {
        return i32::from(std::io::stdout().write_all(text.as_bytes()).is_err());
    }
    // As for every shell, and not as Rust has it: what writes to a pipe that nobody reads ends silently.
    signal::set_disposition(signal::Signal::SIGPIPE, signal::Disposition::Default);
    let status = run_ready(run(options)).unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "{}: {error:#}", options::NAME);
        1
    });
    signal::die_of_fatal();
    i32::from(status)
}

/// The value of a future that does all its waiting in system calls.
fn run_ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

async fn run(options: Options) -> Result<u8, Error> {
    let mut shell = build(&options).await?;
    let result = match &options.input {
        Input::Command(command) => shell.run_dash_c_command(command.clone()).await,
        Input::Script(path, args) => shell.run_script(Path::new(path), args.iter()).await,
        Input::Stdin => return session::run(&mut shell, options.interactive).await,
    };
    match result {
        Ok(_) => Ok(shell.last_exit_status()),
        Err(error) => {
            let _ = shell.display_error(&mut shell.stderr(), &error);
            Ok(match error.kind() {
                ErrorKind::FailedSourcingFile(_, e) if e.kind() == io::ErrorKind::NotFound => 127,
                ErrorKind::FailedSourcingFile(..) => 126,
                _ => 1,
            })
        }
    }
}

/// Standard input, output and error as ordinary files. brush would let a command inherit them
/// instead, and then `command 2>&1` writes its errors to where the shell's own go.
fn standard_files() -> HashMap<brush_core::ShellFd, OpenFile> {
    let files = [
        std::io::stdin().as_fd().try_clone_to_owned(),
        std::io::stdout().as_fd().try_clone_to_owned(),
        std::io::stderr().as_fd().try_clone_to_owned(),
    ];
    // One that is closed stays closed.
    let open = (0..).zip(files).filter_map(|(number, file)| Some((number, file.ok()?)));
    open.map(|(number, file)| (number, File::from(file).into())).collect()
}

async fn build(options: &Options) -> Result<Shell, Error> {
    let from_stdin = options.input == Input::Stdin;
    let profile = if options.login && options.startup_files {
        ProfileLoadBehavior::LoadDefault
    } else {
        ProfileLoadBehavior::Skip
    };
    let rc = match &options.rc_file {
        _ if !options.interactive || !options.startup_files => RcLoadBehavior::Skip,
        Some(path) => RcLoadBehavior::LoadCustom(path.into()),
        None => RcLoadBehavior::LoadDefault,
    };
    let shell = brush_core::Shell::builder_with_extensions::<Extensions>()
        .enable_options(options.set.clone())
        .disable_options(options.unset.clone())
        .enable_shopt_options(options.shopt_set.clone())
        .disable_shopt_options(options.shopt_unset.clone())
        .do_not_execute_commands(options.has("noexec"))
        .exit_on_nonzero_command_exit(options.has("errexit"))
        .treat_unset_variables_as_error(options.has("nounset"))
        .print_commands_and_arguments(options.has("xtrace"))
        .verbose(options.has("verbose"))
        .disable_pathname_expansion(options.has("noglob"))
        .disallow_overwriting_regular_files_via_output_redirection(options.has("noclobber"))
        .posix(options.has("posix"))
        .login(options.login)
        .interactive(options.interactive)
        .command_string_mode(matches!(options.input, Input::Command(_)))
        .read_commands_from_stdin(from_stdin)
        .shell_name(options.name.clone())
        .shell_args(options.args.clone())
        .shell_product_display_str(options::VERSION.to_owned())
        .shell_version(options::VERSION.to_owned())
        .profile(profile)
        .rc(rc)
        .error_formatter(Messages)
        .builtins(builtins::all())
        .fds(standard_files())
        .build()
        .await?;
    Ok(shell)
}
