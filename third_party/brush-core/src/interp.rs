use brush_parser::ast::{self, CommandPrefixOrSuffixItem};
use itertools::Itertools;
use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::arithmetic::{self, ExpandAndEvaluate};
use crate::commands::{self, CommandArg};
use crate::env::{EnvironmentLookup, EnvironmentScope, valid_variable_name};
use crate::openfiles::{OpenFile, OpenFiles};
use crate::results::{
    ExecutionControlFlow, ExecutionExitCode, ExecutionResult, ExecutionSpawnResult, ExecutionWaitResult,
};
use crate::shell::Shell;
use crate::variables::{
    ArrayLiteral, ShellValue, ShellValueLiteral, ShellValueUnsetType, ShellVariable,
};
use crate::{
    ShellFd, error, expansion, extendedtests, extensions, ioutils, jobs, openfiles, subshell, sys, timing,
};

/// Encapsulates the context of execution in a command pipeline.
struct PipelineExecutionContext<'a, SE: extensions::ShellExtensions> {
    /// The shell in which the command should be executed.
    shell: &'a mut Shell<SE>,
    /// Process group ID for spawned processes.
    process_group_id: Option<i32>,
}

/// Parameters for execution.
#[derive(Clone, Default)]
pub struct ExecutionParameters {
    /// The open files tracked by the current context.
    pub(crate) open_files: openfiles::OpenFiles,
    /// Policy for how to manage spawned external processes.
    pub process_group_policy: ProcessGroupPolicy,
    /// Whether `errexit` (exit on error) behavior should be
    /// suppressed in this execution context. Defaults to `false`.
    pub suppress_errexit: bool,
    /// Whether nothing follows in this process: a program may then take its place.
    pub(crate) last_command: bool,
    /// Where the command is traced, if it is not its own standard error.
    pub(crate) trace: Option<OpenFile>,
}

impl ExecutionParameters {
    /// Returns the standard input file; usable with `write!` et al.
    ///
    /// # Arguments
    ///
    /// * `shell` - The shell context.
    pub fn stdin(
        &self,
        shell: &Shell<impl extensions::ShellExtensions>,
    ) -> impl std::io::Read + 'static {
        self.try_stdin(shell).unwrap_or_else(|| {
            ioutils::FailingReaderWriter::new("standard input not available").into()
        })
    }

    /// Tries to retrieve the standard input file. Returns `None` if not set.
    ///
    /// # Arguments
    ///
    /// * `shell` - The shell context.
    pub fn try_stdin(&self, shell: &Shell<impl extensions::ShellExtensions>) -> Option<OpenFile> {
        self.try_fd(shell, openfiles::OpenFiles::STDIN_FD)
    }

    /// Returns the standard output file; usable with `write!` et al. In the event that
    /// no such file is available, returns a valid implementation of `std::io::Write`
    /// that fails all I/O requests.
    ///
    ///
    /// # Arguments
    ///
    /// * `shell` - The shell context.
    pub fn stdout(
        &self,
        shell: &Shell<impl extensions::ShellExtensions>,
    ) -> impl std::io::Write + 'static {
        self.try_stdout(shell).unwrap_or_else(|| {
            ioutils::FailingReaderWriter::new("standard output not available").into()
        })
    }

    /// Tries to retrieve the standard output file. Returns `None` if not set.
    ///
    /// # Arguments
    ///
    /// * `shell` - The shell context.
    pub fn try_stdout(&self, shell: &Shell<impl extensions::ShellExtensions>) -> Option<OpenFile> {
        self.try_fd(shell, openfiles::OpenFiles::STDOUT_FD)
    }

    /// Returns the standard error file; usable with `write!` et al. In the event that
    /// no such file is available, returns a valid implementation of `std::io::Write`
    /// that fails all I/O requests.
    ///
    /// # Arguments
    ///
    /// * `shell` - The shell context.
    pub fn stderr(
        &self,
        shell: &Shell<impl extensions::ShellExtensions>,
    ) -> impl std::io::Write + 'static {
        self.try_stderr(shell).unwrap_or_else(|| {
            ioutils::FailingReaderWriter::new("standard error not available").into()
        })
    }

    /// Tries to retrieve the standard error file. Returns `None` if not set.
    ///
    /// # Arguments
    ///
    /// * `shell` - The shell context.
    pub fn try_stderr(&self, shell: &Shell<impl extensions::ShellExtensions>) -> Option<OpenFile> {
        self.try_fd(shell, openfiles::OpenFiles::STDERR_FD)
    }

    /// Returns the file descriptor with the given number. Returns `None`
    /// if the file descriptor is not open.
    ///
    /// # Arguments
    ///
    /// * `shell` - The shell context.
    /// * `fd` - The file descriptor number to retrieve.
    pub fn try_fd(
        &self,
        shell: &Shell<impl extensions::ShellExtensions>,
        fd: ShellFd,
    ) -> Option<openfiles::OpenFile> {
        match self.open_files.fd_entry(fd) {
            openfiles::OpenFileEntry::Open(f) => Some(f.clone()),
            openfiles::OpenFileEntry::NotPresent => None,
            openfiles::OpenFileEntry::NotSpecified => {
                // We didn't have this fd specified one way or the other; we fallback
                // to what's represented in the shell's open files.
                shell.persistent_open_files().try_fd(fd).cloned()
            }
        }
    }

    /// These parameters for what is followed by more in the same process, or is not.
    pub(crate) fn followed(&self, followed: bool) -> std::borrow::Cow<'_, Self> {
        if followed && self.last_command {
            let mut params = self.clone();
            params.last_command = false;
            std::borrow::Cow::Owned(params)
        } else {
            std::borrow::Cow::Borrowed(self)
        }
    }

    /// Whether a file descriptor is another one here than the shell's own.
    pub(crate) fn redirects(&self, fd: ShellFd) -> bool {
        !matches!(
            self.open_files.fd_entry(fd),
            openfiles::OpenFileEntry::NotSpecified
        )
    }

    /// Sets the given file descriptor to the provided open file.
    ///
    /// # Arguments
    ///
    /// * `fd` - The file descriptor number to set.
    /// * `file` - The open file to set.
    pub fn set_fd(&mut self, fd: ShellFd, file: openfiles::OpenFile) {
        self.open_files.set_fd(fd, file);
    }

    /// Iterates over all open file descriptors in this context.
    ///
    /// # Arguments
    ///
    /// * `shell` - The shell context.
    pub fn iter_fds(
        &self,
        shell: &Shell<impl extensions::ShellExtensions>,
    ) -> impl Iterator<Item = (ShellFd, openfiles::OpenFile)> {
        let our_fds = self.open_files.iter_fds();
        let shell_fds = shell
            .persistent_open_files()
            .iter_fds()
            .filter(|(fd, _)| !self.open_files.contains_fd(*fd));

        #[allow(clippy::needless_collect)]
        let all_fds: Vec<_> = our_fds
            .chain(shell_fds)
            .map(|(fd, file)| (fd, file.clone()))
            .collect();

        all_fds.into_iter()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
/// Policy for how to manage spawned external processes.
pub enum ProcessGroupPolicy {
    /// Place the process in a new process group.
    #[default]
    NewProcessGroup,
    /// Place the process in the same process group as its parent.
    SameProcessGroup,
}

#[async_trait::async_trait]
pub trait Execute {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error>;
}

#[async_trait::async_trait]
trait ExecuteInPipeline<SE: extensions::ShellExtensions> {
    async fn execute_in_pipeline(
        &self,
        context: PipelineExecutionContext<'_, SE>,
        params: ExecutionParameters,
    ) -> Result<ExecutionSpawnResult, error::Error>;
}

#[async_trait::async_trait]
impl Execute for ast::Program {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        let mut result = ExecutionResult::success();

        for (index, command) in self.complete_commands.iter().enumerate() {
            let is_last = index + 1 == self.complete_commands.len();
            let mut params = params.followed(!is_last);
            // A command before it may have been `set -m`.
            let policy = shell.process_group_policy();
            let own = !shell.is_subshell() && !shell.call_stack().in_trap();
            if own && params.process_group_policy != policy {
                params.to_mut().process_group_policy = policy;
            }
            let params = &params;

            // Execute the command and handle any errors without immediately propagating them.
            // This allows interactive shells to continue executing subsequent commands even after
            // errors.
            match command.execute(shell, params).await {
                Ok(exec_result) => result = exec_result,
                Err(err) => {
                    // Display the error and convert to an execution result.
                    let _ = shell.display_error(&mut params.stderr(shell), &err);
                    // What cannot be expanded or assigned ends a shell of POSIX (XCU 2.8.1).
                    let posix = shell.options().posix_mode;
                    let err = if posix { err.into_fatal() } else { err };
                    result = err.into_result(shell);
                }
            }

            // Update status
            shell.set_last_exit_status(result.exit_code.into());

            // Check if we should stop executing subsequent commands
            if !result.is_normal_flow() {
                break;
            }
        }

        Ok(result)
    }
}

#[async_trait::async_trait]
impl Execute for ast::CompoundList {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        let mut result = ExecutionResult::success();

        for (index, ast::CompoundListItem(ao_list, sep)) in self.0.iter().enumerate() {
            let run_async = matches!(sep, ast::SeparatorOperator::Async);

            if run_async {
                run_in_background(ao_list, shell, params).await?;
                result = ExecutionResult::success();
                shell.set_last_exit_status(0);
            } else {
                let is_last = index + 1 == self.0.len();
                result = ao_list
                    .execute(shell, &params.followed(!is_last))
                    .await?;

                // Update status
                shell.set_last_exit_status(result.exit_code.into());
            }

            if !result.is_normal_flow() {
                break;
            }
        }

