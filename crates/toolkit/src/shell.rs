//! The shell: brush, with the command line of bash.

mod builtins;
mod children;
mod options;
mod rewrite;

use brush_core::{
    ExecutionResult, ProfileLoadBehavior, RcLoadBehavior, ShellExtensions, extensions,
    openfiles::OpenFile, parser::ast,
};
use brush_interactive::{BasicInputBackend, InteractiveOptions, InteractiveShell, ShellError};
use options::{Input, Options};
use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{self, File},
    io::Write as _,
    os::fd::AsFd as _,
    path::Path,
    sync::Arc,
};
use tokio::sync::Mutex;

/// brush runs subshells, pipelines and substitutions of its own commands as tasks, and a task that
/// reads or writes a pipe holds its thread. There must be more threads than stages that wait for
/// each other, on a machine with one processor too.
const THREADS: usize = 8;

/// Error messages as scripts' users know them: `sh: line 3: no-such-command: not found`.
#[derive(Clone, Default)]
struct Messages;

impl extensions::ErrorFormatter for Messages {
    fn format_error(
        &self,
        error: &brush_core::error::Error,
        shell: &brush_core::Shell<impl ShellExtensions>,
    ) -> String {
        format!("{}: {error:#}\n", shell.current_shell_name().unwrap_or("sh".into()))
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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_stack_size(4 << 20)
        .enable_all()
        .build();
    let status = match runtime {
        Ok(runtime) => {
            let status = runtime.block_on(run(options));
            // What the script left in the background is not waited for.
            runtime.shutdown_background();
            status
        }
        Err(error) => Err(ShellError::IoError(error)),
    };
    status.map(i32::from).unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "{}: {error:#}", options::NAME);
        1
    })
}

async fn run(options: Options) -> Result<u8, ShellError> {
    let mut shell = build(&options).await?;
    let result = match &options.input {
        Input::Command(command) => match builtins::rewritten(&shell, command) {
            None => shell.run_dash_c_command(command.clone()).await,
            Some(program) => {
                shell.start_command_string_mode();
                run_program(&mut shell, program).await
            }
        },
        Input::Script(path, args) => {
            let text = fs::read_to_string(path).unwrap_or_default();
            match builtins::rewritten(&shell, &text) {
                None => shell.run_script(Path::new(path), args.iter()).await,
                Some(program) => {
                    shell.current_shell_args_mut().clone_from(args);
                    builtins::set_source(&mut shell, path)?;
                    run_program(&mut shell, program).await
                }
            }
        }
        Input::Stdin => return interact(shell).await,
    };
    match result {
        Ok(_) => Ok(shell.last_exit_status()),
        Err(error) => {
            let _ = shell.display_error(&mut shell.stderr(), &error);
            Ok(1)
        }
    }
}

async fn run_program(
    shell: &mut Shell,
    program: ast::Program,
) -> Result<ExecutionResult, brush_core::Error> {
    let params = shell.default_exec_params();
    let result = shell.run_program(program, &params).await?;
    shell.on_exit().await?;
    Ok(result)
}

async fn interact(shell: Shell) -> Result<u8, ShellError> {
    let shell = Arc::new(Mutex::new(shell));
    let mut input = BasicInputBackend;
    InteractiveShell::new(&shell, &mut input, &InteractiveOptions::default())?
        .run_interactively()
        .await?;
    let status = shell.lock().await.last_exit_status();
    Ok(status)
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
    open.map(|(number, file)| (number, OpenFile::File(File::from(file)))).collect()
}

async fn build(options: &Options) -> Result<Shell, ShellError> {
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