        Ok(result)
    }
}

/// A list as `jobs` shows it.
fn describe_list(list: &ast::AndOrList) -> String {
    let mut text = describe_pipeline(&list.first);
    for next in &list.additional {
        let (operator, pipeline) = match next {
            ast::AndOr::And(pipeline) => ("&&", pipeline),
            ast::AndOr::Or(pipeline) => ("||", pipeline),
        };
        text.push_str(&format!(" {operator} {}", describe_pipeline(pipeline)));
    }
    text
}

/// A pipeline as `jobs` shows it.
fn describe_pipeline(pipeline: &ast::Pipeline) -> String {
    let bang = if pipeline.bang { "! " } else { "" };
    format!("{bang}{}", pipeline.seq.iter().join(" | "))
}

/// Runs a list in a subshell that nobody waits for.
async fn run_in_background<SE: extensions::ShellExtensions>(
    ao_list: &ast::AndOrList,
    shell: &mut Shell<SE>,
    params: &ExecutionParameters,
) -> Result<(), error::Error> {
    let mut child_params = params.clone();
    child_params.process_group_policy = shell.default_exec_params().process_group_policy;
    let Some(child) = subshell::fork(shell, &mut child_params, subshell::Ground::Back)? else {
        let result = ao_list.execute(shell, &child_params).await;
        subshell::end(shell, &child_params, result).await?;
        return Ok(());
    };
    let job = shell.jobs_mut().add(jobs::Job::new(
        [child],
        describe_list(ao_list),
        jobs::JobState::Running,
    ));
    let job_formatted = job.to_pid_style_string();
    if shell.options().interactive && !shell.is_subshell() {
        writeln!(params.stderr(shell), "{job_formatted}")?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl Execute for ast::AndOrList {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        let has_operators = !self.additional.is_empty();

        // For the first command, suppress errexit if there are more commands after it
        let mut first_params = params.followed(has_operators).into_owned();
        if has_operators {
            first_params.suppress_errexit = true;
        }

        let mut result = self.first.execute(shell, &first_params).await?;

        for (index, next_ao) in self.additional.iter().enumerate() {
            // Check for non-normal control flow.
            if !result.is_normal_flow() {
                break;
            }

            let (is_and, pipeline) = match next_ao {
                ast::AndOr::And(p) => (true, p),
                ast::AndOr::Or(p) => (false, p),
            };

            // If we short-circuit, then we don't break out of the whole loop
            // but we skip evaluating the current pipeline. We'll then continue
            // on and possibly evaluate a subsequent one (depending on the
            // operator before it).
            if is_and {
                if !result.is_success() {
                    continue;
                }
            } else if result.is_success() {
                continue;
            }

            // For the last command in the chain, use original params (errexit not suppressed)
            // For earlier commands, suppress errexit
            let mut params = params.clone();

            let is_last = index == self.additional.len() - 1;
            if !is_last {
                params.suppress_errexit = true;
                params.last_command = false;
            }

            result = pipeline.execute(shell, &params).await?;
        }

        Ok(result)
    }
}

#[async_trait::async_trait]
impl Execute for ast::Pipeline {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        // Capture current timing if so requested.
        let stopwatch = self
            .timed
            .is_some()
            .then(timing::start_timing)
            .transpose()?;

        let mut params = params.clone();

        // If this pipeline is negated, suppress errexit for commands within it
        if self.bang {
            params.suppress_errexit = true;
        }
        if self.bang || self.timed.is_some() || self.seq.len() > 1 {
            params.last_command = false;
        }

        // Spawn all the processes required for the pipeline, connecting outputs/inputs with pipes
        // as needed.
        let spawn_results = spawn_pipeline_processes(self, shell, &params).await?;

        // Wait for the processes. This also has a side effect of updating pipeline status.
        let mut result =
            wait_for_pipeline_processes_and_update_status(self, spawn_results, shell, &params)
                .await?;

        // Invert the exit code if requested.
        if self.bang {
            result.exit_code = ExecutionExitCode::from(if result.is_success() { 1 } else { 0 });
        }

        // Update exit status.
        shell.set_last_exit_status(result.exit_code.into());

        // Fire the ERR trap if the pipeline failed in a non-conditional context.
        // We reuse `suppress_errexit` here because bash suppresses the ERR trap in
        // exactly the same contexts it suppresses errexit (conditionals, `!`-prefixed
        // pipelines, etc.).
        // What ends the shell has had its trap, or wants none.
        if !result.is_success()
            && result.is_normal_flow()
            && !params.suppress_errexit
            && !self.bang
            && !judges_itself(&self.seq)
        {
            if shell.traps().handles(crate::traps::TrapSignal::Err) {
                shell
                    .invoke_trap_handler(crate::traps::TrapSignal::Err, &params)
                    .await?;
            }
        }

        // Apply errexit if not suppressed (and not negated). What failed within a compound command in
        // this process has been judged there.
        if !params.suppress_errexit && !self.bang && !judges_itself(&self.seq) {
            shell.apply_errexit_if_enabled(&mut result);
        }

        // Signals that came meanwhile are handled between commands.
        if let Some(trapped) = shell.run_pending_traps(&params).await? {
            result = trapped;
        }

        // If requested, report timing.
        if let (Some(timed), Some(stopwatch)) = (&self.timed, &stopwatch)
            && let Some(mut stderr) = params.try_fd(shell, openfiles::OpenFiles::STDERR_FD)
        {
            let timing = stopwatch.stop()?;
            if timed.is_posix_output() {
                std::write!(
                    stderr,
                    "real {}\nuser {}\nsys {}\n",
                    timing::format_duration_posixly(&timing.wall),
                    timing::format_duration_posixly(&timing.user),
                    timing::format_duration_posixly(&timing.system),
                )?;
            } else {
                std::write!(
                    stderr,
                    "\nreal\t{}\nuser\t{}\nsys\t{}\n",
                    timing::format_duration_non_posixly(&timing.wall),
                    timing::format_duration_non_posixly(&timing.user),
                    timing::format_duration_non_posixly(&timing.system),
                )?;
            }
        }

        Ok(result)
    }
}

/// Whether a pipeline is a compound command that runs in this process: its own commands end the shell
/// when they fail, and where they are allowed to fail, so is it (POSIX, XCU set -e).
const fn judges_itself(seq: &[ast::Command]) -> bool {
    match seq {
        [ast::Command::Compound(compound, _)] => !matches!(
            compound,
            ast::CompoundCommand::Subshell(_)
                | ast::CompoundCommand::Arithmetic(_)
                | ast::CompoundCommand::Coprocess(_)
        ),
        _ => false,
    }
}

async fn spawn_pipeline_processes(
    pipeline: &ast::Pipeline,
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &ExecutionParameters,
) -> Result<VecDeque<ExecutionSpawnResult>, error::Error> {
    let pipeline_len = pipeline.seq.len();
    let mut spawn_results = VecDeque::new();
    let mut group: Option<i32> = None;
    // What the next command reads from.
    let mut next_reader: Option<OpenFile> = None;

    for (current_pipeline_index, command) in pipeline.seq.iter().enumerate() {
        //
        // We run a command directly in the current shell if either of the following is true:
        //     * There's only one command in the pipeline.
        //     * This is the *last* command in the pipeline, the lastpipe option is enabled, and job
        //       monitoring is disabled.
        // Otherwise, each command of the pipeline has a subshell of its own.
        //

        let is_last = current_pipeline_index == pipeline_len - 1;
        let run_in_current_shell = pipeline_len == 1
            || (is_last
                && shell.options().run_last_pipeline_cmd_in_current_shell
                && !shell.options().enable_job_control);

        // Set up parameters appropriate for this command.
        let mut cmd_params = params.clone();

        // Install pipes.
        if let Some(reader) = next_reader.take() {
            cmd_params.open_files.set_fd(OpenFiles::STDIN_FD, reader);
        }
        if !is_last {
            let (reader, writer) = std::io::pipe()?;
            next_reader = Some(reader.into());
            cmd_params
                .open_files
                .set_fd(OpenFiles::STDOUT_FD, writer.into());
        }

        if run_in_current_shell {
            let pipeline_context = PipelineExecutionContext {
                shell,
                process_group_id: group,
            };
            spawn_results.push_back(
                command
                    .execute_in_pipeline(pipeline_context, cmd_params)
                    .await?,
            );
            continue;
        }

        let ground = subshell::Ground::Fore(group);
        if let Some(child) = subshell::fork(shell, &mut cmd_params, ground)? {
            group = group.or_else(|| child.pgid());
            spawn_results.push_back(ExecutionSpawnResult::StartedProcess(child));
        } else {
            drop(next_reader.take());
            let result = execute_and_wait(command, shell, cmd_params.clone()).await;
            subshell::end(shell, &cmd_params, result).await?;
        }
    }

    Ok(spawn_results)
}

/// Runs a command in this process, or in one that is waited for.
async fn execute_and_wait<SE: extensions::ShellExtensions>(
    command: &ast::Command,
    shell: &mut Shell<SE>,
    params: ExecutionParameters,
) -> Result<ExecutionResult, error::Error> {
    let context = PipelineExecutionContext {
        shell: &mut *shell,
        process_group_id: None,
    };
    let started = command.execute_in_pipeline(context, params).await?;
    Ok(match started.wait().await? {
        ExecutionWaitResult::Completed(result) => result,
        ExecutionWaitResult::Stopped(_) => ExecutionResult::stopped(),
    })
}

async fn wait_for_pipeline_processes_and_update_status(
    pipeline: &ast::Pipeline,
    mut process_spawn_results: VecDeque<ExecutionSpawnResult>,
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &ExecutionParameters,
) -> Result<ExecutionResult, error::Error> {
    let mut result = ExecutionResult::success();
    let mut stopped_children = vec![];
    let mut last_failure_exit_code: Option<ExecutionExitCode> = None;

    // Clear our the pipeline status so we can start filling it out.
    shell.last_pipeline_statuses_mut().clear();

    while let Some(child) = process_spawn_results.pop_front() {
        let wait_result = if !stopped_children.is_empty() {
            child.poll()?
        } else {
            child.wait().await?
        };

        match wait_result {
            ExecutionWaitResult::Completed(current_result) => {
                result = current_result;
                shell.set_last_exit_status(result.exit_code.into());
                shell
                    .last_pipeline_statuses_mut()
                    .push(result.exit_code.into());

                // Track the last failure for pipefail option
                if !result.is_success() {
                    last_failure_exit_code = Some(result.exit_code);
                }
            }
            ExecutionWaitResult::Stopped(child) => {
                result = ExecutionResult::stopped();
                shell.set_last_exit_status(result.exit_code.into());
                shell
                    .last_pipeline_statuses_mut()
                    .push(result.exit_code.into());

                stopped_children.push(child);
            }
        }
    }

    // Apply pipefail semantics if enabled
    if shell.options().return_last_failure_from_pipeline {
        if let Some(failure_exit_code) = last_failure_exit_code {
            result.exit_code = failure_exit_code;
        }
    }

    if shell.options().interactive {
        sys::terminal::move_self_to_foreground()?;
        // The process group with the terminal was interrupted, which this one was not.
        if matches!(result.exit_code, ExecutionExitCode::Interrupted) {
            sys::signal::note_interrupt();
        }
    }

    // If there were stopped jobs, then encapsulate the pipeline as a managed job and hand it
    // off to the job manager.
    if !stopped_children.is_empty() {
        let job = shell.jobs_mut().add(jobs::Job::new(
            stopped_children,
            describe_pipeline(pipeline),
            jobs::JobState::Stopped,
        ));

        let formatted = job.to_string();

        // N.B. We use the '\r' to overwrite any ^Z output.
        writeln!(params.stderr(shell), "\r{formatted}")?;
    }

    Ok(result)
}

#[async_trait::async_trait]
impl<SE: extensions::ShellExtensions> ExecuteInPipeline<SE> for ast::Command {
    async fn execute_in_pipeline(
        &self,
        pipeline_context: PipelineExecutionContext<'_, SE>,
        mut params: ExecutionParameters,
    ) -> Result<ExecutionSpawnResult, error::Error> {
        if pipeline_context.shell.options().do_not_execute_commands {
            return Ok(ExecutionSpawnResult::Completed(ExecutionResult::success()));
        }

        // Updates the shell with information about the currently executing command.
        pipeline_context.shell.set_current_cmd(self);

        match self {
            Self::Simple(simple) => simple.execute_in_pipeline(pipeline_context, params).await,
            Self::Compound(compound, redirects) => {
                let shell = pipeline_context.shell;

                // Set up any additional redirects.
                if let Some(redirects) = redirects {
                    for redirect in &redirects.0 {
                        if let Err(e) = setup_redirect(shell, &mut params, redirect).await {
                            let _ = shell.display_error(&mut params.stderr(shell), &e);
                            let mut result = ExecutionResult::general_error();
                            if !params.suppress_errexit {
                                shell.apply_errexit_if_enabled(&mut result);
                            }
                            return Ok(result.into());
                        }
                    }
                }

                match compound {
                    ast::CompoundCommand::Subshell(command) => {
                        execute_subshell(command, shell, params).await
                    }
                    ast::CompoundCommand::BraceGroup(_) => {
                        Ok(compound.execute(shell, &params).await?.into())
                    }
                    _ => {
                        params.last_command = false;
                        Ok(compound.execute(shell, &params).await?.into())
                    }
                }
            }
            Self::Function(func) => {
                Ok(func.execute(pipeline_context.shell, &params).await?.into())
            }
            Self::ExtendedTest(e, redirects) => {
                // Set up any additional redirects.
                if let Some(redirects) = redirects {
                    for redirect in &redirects.0 {
                        setup_redirect(pipeline_context.shell, &mut params, redirect).await?;
                    }
                }

                // Evaluate the extended test expression.
                let result = if extendedtests::eval_extended_test_expr(
                    &e.expr,
                    pipeline_context.shell,
                    &params,
                )
                .await?
                {
                    0
                } else {
                    1
                };
                Ok(ExecutionResult::new(result).into())
            }
        }
    }
}

/// Starts a subshell. One that is the last thing to do in its process needs no other.
async fn execute_subshell<SE: extensions::ShellExtensions>(
    command: &ast::SubshellCommand,
    shell: &mut Shell<SE>,
    mut params: ExecutionParameters,
) -> Result<ExecutionSpawnResult, error::Error> {
    let ground = subshell::Ground::Fore(None);
    match subshell::fork(shell, &mut params, ground)? {
        Some(child) => Ok(ExecutionSpawnResult::StartedProcess(child)),
        None => {
            let result = command.list.execute(shell, &params).await;
            Ok(subshell::end(shell, &params, result).await?.into())
        }
    }
}

enum WhileOrUntil {
    While,
    Until,
}

#[async_trait::async_trait]
impl Execute for ast::CompoundCommand {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        match self {
            Self::BraceGroup(ast::BraceGroupCommand { list, .. }) => {
                list.execute(shell, params).await
            }
            Self::Subshell(command) => {
                let started = execute_subshell(command, shell, params.clone()).await?;
                Ok(match started.wait().await? {
                    ExecutionWaitResult::Completed(result) => result,
                    ExecutionWaitResult::Stopped(_) => ExecutionResult::stopped(),
                })
            }
            Self::CaseClause(c) => c.execute(shell, params).await,
            Self::IfClause(i) => i.execute(shell, params).await,
            Self::Arithmetic(a) => a.execute(shell, params).await,
            Self::Coprocess(c) => c.execute(shell, params).await,
            Self::ForClause(_)
            | Self::WhileClause(_)
            | Self::UntilClause(_)
            | Self::ArithmeticForClause(_) => {
                let depth = shell.loop_depth();
                shell.set_loop_depth(depth + 1);
                let result = match self {
                    Self::ForClause(f) => f.execute(shell, params).await,
                    Self::WhileClause(w) => (WhileOrUntil::While, w).execute(shell, params).await,
                    Self::UntilClause(u) => (WhileOrUntil::Until, u).execute(shell, params).await,
                    Self::ArithmeticForClause(a) => a.execute(shell, params).await,
                    _ => Ok(ExecutionResult::success()),
                };
                shell.set_loop_depth(depth);
                result
            }
        }
    }
}

#[async_trait::async_trait]
impl Execute for ast::CoprocessCommand {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        if shell.options().do_not_execute_commands {
            return Ok(ExecutionResult::success());
        }

        // Resolve the name of the variable that will receive the coprocess's file descriptors.
        let name = self
            .name
            .as_ref()
            .map_or_else(|| "COPROC".to_string(), |w| w.to_string());

        if !valid_variable_name(&name) {
            writeln!(
                params.stderr(shell),
                "coproc {name}: not a valid identifier"
            )?;
            return Ok(ExecutionExitCode::GeneralError.into());
        }

        // Set up the pipes that we'll use to communicate with the coprocess.
        let (stdin_reader, stdin_writer) = std::io::pipe()?;
        let (stdout_reader, stdout_writer) = std::io::pipe()?;

        // Allocate new fds in the (parent) shell for the read end of the coprocess's stdout
        // and the write end of the coprocess's stdin.
        let stdout_fd = shell.open_files_mut().add(stdout_reader.into())?;
        let stdin_fd = shell.open_files_mut().add(stdin_writer.into())?;

        // Setup redirection for the coprocess's shell's stdin/stdout.
        let mut child_params = params.clone();
        child_params.process_group_policy = shell.default_exec_params().process_group_policy;
        child_params
            .open_files
            .set_fd(OpenFiles::STDIN_FD, stdin_reader.into());
        child_params
            .open_files
            .set_fd(OpenFiles::STDOUT_FD, stdout_writer.into());

        let Some(child) = subshell::fork(shell, &mut child_params, subshell::Ground::Back)? else {
            for fd in [stdout_fd, stdin_fd] {
                shell.open_files_mut().remove_fd(fd);
            }
            let result = execute_and_wait(&self.body, shell, child_params.clone()).await;
            return subshell::end(shell, &child_params, result).await;
        };
        drop(child_params);

        let pid = child.pid();
        shell.jobs_mut().add(jobs::Job::new(
            [child],
            format!("coproc {name}"),
            jobs::JobState::Running,
        ));

        // Fill out the fd variable.
        let arr_value = ShellValue::from(vec![stdout_fd.to_string(), stdin_fd.to_string()]);
        shell
            .env_mut()
            .set_global(name.clone(), ShellVariable::new(arr_value))?;

        // Set the process ID of the coprocess in a separate variable with the _PID suffix.
        let pid_name = format!("{name}_PID");
        shell
            .env_mut()
            .set_global(pid_name, ShellVariable::new(pid.to_string()))?;

        Ok(ExecutionResult::success())
    }
}

#[async_trait::async_trait]
impl Execute for ast::ForClauseCommand {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        let mut result = ExecutionResult::success();

        // If we were given explicit words to iterate over, then expand them all, with splitting
        // enabled.
        let mut expanded_values = vec![];
        if let Some(unexpanded_values) = &self.values {
            for value in unexpanded_values {
                let mut expanded =
                    expansion::full_expand_and_split_word(shell, params, value).await?;
                expanded_values.append(&mut expanded);
            }
        } else {
            // Otherwise, we use the current positional parameters.
            expanded_values.extend_from_slice(shell.current_shell_args());
        }

        let choices = if self.select { expanded_values.clone() } else { vec![] };
        let mut values = expanded_values.into_iter();
        let mut shows_menu = true;
        loop {
            // A menu without anything in it asks for nothing.
            let value = if self.select && !choices.is_empty() {
                match choose(shell, params, &choices, std::mem::replace(&mut shows_menu, false))? {
                    Some(choice) => choice,
                    None => {
                        result = ExecutionResult::general_error();
                        break;
                    }
                }
            } else {
                let Some(value) = values.next() else { break };
                value
            };
            if shell.options().print_commands_and_arguments {
                let keyword = if self.select { "select" } else { "for" };
                if let Some(unexpanded_values) = &self.values {
                    shell
                        .trace_command(
                            params,
                            std::format!(
                                "{keyword} {} in {}",
                                self.variable_name,
                                unexpanded_values.iter().join(" ")
                            ),
                        )
                        .await;
                } else {
                    shell
                        .trace_command(
                            params,
                            std::format!("{keyword} {}", self.variable_name),
                        )
                        .await;
                }
            }

            // Update the variable; a name reference stands for one after the other.
            if !shell.env_mut().redirect(&self.variable_name, &value)? {
                shell.env_mut().update_or_add(
                    &self.variable_name,
                    ShellValueLiteral::Scalar(value),
                    |_| Ok(()),
                    EnvironmentLookup::Anywhere,
                    EnvironmentScope::Global,
                )?;
            }

            result = self.body.list.execute(shell, params).await?;
            if result.is_return_or_exit() {
                break;
            }

            let is_break = result.is_break();

            result.next_control_flow = result.next_control_flow.try_decrement_loop_levels();

            if is_break || result.is_continue() {
                break;
            }

            shows_menu = shell.env_str("REPLY").is_some_and(|reply| reply.is_empty());
        }

        shell.set_last_exit_status(result.exit_code.into());
        Ok(result)
    }
}

/// Lets the user choose one of the words of a `select`: `REPLY` gets the line that was typed. The
/// result is empty if that is the number of none, and `None` at the end of the input.
fn choose(
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &ExecutionParameters,
    choices: &[String],
    shows_menu: bool,
) -> Result<Option<String>, error::Error> {
    let mut stderr = params.stderr(shell);
    let mut stdin = params.stdin(shell);
    let mut shows_menu = shows_menu;
    loop {
        if shows_menu {
            let width = choices.len().to_string().len();
            for (number, choice) in choices.iter().enumerate() {
                writeln!(stderr, "{:>width$}) {choice}", number + 1)?;
            }
        }
        let prompt = shell.env_str("PS3").unwrap_or("#? ".into()).into_owned();
        write!(stderr, "{prompt}")?;
        stderr.flush()?;
        // No more is taken than the line.
        let mut line = vec![];
        let mut byte = [0];
        let ended = loop {
            match std::io::Read::read(&mut stdin, &mut byte)? {
                0 => break line.is_empty(),
                _ if byte == *b"\n" => break false,
                _ => line.extend_from_slice(&byte),
            }
        };
        if ended {
            writeln!(params.stdout(shell))?;
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        shows_menu = line.is_empty();
        let chosen = line.trim().parse::<usize>().ok();
        let chosen = chosen.and_then(|number| choices.get(number.checked_sub(1)?)).cloned();
        shell.env_mut().update_or_add(
            "REPLY",
            ShellValueLiteral::Scalar(line),
            |_| Ok(()),
            EnvironmentLookup::Anywhere,
            EnvironmentScope::Global,
        )?;
        if !shows_menu {
            return Ok(Some(chosen.unwrap_or_default()));
        }
    }
}

#[async_trait::async_trait]
impl Execute for ast::CaseClauseCommand {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        // N.B. One would think it makes sense to trace the expanded value being switched
        // on, but that's not it.
        if shell.options().print_commands_and_arguments {
            shell
                .trace_command(params, std::format!("case {} in", &self.value))
                .await;
        }

        let expanded_value = expansion::basic_expand_word(shell, params, &self.value).await?;
        let mut result: ExecutionResult = ExecutionResult::success();
        let mut force_execute_next_case = false;

        for case in &self.cases {
            if force_execute_next_case {
                force_execute_next_case = false;
            } else {
                let mut matches = false;
                for pattern in &case.patterns {
                    let expanded_pattern = expansion::basic_expand_pattern(shell, params, pattern)
                        .await?
                        .set_extended_globbing(shell.options().extended_globbing)
                        .set_case_insensitive(shell.options().case_insensitive_conditionals);

                    if expanded_pattern.exactly_matches(expanded_value.as_str())? {
                        matches = true;
                        break;
                    }
                }

                if !matches {
                    continue;
                }
            }

            result = if let Some(case_cmd) = &case.cmd {
                case_cmd.execute(shell, params).await?
            } else {
                ExecutionResult::success()
            };

            // Check for early return (return/exit) or loop control flow (break/continue)
            if !result.is_normal_flow() {
                break;
            }

            match case.post_action {
                ast::CaseItemPostAction::ExitCase => break,
                ast::CaseItemPostAction::UnconditionallyExecuteNextCaseItem => {
                    force_execute_next_case = true;
                }
                ast::CaseItemPostAction::ContinueEvaluatingCases => (),
            }
        }

        shell.set_last_exit_status(result.exit_code.into());

        Ok(result)
    }
}

#[async_trait::async_trait]
impl Execute for ast::IfClauseCommand {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        // Execute condition with errexit suppressed
        let mut condition_params = params.clone();
        condition_params.suppress_errexit = true;
        let condition = self.condition.execute(shell, &condition_params).await?;

        // Check if the condition itself resulted in non-normal control flow.
        if !condition.is_normal_flow() {
            return Ok(condition);
        }

        if condition.is_success() {
            return self.then.execute(shell, params).await;
        }

        if let Some(elses) = &self.elses {
            for else_clause in elses {
                match &else_clause.condition {
                    Some(else_condition) => {
                        let else_condition_result =
                            else_condition.execute(shell, &condition_params).await?;

                        // Check if the elif condition caused non-normal control flow.
                        if !else_condition_result.is_normal_flow() {
                            return Ok(else_condition_result);
                        }

                        if else_condition_result.is_success() {
                            return else_clause.body.execute(shell, params).await;
                        }
                    }
                    None => {
                        return else_clause.body.execute(shell, params).await;
                    }
                }
            }
        }

        // If we got down here, then no branch was taken; we make sure to
        // reset the last exit status to success and then return success.
        let result = ExecutionResult::success();
        shell.set_last_exit_status(result.exit_code.into());

        Ok(result)
    }
}

#[async_trait::async_trait]
impl Execute for (WhileOrUntil, &ast::WhileOrUntilClauseCommand) {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        let is_while = match self.0 {
            WhileOrUntil::While => true,
            WhileOrUntil::Until => false,
        };
        let test_condition = &self.1.0;
        let body = &self.1.1;

        let mut result = ExecutionResult::success();

        // Execute loop condition with errexit suppressed
        let mut condition_params = params.clone();
        condition_params.suppress_errexit = true;

        loop {
            let condition_result = test_condition.execute(shell, &condition_params).await?;

            // Update status for condition
            shell.set_last_exit_status(condition_result.exit_code.into());

            if matches!(
                condition_result.next_control_flow,
                ExecutionControlFlow::ContinueLoop { levels: 0 }
            ) {
                continue;
            }

            if !condition_result.is_normal_flow() {
                result = condition_result;

                // If the condition has break/continue, the while/until loop itself
                // consumes one level. We need to decrement the level before returning.
                result.next_control_flow = result.next_control_flow.try_decrement_loop_levels();
                break;
            }

            if condition_result.is_success() != is_while {
                break;
            }

            result = body.list.execute(shell, params).await?;
            if result.is_return_or_exit() {
                break;
            }

            let is_break = result.is_break();

            result.next_control_flow = result.next_control_flow.try_decrement_loop_levels();

            if is_break || result.is_continue() {
                break;
            }
        }

        shell.set_last_exit_status(result.exit_code.into());
        Ok(result)
    }
}

#[async_trait::async_trait]
impl Execute for ast::ArithmeticCommand {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        let value = self.expr.eval(shell, params, true).await?;
        let result = if value != 0 {
            ExecutionResult::success()
        } else {
            ExecutionResult::general_error()
        };

        shell.set_last_exit_status(result.exit_code.into());

        Ok(result)
    }
}

#[async_trait::async_trait]
impl Execute for ast::ArithmeticForClauseCommand {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        let mut result = ExecutionResult::success();
        if let Some(initializer) = &self.initializer {
            initializer.eval(shell, params, true).await?;
        }

        loop {
            if let Some(condition) = &self.condition {
                // An empty condition (e.g., `for (( ; ; ))`) means "always true".
                if !condition.value.is_empty() && condition.eval(shell, params, true).await? == 0 {
                    break;
                }
            }

            result = self.body.list.execute(shell, params).await?;
            if result.is_return_or_exit() {
                break;
            }

            let is_break = result.is_break();

            result.next_control_flow = result.next_control_flow.try_decrement_loop_levels();

            if is_break || result.is_continue() {
                break;
            }

            if let Some(updater) = &self.updater {
                updater.eval(shell, params, true).await?;
            }
        }

        shell.set_last_exit_status(result.exit_code.into());
        Ok(result)
    }
}

#[async_trait::async_trait]
impl Execute for ast::FunctionDefinition {
    async fn execute(
        &self,
        shell: &mut Shell<impl extensions::ShellExtensions>,
        _params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        let func_name = self.fname.value.clone();

        // In POSIX mode, function names can't shadow special builtins.
        if shell.options().posix_mode
            && shell
                .builtins()
                .get(&func_name)
                .is_some_and(|r| r.special_builtin)
        {
            return Err(
                error::Error::from(error::ErrorKind::FunctionNameShadowsSpecialBuiltin {
                    name: func_name,
                })
                .into_fatal(),
            );
        }

        // The function definition's source context should be the same as the current frame
        // so we directly pass that through.
        let source_info = shell
            .call_stack()
            .current_frame()
            .map_or_else(crate::SourceInfo::default, |frame| {
                frame.adjusted_source_info()
            });
        shell.define_func(func_name, self.clone(), &source_info);

        let result = ExecutionResult::success();
        shell.set_last_exit_status(result.exit_code.into());

        Ok(result)
    }
}

#[async_trait::async_trait]
#[allow(clippy::too_many_lines)]
impl<SE: extensions::ShellExtensions> ExecuteInPipeline<SE> for ast::SimpleCommand {
    async fn execute_in_pipeline(
        &self,
        context: PipelineExecutionContext<'_, SE>,
        mut params: ExecutionParameters,
    ) -> Result<ExecutionSpawnResult, error::Error> {
        let prefix_iter = self.prefix.as_ref().map(|s| s.0.iter()).unwrap_or_default();
        let suffix_iter = self.suffix.as_ref().map(|s| s.0.iter()).unwrap_or_default();
        let cmd_name_items = self
            .word_or_name
            .as_ref()
            .map(|won| CommandPrefixOrSuffixItem::Word(won.clone()));

        let mut assignments = vec![];
        let mut redirects = vec![];
        let mut args: Vec<CommandArg> = vec![];
        let mut command_takes_assignments = false;

        // Capture the status change count before expansion, so we can detect
        // if expansion (e.g., command substitution) set an exit status.
        let status_change_count_before_expansion = context.shell.last_exit_status_change_count();

        for item in prefix_iter.chain(cmd_name_items.iter()).chain(suffix_iter) {
            match item {
                CommandPrefixOrSuffixItem::IoRedirect(redirect) => redirects.push(redirect),
                CommandPrefixOrSuffixItem::ProcessSubstitution(kind, subshell_command) => {
                    let (installed_fd_num, substitution_file) = setup_process_substitution(
                        context.shell,
                        &params,
                        kind,
                        &subshell_command.list,
                    )
                    .await?;

                    params
                        .open_files
                        .set_fd(installed_fd_num, substitution_file);

                    args.push(CommandArg::String(std::format!(
                        "/dev/fd/{installed_fd_num}"
                    )));
                }
                CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                    if args.is_empty() {
                        // If we haven't yet seen any arguments, then this must be a proper
                        // scoped assignment. Add it to the list we're accumulating.
                        assignments.push(assignment);
                    } else {
                        if command_takes_assignments {
                            // This looks like an assignment, and the command being invoked is a
                            // well-known builtin that takes arguments that need to function like
                            // assignments (but which are processed by the builtin).
                            let expanded =
                                expand_declaration(context.shell, &params, assignment, &args)
                                    .await?;
                            args.push(CommandArg::Assignment(expanded));
                        } else {
                            // This *looks* like an assignment, but it's really a string we should
                            // fully treat as a regular looking
                            // argument.
                            let mut next_args = expansion::full_expand_argument(
                                context.shell,
                                &params,
                                word,
                            )
                            .await?
                            .into_iter()
                            .map(CommandArg::String)
                            .collect();
                            args.append(&mut next_args);
                        }
                    }
                }
                CommandPrefixOrSuffixItem::Word(arg) => {
                    let next_args =
                        expansion::full_expand_and_split_word(context.shell, &params, arg)
                            .await?;

                    if args.is_empty() {
                        if let Some(cmd_name) = next_args.first() {
                            // Check if we're going to be invoking a special declaration builtin.
                            // That will change how we parse and process args.
                            if context
                                .shell
                                .builtins()
                                .get(cmd_name.as_str())
                                .is_some_and(|r| !r.disabled && r.declaration_builtin)
                            {
                                command_takes_assignments = true;
                            }
                        }
                    } else if args.iter().all(leads_to_command) {
                        // `command` passes on what its command is given.
                        command_takes_assignments = next_args.first().is_some_and(|name| {
                            let builtin = context.shell.builtins().get(name);
                            builtin.is_some_and(|r| !r.disabled && r.declaration_builtin)
                        });
                    }

                    let mut next_args = next_args.into_iter().map(CommandArg::String).collect();
                    args.append(&mut next_args);
                }
            }
        }

        open_substituted_files(context.shell, &mut params);

        // Words are expanded first, then files are opened (POSIX, XCU 2.9.1.1).
        params.open_files.note_changes();
        // What `set -x` tells is not part of what is redirected.
        let traced = context.shell.options().print_commands_and_arguments && !redirects.is_empty();
        params.trace = if traced { params.try_stderr(context.shell) } else { None };
        for redirect in redirects {
            if let Err(e) = setup_redirect(context.shell, &mut params, redirect).await {
                let mut stderr = params.stderr(context.shell);
                let _ = context.shell.display_error(&mut stderr, &e);
                let special = args
                    .first()
                    .is_some_and(|name| context.shell.is_posix_special(&name.to_string()));
                let mut result = ExecutionResult::general_error();
                if special && !context.shell.options().interactive {
                    result.next_control_flow = ExecutionControlFlow::ExitShell;
                }
                return Ok(result.into());
            }
        }

        // If we have a command, then execute it.
        if let Some(CommandArg::String(cmd_name)) = args.first().cloned() {
            // Where an error is written if the command has one of its own; the shell's is looked up then.
            let stderr =
                params.redirects(OpenFiles::STDERR_FD).then(|| params.stderr(context.shell));

            let parent_shell = context.shell;
            let context = PipelineExecutionContext {
                shell: &mut *parent_shell,
                process_group_id: context.process_group_id,
            };

            match execute_command(context, params, cmd_name, assignments, args).await {
                Ok(result) => Ok(result),
                Err(err) => {
                    let _ = match stderr {
                        Some(mut stderr) => parent_shell.display_error(&mut stderr, &err),
                        None => parent_shell.display_error(&mut parent_shell.stderr(), &err),
                    };

                    let result = err.into_result(parent_shell);
                    Ok(result.into())
                }
            }
        } else {
            // No command to run; assignments must be applied to this shell.
            for assignment in assignments {
                // Errors are handled at the program level, so that multiple complete_commands can
                // execute independently; POSIX wants them to end the shell.
                let done = apply_assignment(
                    assignment,
                    context.shell,
                    &params,
                    false,
                    None,
                    EnvironmentScope::Global,
                )
                .await;
                // Nothing is there to read what was assigned a name.
                drop(context.shell.take_substituted_files());
                let posix = context.shell.options().posix_mode;
                done.map_err(|e| if posix { e.into_fatal() } else { e })?;
            }

            // Assignment-only statements clear $_ (set to empty string).
            // This matches bash behavior where assignments don't have a "last
            // argument".
            context.shell.update_last_arg_variable(None);

            // We need to set the last exit status to indicate assignment success,
            // but only if there was no status set during expansion. We use the
            // status count captured before expansion to detect if command
            // substitution (or other expansion) set an exit status.
            if status_change_count_before_expansion == context.shell.last_exit_status_change_count()
            {
                context.shell.set_last_exit_status(0);
            }

            // Return the last exit status we have; in some cases, an expansion
            // might result in a non-zero exit status stored in the shell.
            Ok(ExecutionResult::new(context.shell.last_exit_status()).into())
        }
    }
}

/// Opens the files of the process substitutions in a command's words for it.
fn open_substituted_files(
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &mut ExecutionParameters,
) {
    for (fd, file) in shell.take_substituted_files() {
        params.open_files.set_fd(fd, file);
    }
}

/// Whether a command's name may follow: this is `command`, or `--` behind it.
fn leads_to_command(arg: &CommandArg) -> bool {
    matches!(arg, CommandArg::String(word) if word == "command" || word == "--")
}

async fn execute_command(
    context: PipelineExecutionContext<'_, impl extensions::ShellExtensions>,
    mut params: ExecutionParameters,
    cmd_name: String,
    assignments: Vec<&ast::Assignment>,
    args: Vec<CommandArg>,
) -> Result<ExecutionSpawnResult, error::Error> {
    // Push a new ephemeral environment scope for the duration of the command. We'll
    // set command-scoped variable assignments after doing so, and revert them before
    // returning.
    let special = context.shell.is_posix_special(&cmd_name);
    if special {
        // What is assigned to in front of a special builtin stays so (POSIX, XCU 2.14).
        for assignment in &assignments {
            apply_assignment(
                assignment,
                context.shell,
                &params,
                cmd_name == "exec",
                None,
                EnvironmentScope::Global,
            )
            .await
            .map_err(error::Error::into_fatal)?;
        }
    }

    let mut guard = crate::env::ScopeGuard::new(context.shell, EnvironmentScope::Command);

    for assignment in assignments.iter().filter(|_| !special) {
        if let Err(e) = refuse_readonly(guard.shell(), assignment) {
            if guard.shell().options().posix_mode {
                return Err(e.into_fatal());
            }
            // As in bash: the command runs without the assignment.
            let shell = guard.shell();
            let _ = shell.display_error(&mut params.stderr(shell), &e);
            continue;
        }

        // Ensure it's tagged as exported and created in the command scope.
        apply_assignment(
            assignment,
            guard.shell(),
            &params,
            true,
            Some(EnvironmentScope::Command),
            EnvironmentScope::Command,
        )
        .await?;
    }

    open_substituted_files(guard.shell(), &mut params);

    if guard.shell().options().print_commands_and_arguments {
        guard
            .shell()
            .trace_command(
                &params,
                args.iter().map(|arg| arg.quote_for_tracing()).join(" "),
            )
            .await;
    }

    params.trace = None;
    guard.detach();
    drop(guard);

    if cmd_name == "local" && args.iter().any(|arg| matches!(arg, CommandArg::String(s) if s == "-")) {
        context.shell.keep_options_of_caller();
    }

    // Construct the command struct.
    let shell = commands::ShellForCommand::ParentShell(context.shell);
    let mut cmd = commands::SimpleCommand::new(shell, params, cmd_name, args);
    cmd.process_group_id = context.process_group_id;

    // Arrange to pop off that ephemeral environment scope.
    cmd.post_execute = Some(|shell| shell.env_mut().pop_scope(EnvironmentScope::Command));

    // Run through any pre-execution hooks as best effort.
    let _ = commands::on_preexecute(&mut cmd).await;

    // Execute
    // TODO(jobs): do we need to move self back to foreground on error here?
    cmd.execute().await
}

/// An error if the variable that is assigned to cannot be changed.
fn refuse_readonly(
    shell: &Shell<impl extensions::ShellExtensions>,
    assignment: &ast::Assignment,
) -> Result<(), error::Error> {
    let (ast::AssignmentName::VariableName(name)
    | ast::AssignmentName::ArrayElementName(name, _)) = &assignment.name;
    match shell.env().get(name) {
        Some((_, variable)) if variable.is_readonly() => {
            Err(error::Error::from(error::ErrorKind::ReadonlyVariable).about(&name))
        }
        _ => Ok(()),
    }
}

/// Expands an assignment that is an argument of a declaration, which began with `args`. What is
/// appended is put behind the value at hand.
async fn expand_declaration(
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &ExecutionParameters,
    assignment: &ast::Assignment,
    args: &[CommandArg],
) -> Result<ast::Assignment, error::Error> {
    let has_option = |letter: char| {
        let has = |arg: &CommandArg| {
            matches!(arg, CommandArg::String(word) if word.starts_with('-') && word.contains(letter))
        };
        args.iter().skip(1).any(has)
    };
    let mut value = expand_assignment_value(shell, params, &assignment.value).await?;
    let (ast::AssignmentName::VariableName(name)
    | ast::AssignmentName::ArrayElementName(name, _)) = &assignment.name;
    let is_local = shell.in_function()
        && !has_option('g')
        && matches!(args.first(), Some(CommandArg::String(command)) if command != "readonly" && command != "export");
    let lookup = if is_local {
        EnvironmentLookup::OnlyInCurrentLocal
    } else {
        EnvironmentLookup::Anywhere
    };
    let before = shell.env().get_using_policy(name, lookup);
    let calculates =
        has_option('i') || before.is_some_and(ShellVariable::is_treated_as_integer);
    let before = before.map(|variable| variable.resolve_value(shell));
    let by_key = has_option('A')
        || matches!(
            before,
            Some(
                ShellValue::AssociativeArray(_)
                    | ShellValue::Unset(ShellValueUnsetType::AssociativeArray)
            )
        );
    if let (ast::AssignmentValue::Array(elements), false) = (&mut value, by_key) {
        for key in elements.iter_mut().filter_map(|(key, _)| key.as_mut()) {
            key.value =
                arithmetic::expand_and_eval(shell, params, &key.value, false).await?.to_string();
        }
    }
    if calculates {
        let words = match &mut value {
            ast::AssignmentValue::Scalar(word) => vec![word],
            ast::AssignmentValue::Array(elements) => {
                elements.iter_mut().map(|(_, word)| word).collect()
            }
        };
        for word in words {
            word.value = arithmetic::expand_and_eval(shell, params, &word.value, false)
                .await?
                .to_string();
        }
    }
    let mut append = assignment.append;
    if let (Some(before), true, ast::AssignmentName::VariableName(_)) =
        (before, append, &assignment.name)
    {
        append = before.is_array() && matches!(value, ast::AssignmentValue::Scalar(_));
        match &mut value {
            ast::AssignmentValue::Scalar(word) if !before.is_array() => {
                let text = before.to_cow_str(shell);
                word.value = if calculates {
                    let sum = std::format!("({}) + {}", if text.is_empty() { "0" } else { &text }, word.value);
                    arithmetic::expand_and_eval(shell, params, &sum, false).await?.to_string()
                } else {
                    std::format!("{text}{}", word.value)
                };
            }
            ast::AssignmentValue::Scalar(_) => (),
            ast::AssignmentValue::Array(elements) => {
                let keys = before.element_keys(shell).into_iter();
                let values = before.element_values(shell).into_iter();
                let old = keys.zip(values);
                elements.splice(0..0, old.map(|(key, text)| (Some(key.into()), text.into())));
            }
        }
    }
    Ok(ast::Assignment {
        name: basic_expand_assignment_name(shell, params, &assignment.name).await?,
        value,
        append,
        loc: assignment.loc.clone(),
    })
}

async fn basic_expand_assignment_name(
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &ExecutionParameters,
    name: &ast::AssignmentName,
) -> Result<ast::AssignmentName, error::Error> {
    match name {
        ast::AssignmentName::VariableName(name) => {
            let expanded = expansion::basic_expand_word(shell, params, name).await?;
            Ok(ast::AssignmentName::VariableName(expanded))
        }
        ast::AssignmentName::ArrayElementName(name, index) => {
            let expanded_name = expansion::basic_expand_word(shell, params, name).await?;
            let expanded_index = expansion::basic_expand_word(shell, params, index).await?;
            Ok(ast::AssignmentName::ArrayElementName(
                expanded_name,
                expanded_index,
            ))
        }
    }
}

async fn expand_assignment_value(
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &ExecutionParameters,
    value: &ast::AssignmentValue,
) -> Result<ast::AssignmentValue, error::Error> {
    let expanded = match value {
        ast::AssignmentValue::Scalar(s) => {
            let expanded_word = expansion::basic_expand_assignment_word(shell, params, s).await?;
            ast::AssignmentValue::Scalar(ast::Word::from(expanded_word))
        }
        ast::AssignmentValue::Array(arr) => {
            let mut expanded_values = vec![];
            for (key, value) in arr {
                if let Some(k) = key {
                    let expanded_key = expansion::basic_expand_assignment_word(shell, params, k)
                        .await?
                        .into();
                    let expanded_value =
                        expansion::basic_expand_assignment_word(shell, params, value)
                            .await?
                            .into();
                    expanded_values.push((Some(expanded_key), expanded_value));
                } else {
                    // Array elements are treated as regular words, not assignments
                    let split_expanded_value =
                        expansion::full_expand_and_split_word(shell, params, value).await?;
                    for expanded_value in split_expanded_value {
                        expanded_values.push((None, expanded_value.into()));
                    }
                }
            }

            ast::AssignmentValue::Array(expanded_values)
        }
    };

    Ok(expanded)
}

/// Whether what is assigned to a variable is calculated.
fn is_integer(shell: &Shell<impl extensions::ShellExtensions>, name: &str) -> bool {
    shell.env().get(name).is_some_and(|(_, variable)| variable.is_treated_as_integer())
}

#[expect(clippy::too_many_lines)]
async fn apply_assignment(
    assignment: &ast::Assignment,
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &ExecutionParameters,
    mut export: bool,
    required_scope: Option<EnvironmentScope>,
    creation_scope: EnvironmentScope,
) -> Result<(), error::Error> {
    // Figure out if we are trying to assign to a variable or assign to an element of an existing
    // array.
    let mut array_index;
    let variable_name = match &assignment.name {
        ast::AssignmentName::VariableName(name) => {
            array_index = None;
            name
        }
        ast::AssignmentName::ArrayElementName(name, index) => {
            let expanded = expansion::basic_expand_word(shell, params, index).await?;
            array_index = Some(expanded);
            name
        }
    };

    // A name reference stands for another variable, or for an element of one.
    let referent = shell.env().referent(variable_name);
    let variable_name = match &referent {
        std::borrow::Cow::Borrowed(name) => *name,
        std::borrow::Cow::Owned(name) => match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            Some((array, index)) if array_index.is_none() => {
                array_index = Some(expansion::basic_expand_word(shell, params, index).await?);
                array
            }
            _ => name.as_str(),
        },
    };
    let calculates = is_integer(shell, variable_name);

    // Expand the values.
    let new_value = match &assignment.value {
        ast::AssignmentValue::Scalar(unexpanded_value) => {
            let mut value =
                expansion::basic_expand_assignment_word(shell, params, unexpanded_value).await?;
            if calculates {
                value = arithmetic::expand_and_eval(shell, params, &value, false)
                    .await?
                    .to_string();
            }
            ShellValueLiteral::Scalar(value)
        }
        ast::AssignmentValue::Array(unexpanded_values) => {
            let mut elements = vec![];
            let by_key = shell.env().get(variable_name).is_some_and(|(_, variable)| {
                matches!(
                    variable.value(),
                    ShellValue::AssociativeArray(_)
                        | ShellValue::Unset(ShellValueUnsetType::AssociativeArray)
                )
            });
            for (unexpanded_key, unexpanded_value) in unexpanded_values {
                let key = match unexpanded_key {
                    Some(unexpanded_key) if by_key => Some(
                        expansion::basic_expand_assignment_word(shell, params, unexpanded_key)
                            .await?,
                    ),
                    Some(index) => Some(
                        arithmetic::expand_and_eval(shell, params, &index.value, false)
                            .await?
                            .to_string(),
                    ),
                    None => None,
                };

                if key.is_some() {
                    let value =
                        expansion::basic_expand_assignment_word(shell, params, unexpanded_value)
                            .await?;
                    elements.push((key, value));
                } else {
                    // Array elements are treated as regular words, not assignments
                    let values =
                        expansion::full_expand_and_split_word(shell, params, unexpanded_value)
                            .await?;
                    for value in values {
                        elements.push((None, value));
                    }
                }
            }
            if calculates {
                for (_, value) in &mut elements {
                    *value = arithmetic::expand_and_eval(shell, params, value, false)
                        .await?
                        .to_string();
                }
            }
            ShellValueLiteral::Array(ArrayLiteral(elements))
        }
    };

    if shell.options().print_commands_and_arguments {
        let op = if assignment.append { "+=" } else { "=" };
        shell
            .trace_command(params, std::format!("{}{op}{new_value}", assignment.name))
            .await;
    }

    if variable_name == "PATH" {
        shell.program_location_cache_mut().reset();
    }

    // See if we need to eval an array index.
    if let Some(idx) = &array_index {
        let will_be_indexed_array = if let Some((_, existing_value)) =
            shell.env().get(variable_name)
        {
            matches!(
                existing_value.value(),
                ShellValue::IndexedArray(_) | ShellValue::Unset(ShellValueUnsetType::IndexedArray)
            )
        } else {
            true
        };

        if will_be_indexed_array {
            array_index = Some(
                arithmetic::expand_and_eval(shell, params, idx.as_str(), false)
                    .await?
                    .to_string(),
            );
        }
    }

    // Read option before taking mutable borrow on env.
    let export_variables_on_modification = shell.options().export_variables_on_modification;

    // See if we can find an existing value associated with the variable.
    if let Some((existing_value_scope, existing_value)) =
        shell.env_mut().get_mut(variable_name)
    {
        if required_scope.is_none() || Some(existing_value_scope) == required_scope {
            if let Some(array_index) = array_index {
                match new_value {
                    ShellValueLiteral::Scalar(s) => {
                        existing_value
                            .assign_at_index(array_index, s, assignment.append)
                            .map_err(|e| e.about(&variable_name))?;
                    }
                    ShellValueLiteral::Array(_) => {
                        return error::unimp("replacing an array item with an array");
                    }
                }
            } else {
                if !export
                    && export_variables_on_modification
                    && !matches!(new_value, ShellValueLiteral::Array(_))
                {
                    export = true;
                }

                existing_value
                    .assign(new_value, assignment.append)
                    .map_err(|e| e.about(&variable_name))?;
            }

            if export {
                existing_value.export();
            }

            // That's it!
            return Ok(());
        }
    }

    // If we fell down here, then we need to add it.
    let new_value = if let Some(array_index) = array_index {
        match new_value {
            ShellValueLiteral::Scalar(s) => {
                ShellValue::indexed_array_from_literals(ArrayLiteral(vec![(Some(array_index), s)]))
            }
            ShellValueLiteral::Array(_) => {
                return error::unimp("cannot assign list to array member");
            }
        }
    } else {
        match new_value {
            ShellValueLiteral::Scalar(s) => {
                export = export || shell.options().export_variables_on_modification;
                ShellValue::String(s)
            }
            ShellValueLiteral::Array(values) => ShellValue::indexed_array_from_literals(values),
        }
    };

    let mut new_var = ShellVariable::new(new_value);

    if export {
        new_var.export();
    }

    shell.env_mut().add(variable_name, new_var, creation_scope)
}

/// The file that a redirection names. POSIX does not split it, nor is it a pattern; bash wants it to
/// come to one word.
async fn expand_redirect_target(
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &ExecutionParameters,
    word: &ast::Word,
) -> Result<String, error::Error> {
    if shell.options().posix_mode && !shell.options().interactive {
        return expansion::basic_expand_word(shell, params, word).await;
    }
    let mut fields = expansion::full_expand_and_split_word(shell, params, word).await?;
    match (fields.pop(), fields.is_empty()) {
        (Some(field), true) => Ok(field),
        _ => Err(error::ErrorKind::AmbiguousRedirection(word.flatten()).into()),
    }
}

#[expect(clippy::too_many_lines)]
pub(crate) async fn setup_redirect(
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &'_ mut ExecutionParameters,
    redirect: &ast::IoRedirect,
) -> Result<(), error::Error> {
    match redirect {
        ast::IoRedirect::OutputAndError(f, append) => {
            let expanded_file_path = expand_redirect_target(shell, params, f).await?;
            setup_redirect_output_and_error_to(shell, params, &expanded_file_path, *append)?;
        }

        ast::IoRedirect::File(specified_fd_num, kind, target) => {
            match target {
                ast::IoFileRedirectTarget::Filename(f) => {
                    let mut options = std::fs::File::options();

                    let target = expand_redirect_target(shell, params, f).await?;
                    let expanded_file_path: PathBuf = shell.absolute_path(Path::new(&target));

                    let default_fd_if_unspecified = get_default_fd_for_redirect_kind(kind);
                    match kind {
                        ast::IoFileRedirectKind::Read => {
                            options.read(true);
                        }
                        ast::IoFileRedirectKind::Write => {
                            if shell
                                .options()
                                .disallow_overwriting_regular_files_via_output_redirection
                            {
                                // First check to see if the path points to an existing regular
                                // file.
                                if !expanded_file_path.is_file() {
                                    options.create(true);
                                } else {
                                    options.create_new(true);
                                }
                                options.write(true);
                            } else {
                                options.create(true);
                                options.write(true);
                                options.truncate(true);
                            }
                        }
                        ast::IoFileRedirectKind::Append => {
                            options.create(true);
                            options.append(true);
                        }
                        ast::IoFileRedirectKind::ReadAndWrite => {
                            options.create(true);
                            options.read(true);
                            options.write(true);
                        }
                        ast::IoFileRedirectKind::Clobber => {
                            options.create(true);
                            options.write(true);
                            options.truncate(true);
                        }
                        ast::IoFileRedirectKind::DuplicateInput => {
                            options.read(true);
                        }
                        ast::IoFileRedirectKind::DuplicateOutput => {
                            options.create(true);
                            options.write(true);
                        }
                    }

                    let fd_num = specified_fd_num.unwrap_or(default_fd_if_unspecified);

                    let opened_file = shell
                        .open_file(&options, &expanded_file_path, params)
                        .map_err(|err| redirection_failure(target, &err))?;

                    params.open_files.set_fd(fd_num, opened_file);
                }

                ast::IoFileRedirectTarget::Fd(fd) => {
                    let default_fd_if_unspecified = match kind {
                        ast::IoFileRedirectKind::DuplicateInput => 0,
                        ast::IoFileRedirectKind::DuplicateOutput => 1,
                        _ => {
                            return error::unimp("unexpected redirect kind");
                        }
                    };

                    let fd_num = specified_fd_num.unwrap_or(default_fd_if_unspecified);

                    if let Some(f) = params.try_fd(shell, *fd) {
                        let target_file = f.try_clone()?;

                        params.open_files.set_fd(fd_num, target_file);
                    } else {
                        return Err(error::ErrorKind::BadFileDescriptor(*fd).into());
                    }
                }

                ast::IoFileRedirectTarget::Duplicate(word) => {
                    let default_fd_if_unspecified = match kind {
                        ast::IoFileRedirectKind::DuplicateInput => 0,
                        ast::IoFileRedirectKind::DuplicateOutput => 1,
                        _ => {
                            return error::unimp("unexpected redirect kind");
                        }
                    };

                    let fd_num = specified_fd_num.unwrap_or(default_fd_if_unspecified);

                    let mut expanded = expand_redirect_target(shell, params, word).await?;

                    let dash = if expanded.ends_with('-') {
                        expanded.pop();
                        true
                    } else {
                        false
                    };

                    if expanded.is_empty() {
                        if dash {
                            // Close the specified fd. Ignore it if it's not valid.
                            params.open_files.remove_fd(fd_num);
                        }
                    } else if expanded.chars().all(|c: char| c.is_ascii_digit()) {
                        let source_fd_num = expanded
                            .parse::<ShellFd>()
                            .map_err(|_| error::ErrorKind::InvalidRedirection)?;

                        // Duplicate the fd.
                        let target_file = if let Some(f) = params.try_fd(shell, source_fd_num) {
                            f.try_clone()?
                        } else {
                            return Err(error::ErrorKind::BadFileDescriptor(source_fd_num).into());
                        };

                        params.open_files.set_fd(fd_num, target_file);
                        if dash && source_fd_num != fd_num {
                            params.open_files.remove_fd(source_fd_num);
                        }
                    } else if fd_num == 1 && !dash {
                        // Special case for compatibility: redirect stdout and stderr to the file
                        // given by `expanded`.
                        setup_redirect_output_and_error_to(
                            shell, params, &expanded, false, /* append? */
                        )?;
                    } else {
                        return Err(error::ErrorKind::InvalidRedirection.into());
                    }
                }

                ast::IoFileRedirectTarget::ProcessSubstitution(substitution_kind, subshell_cmd) => {
                    match kind {
                        ast::IoFileRedirectKind::Read
                        | ast::IoFileRedirectKind::Write
                        | ast::IoFileRedirectKind::Append
                        | ast::IoFileRedirectKind::ReadAndWrite
                        | ast::IoFileRedirectKind::Clobber => {
                            let (substitution_fd, substitution_file) = setup_process_substitution(
                                shell,
                                params,
                                substitution_kind,
                                &subshell_cmd.list,
                            )
                            .await?;

                            let target_file = substitution_file.try_clone()?;
                            params.open_files.set_fd(substitution_fd, substitution_file);

                            let fd_num = specified_fd_num
                                .unwrap_or_else(|| get_default_fd_for_redirect_kind(kind));

                            params.open_files.set_fd(fd_num, target_file);
                        }
                        _ => return error::unimp("invalid process substitution"),
                    }
                }
            }
        }

        ast::IoRedirect::HereDocument(fd_num, io_here) => {
            // If not specified, default to stdin (fd 0).
            let fd_num = fd_num.unwrap_or(0);

            // Expand if required.
            let io_here_doc = if io_here.requires_expansion {
                expansion::basic_expand_heredoc_word(shell, params, &io_here.doc).await?
            } else {
                io_here.doc.flatten()
            };

            let f = setup_open_file_with_contents(io_here_doc.as_str())?;

            params.open_files.set_fd(fd_num, f);
        }

        ast::IoRedirect::HereString(fd_num, word) => {
            // If not specified, default to stdin (fd 0).
            let fd_num = fd_num.unwrap_or(0);

            let mut expanded_word = expansion::basic_expand_word(shell, params, word).await?;
            expanded_word.push('\n');

            let f = setup_open_file_with_contents(expanded_word.as_str())?;

            params.open_files.set_fd(fd_num, f);
        }

        ast::IoRedirect::InVariable(name, redirect) => {
            setup_redirect_in_variable(shell, params, name, redirect).await?;
        }
    }

    Ok(())
}

/// An error that names the file as the redirection does.
fn redirection_failure(target: String, err: &std::io::Error) -> error::ErrorKind {
    let reason = match err.kind() {
        std::io::ErrorKind::AlreadyExists => "cannot overwrite existing file".to_owned(),
        _ => err.to_string(),
    };
    error::ErrorKind::RedirectionFailure(target, reason)
}

/// Opens a file on a descriptor that is free, the number of which the variable gets, or closes the
/// one whose number it has. Either outlasts the command.
async fn setup_redirect_in_variable(
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &mut ExecutionParameters,
    name: &str,
    redirect: &ast::IoRedirect,
) -> Result<(), error::Error> {
    use ast::IoRedirect as Redirect;

    const FIRST: ShellFd = 10;

    let closes = matches!(
        redirect,
        Redirect::File(_, _, ast::IoFileRedirectTarget::Duplicate(word)) if word.flatten() == "-"
    );
    let fd = if closes {
        let number = expansion::basic_expand_word(shell, params, std::format!("${{{name}}}")).await?;
        number
            .parse::<ShellFd>()
            .map_err(|_| error::ErrorKind::AmbiguousRedirection(name.to_owned()))?
    } else {
        (FIRST..)
            .find(|fd| params.try_fd(shell, *fd).is_none())
            .ok_or(error::ErrorKind::InvalidRedirection)?
    };
    let numbered = match redirect.clone() {
        Redirect::File(_, kind, target) => Redirect::File(Some(fd), kind, target),
        Redirect::HereDocument(_, document) => Redirect::HereDocument(Some(fd), document),
        Redirect::HereString(_, word) => Redirect::HereString(Some(fd), word),
        Redirect::OutputAndError(..) | Redirect::InVariable(..) => {
            return Err(error::ErrorKind::InvalidRedirection.into());
        }
    };
    Box::pin(setup_redirect(shell, params, &numbered)).await?;
    if !closes {
        expansion::assign_to_named_parameter(shell, params, name, fd.to_string()).await?;
    }
    shell.keep_redirection(params, fd);
    Ok(())
}

/// Sets up redirection of both stdout and stderr to the same file, given by `file_path`.
///
/// # Arguments
///
/// * `shell` - The shell instance.
/// * `params` - The execution parameters to modify.
/// * `file_path` - The path to the file to redirect output and error to.
/// * `append` - Whether to append. If `false`, the file will be truncated.
fn setup_redirect_output_and_error_to(
    shell: &Shell<impl extensions::ShellExtensions>,
    params: &mut ExecutionParameters,
    file_path: &str,
    append: bool,
) -> Result<(), error::Error> {
    let abs_file_path: PathBuf = shell.absolute_path(Path::new(file_path));

    let mut file_options = std::fs::File::options();
    file_options
        .create(true)
        .write(true)
        .truncate(!append)
        .append(append);

    let stdout_file = shell
        .open_file(&file_options, &abs_file_path, params)
        .map_err(|err| redirection_failure(file_path.to_owned(), &err))?;

    let stderr_file = stdout_file.try_clone()?;

    params.open_files.set_fd(OpenFiles::STDOUT_FD, stdout_file);
    params.open_files.set_fd(OpenFiles::STDERR_FD, stderr_file);

    Ok(())
}

const fn get_default_fd_for_redirect_kind(kind: &ast::IoFileRedirectKind) -> ShellFd {
    match kind {
        ast::IoFileRedirectKind::Read => 0,
        ast::IoFileRedirectKind::Write => 1,
        ast::IoFileRedirectKind::Append => 1,
        ast::IoFileRedirectKind::ReadAndWrite => 0,
        ast::IoFileRedirectKind::Clobber => 1,
        ast::IoFileRedirectKind::DuplicateInput => 0,
        ast::IoFileRedirectKind::DuplicateOutput => 1,
    }
}

async fn setup_process_substitution(
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &ExecutionParameters,
    kind: &ast::ProcessSubstitutionKind,
    command: &(impl Execute + Sync),
) -> Result<(ShellFd, OpenFile), error::Error> {
    // Set up execution parameters for the child execution.
    let mut child_params = params.clone();
    child_params.process_group_policy = ProcessGroupPolicy::SameProcessGroup;

    // Set up pipe so we can connect to the command.
    let (reader, writer) = std::io::pipe()?;
    let (reader, writer) = (reader.into(), writer.into());

    let target_file = match kind {
        ast::ProcessSubstitutionKind::Read => {
            child_params.open_files.set_fd(OpenFiles::STDOUT_FD, writer);
            reader
        }
        ast::ProcessSubstitutionKind::Write => {
            child_params.open_files.set_fd(OpenFiles::STDIN_FD, reader);
            writer
        }
    };

    // We intentionally don't wait for its completion.
    match subshell::fork(shell, &mut child_params, subshell::Ground::Fore(None))? {
        Some(child) => shell.jobs_mut().add_other(child),
        None => {
            drop(target_file);
            *shell.trace_depth_mut() += 1;
            let result = command.execute(shell, &child_params).await;
            subshell::end(shell, &child_params, result).await?;
            sys::process::exit_now(0);
        }
    }

    // Starting at 63 (a.k.a. 64-1)--and decrementing--look for an
    // available fd.
    let mut candidate_fd_num = 63;
    while params.open_files.contains_fd(candidate_fd_num)
        || shell.substituted_files().any(|fd| fd == candidate_fd_num)
    {
        candidate_fd_num -= 1;
        if candidate_fd_num == 0 {
            return error::unimp("no available file descriptors");
        }
    }

    Ok((candidate_fd_num, target_file))
}

/// Starts the command of a process substitution that is part of a word; returns the name of the file that
/// stands for it. The shell keeps the file for the command that the word belongs to.
pub(crate) async fn substitute_process(
    shell: &mut Shell<impl extensions::ShellExtensions>,
    params: &ExecutionParameters,
    kind: &ast::ProcessSubstitutionKind,
    command: &str,
) -> Result<String, error::Error> {
    let program = shell.parse_string(command).map_err(|inner| {
        error::ErrorKind::ParseError(inner, crate::SourceInfo::default())
    })?;
    let (fd, file) = setup_process_substitution(shell, params, kind, &program).await?;
    shell.keep_substituted_file(fd, file);
    Ok(std::format!("/dev/fd/{fd}"))
}

fn setup_open_file_with_contents(contents: &str) -> Result<OpenFile, error::Error> {
    let (reader, mut writer) = std::io::pipe()?;

    let bytes = contents.as_bytes();

    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::os::fd::AsFd as _;

        let len = i32::try_from(bytes.len())
            .map_err(|_err| error::Error::from(error::ErrorKind::TooMuchData))?;
        nix::fcntl::fcntl(reader.as_fd(), nix::fcntl::FcntlArg::F_SETPIPE_SZ(len))?;
    }

    writer.write_all(bytes)?;
    drop(writer);

    Ok(reader.into())
}
