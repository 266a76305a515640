//! Job management

use std::{collections::VecDeque, fmt::Display};

use crate::{
    ExecutionExitCode, ExecutionResult, error,
    processes::{ChildProcess, ProcessWaitResult, by_signal},
    sys::{
        self,
        process::{Change, ProcessId},
    },
    traps,
};

/// So many statuses of processes that ended are kept for `wait`.
const REMEMBERED: usize = 4096;

/// Manages the jobs that are currently managed by the shell.
#[derive(Default)]
pub struct JobManager {
    /// The jobs that are currently managed by the shell, by number.
    pub jobs: Vec<Job>,
    /// Children that are no jobs: process substitutions. Nobody need wait for them.
    others: Vec<ChildProcess>,
    /// What has ended, the oldest first.
    ended: VecDeque<Ended>,
    /// Whether the jobs are those of the shell that this one is a subshell of: shown, but not
    /// children.
    inherited: bool,
    /// `$!`.
    last: Option<ProcessId>,
    /// Counts what makes a job the current one.
    stamps: u64,
}

/// A process that has ended.
struct Ended {
    pid: ProcessId,
    status: u8,
    /// Whether someone was told of it.
    waited: bool,
}

/// What a job specification names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The job with this place in [`JobManager::jobs`].
    Job(usize),
    /// None.
    Unknown,
    /// More than one.
    Ambiguous,
}

impl JobManager {
    /// Returns a new job manager.
    pub fn new() -> Self {
        Self::default()
    }

    /// In a forked subshell: the jobs are the parent's, to be shown until there is an own one.
    pub(crate) fn become_inherited(&mut self) {
        self.inherited = true;
        self.others.clear();
        self.ended.clear();
    }

    fn drop_inherited(&mut self) {
        if std::mem::take(&mut self.inherited) {
            self.jobs.clear();
        }
    }

    /// Adds a job to the job manager; returns a reference to it. One that runs is the last one
    /// that was put into the background.
    ///
    /// # Arguments
    ///
    /// * `job` - The job to add.
    pub fn add(&mut self, mut job: Job) -> &Job {
        self.drop_inherited();
        job.id = self.jobs.iter().map(|job| job.id).max().unwrap_or(0) + 1;
        if matches!(job.state, JobState::Running) {
            self.last = job.processes.last().map(ChildProcess::pid).or(self.last);
        }
        self.stamps += 1;
        job.stamp = self.stamps;
        let place = self.jobs.len();
        self.jobs.push(job);
        self.annotate();
        &self.jobs[place]
    }

    /// Remembers a child that is no job.
    pub(crate) fn add_other(&mut self, child: ChildProcess) {
        self.last = Some(child.pid());
        self.others.push(child);
    }

    /// `$!`: the last process that was put into the background.
    pub const fn last_background(&self) -> Option<ProcessId> {
        self.last
    }

    /// Marks the current and the previous job: the ones stopped last, or else started last.
    fn annotate(&mut self) {
        let mut order: Vec<(bool, u64, usize)> = self
            .jobs
            .iter()
            .enumerate()
            .filter(|(_, job)| !matches!(job.state, JobState::Done))
            .map(|(place, job)| (matches!(job.state, JobState::Stopped), job.stamp, place))
            .collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        for job in &mut self.jobs {
            // What has ended keeps its mark until it was told of.
            if !matches!(job.state, JobState::Done) {
                job.annotation = JobAnnotation::None;
            }
        }
        let marks = [JobAnnotation::Current, JobAnnotation::Previous];
        for ((.., place), mark) in order.into_iter().zip(marks) {
            self.jobs[place].annotation = mark;
        }
    }

    /// Makes a job the current one: it was put into the background, or stopped, just now.
    pub fn touch(&mut self, id: usize) {
        self.stamps += 1;
        let stamp = self.stamps;
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
            job.stamp = stamp;
        }
        self.annotate();
    }

    /// Lets a job go on in the background, as the last one that was put there.
    pub fn go_on_in_background(&mut self, id: usize) -> Result<(), error::Error> {
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) else {
            return Ok(());
        };
        job.move_to_background()?;
        self.last = job.processes.last().map(ChildProcess::pid).or(self.last);
        self.touch(id);
        Ok(())
    }

    /// Returns the current job, if there is one.
    pub fn current_job(&self) -> Option<&Job> {
        self.jobs.iter().find(|job| job.is_current())
    }

    /// Returns a mutable reference to the current job, if there is one.
    pub fn current_job_mut(&mut self) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.is_current())
    }

    /// Tries to resolve the given job specification to a job.
    ///
    /// # Arguments
    ///
    /// * `job_spec` - The job specification to resolve.
    pub fn resolve_job_spec(&mut self, job_spec: &str) -> Option<&mut Job> {
        match self.resolve(job_spec) {
            Resolved::Job(place) => self.jobs.get_mut(place),
            Resolved::Unknown | Resolved::Ambiguous => None,
        }
    }

    /// Finds the job that `%%`, `%+`, `%-`, `%NUMBER`, `%TEXT` or `%?TEXT` names.
    pub fn resolve(&self, job_spec: &str) -> Resolved {
        let Some(rest) = job_spec.strip_prefix('%') else {
            return Resolved::Unknown;
        };
        let named: Vec<usize> = self
            .jobs
            .iter()
            .enumerate()
            .filter(|(_, job)| match rest {
                "" | "%" | "+" => job.is_current(),
                "-" => job.is_prev() || (self.jobs.len() == 1 && job.is_current()),
                text if text.bytes().all(|b| b.is_ascii_digit()) => text.parse() == Ok(job.id),
                text => match text.strip_prefix('?') {
                    Some(part) => job.command_line.contains(part),
                    None => job.command_line.starts_with(text),
                },
            })
            .map(|(place, _)| place)
            .collect();
        match named.as_slice() {
            [] => Resolved::Unknown,
            [place] => Resolved::Job(*place),
            // One that has ended keeps its mark beside the one that got it then.
            _ if matches!(rest, "" | "%" | "+" | "-") => {
                let live = named.iter().find(|place| self.jobs[**place].state != JobState::Done);
                live.or(named.last()).map_or(Resolved::Unknown, |place| Resolved::Job(*place))
            }
            _ => Resolved::Ambiguous,
        }
    }

    /// Looks at every child without waiting.
    pub fn refresh(&mut self) -> Result<(), error::Error> {
        if self.inherited {
            return Ok(());
        }
        let mut stopped = Vec::new();
        for job in &mut self.jobs {
            let before = matches!(job.state, JobState::Stopped);
            job.refresh()?;
            if !before && matches!(job.state, JobState::Stopped) {
                stopped.push(job.id);
            }
        }
        let mut left = Vec::with_capacity(self.others.len());
        for mut child in std::mem::take(&mut self.others) {
            match child.poll()? {
                Some(ProcessWaitResult::Completed(result)) => {
                    self.remember(child.pid(), result.exit_code.into());
                }
                _ => left.push(child),
            }
        }
        self.others = left;
        stopped.into_iter().for_each(|id| self.touch(id));
        self.annotate();
        Ok(())
    }

    fn remember(&mut self, pid: ProcessId, status: u8) {
        if self.ended.len() >= REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(Ended {
            pid,
            status,
            waited: false,
        });
    }

    /// Someone was told how a process ended. Its job leaves the table.
    pub fn set_waited(&mut self, pid: ProcessId) {
        let done = |job: &Job| job.state == JobState::Done && job.pids().any(|own| own == pid);
        if let Some(place) = self.jobs.iter().position(done) {
            let job = self.jobs.remove(place);
            for process in &job.processes {
                if let Some(status) = status_of(process) {
                    self.remember(process.pid(), status);
                }
            }
            for pid in job.pids() {
                self.set_waited(pid);
            }
        }
        for ended in self.ended.iter_mut().filter(|ended| ended.pid == pid) {
            ended.waited = true;
        }
    }

    /// Takes out the jobs that have ended; their statuses stay known to [`Self::take_status`].
    pub fn sweep(&mut self) -> Vec<Job> {
        let (done, left) = std::mem::take(&mut self.jobs)
            .into_iter()
            .partition(|job| !self.inherited && matches!(job.state, JobState::Done));
        self.jobs = left;
        for job in &done {
            for process in &job.processes {
                if let Some(status) = status_of(process) {
                    self.remember(process.pid(), status);
                }
            }
        }
        self.annotate();
        done
    }

    /// Waits for all managed jobs to complete.
    pub async fn wait_all(&mut self) -> Result<Vec<Job>, error::Error> {
        for job in &mut self.jobs {
            job.wait().await?;
        }
        Ok(self.sweep())
    }

    /// The status of a process of a job, or one that has ended; `None` when it still runs, and an
    /// error when there is none of that number.
    pub fn status(&self, pid: ProcessId) -> Option<Option<u8>> {
        if self.inherited {
            return None;
        }
        let processes = self.jobs.iter().flat_map(|job| &job.processes);
        if let Some(process) = processes.chain(&self.others).find(|p| p.pid() == pid) {
            return Some(status_of(process));
        }
        let ended = self.ended.iter().rev().find(|ended| ended.pid == pid);
        ended.map(|ended| Some(ended.status))
    }

    /// Whether any child still runs that `wait` without operands waits for.
    pub fn any_running(&self) -> bool {
        let runs = |job: &Job| matches!(job.state, JobState::Running | JobState::Unknown);
        !self.inherited && self.jobs.iter().any(runs)
    }

    /// Forgets every process that has ended.
    pub fn forget_ended(&mut self) {
        self.ended.clear();
    }

    /// Takes a process that ended out of those that `wait` may ask for; the first of `among`, or
    /// any when that is empty.
    pub fn take_ended(&mut self, among: &[ProcessId]) -> Option<(ProcessId, u8)> {
        let ended = self.ended.iter_mut().find(|ended| {
            !ended.waited && (among.is_empty() || among.contains(&ended.pid))
        })?;
        ended.waited = true;
        Some((ended.pid, ended.status))
    }
}

fn status_of(process: &ChildProcess) -> Option<u8> {
    match process.ended()? {
        Change::Exited(status) => Some(status),
        Change::Killed(signal) => Some(by_signal(signal).into()),
        Change::Stopped(_) => None,
    }
}

/// Represents the current execution state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Unknown state.
    Unknown,
    /// The job is running.
    Running,
    /// The job is stopped.
    Stopped,
    /// The job has completed.
    Done,
}

/// Represents an annotation for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobAnnotation {
    /// No annotation.
    None,
    /// The job is the current job.
    Current,
    /// The job is the previous job.
    Previous,
}

impl Display for JobAnnotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => " ",
            Self::Current => "+",
            Self::Previous => "-",
        })
    }
}

/// Encapsulates a set of processes managed by the shell as a single unit.
pub struct Job {
    /// The processes of the job, in the order of the pipeline.
    processes: Vec<ChildProcess>,

    /// If available, the process group ID of the job's processes.
    pgid: Option<ProcessId>,

    /// The annotation of the job (e.g., current, previous).
    annotation: JobAnnotation,

    /// The higher, the later it became the current job.
    stamp: u64,

    /// The shell-internal ID of the job.
    pub id: usize,

    /// The command line of the job.
    pub command_line: String,

    /// The current operational state of the job.
    pub state: JobState,

    /// The state that the user was told of.
    pub told: JobState,
}

impl Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let running = if self.state == JobState::Running { " &" } else { "" };
        write!(
            f,
            "[{}]{}  {:<24}{}{running}",
            self.id,
            self.annotation,
            self.describe(),
            self.command_line
        )
    }
}

impl Job {
    /// Returns a new job object.
    ///
    /// # Arguments
    ///
    /// * `processes` - The job's known child processes.
    /// * `command_line` - The command line of the job.
    /// * `state` - The current operational state of the job.
    pub(crate) fn new<I>(processes: I, command_line: String, state: JobState) -> Self
    where
        I: IntoIterator<Item = ChildProcess>,
    {
        let processes: Vec<ChildProcess> = processes.into_iter().collect();
        Self {
            id: 0,
            pgid: processes.first().and_then(ChildProcess::pgid),
            processes,
            annotation: JobAnnotation::None,
            stamp: 0,
            command_line,
            state,
            told: state,
        }
    }

    /// What the job does, or how it ended: `Running`, `Stopped`, `Done`, `Exit 3`, `Killed`.
    pub fn describe(&self) -> String {
        match self.state {
            JobState::Unknown => return "Unknown".to_owned(),
            JobState::Running => return "Running".to_owned(),
            JobState::Stopped => return "Stopped".to_owned(),
            JobState::Done => {}
        }
        match self.processes.last().and_then(ChildProcess::ended) {
            Some(Change::Killed(signal)) => sys::signal::describe(signal),
            Some(Change::Exited(status)) if status != 0 => format!("Exit {status}"),
            _ => "Done".to_owned(),
        }
    }

    /// Returns a pid-style string for the job.
    pub fn to_pid_style_string(&self) -> String {
        let pid = self.processes.last().map_or(0, ChildProcess::pid);
        format!("[{}] {pid}", self.id)
    }

    /// Returns the annotation of the job.
    pub fn annotation(&self) -> JobAnnotation {
        self.annotation
    }

    /// Returns the command name of the job.
    pub fn command_name(&self) -> &str {
        self.command_line
            .split_ascii_whitespace()
            .next()
            .unwrap_or_default()
    }

    /// Returns whether the job is the current job.
    pub const fn is_current(&self) -> bool {
        matches!(self.annotation, JobAnnotation::Current)
    }

    /// Returns whether the job is the previous job.
    pub const fn is_prev(&self) -> bool {
        matches!(self.annotation, JobAnnotation::Previous)
    }

    /// The numbers of the job's processes, in the order of the pipeline.
    pub fn pids(&self) -> impl Iterator<Item = ProcessId> + '_ {
        self.processes.iter().map(ChildProcess::pid)
    }

    /// Looks at the job's processes without waiting.
    fn refresh(&mut self) -> Result<(), error::Error> {
        for process in &mut self.processes {
            if let Some(ProcessWaitResult::Stopped) = process.poll()? {
                self.state = JobState::Stopped;
            }
        }
        if self.processes.iter().all(|process| process.ended().is_some()) {
            self.state = JobState::Done;
        }
        Ok(())
    }

    /// Waits for the job to complete, or to stop.
    pub async fn wait(&mut self) -> Result<ExecutionResult, error::Error> {
        let mut result = ExecutionResult::success();
        for process in &mut self.processes {
            match process.wait()? {
                ProcessWaitResult::Completed(ended) => result = ended,
                ProcessWaitResult::Stopped => {
                    self.state = JobState::Stopped;
                    return Ok(ExecutionResult::stopped());
                }
            }
        }
        self.state = JobState::Done;
        Ok(result)
    }

    /// The status that the job ended with: its last process'.
    pub fn status(&self) -> Option<ExecutionExitCode> {
        let last = self.processes.last()?;
        status_of(last).map(ExecutionExitCode::from)
    }

    /// Lets a job that is stopped run on.
    fn go_on(&mut self) -> Result<(), error::Error> {
        match self.process_group_id() {
            Some(pgid) if matches!(self.state, JobState::Stopped) => {
                sys::signal::continue_group(pgid)?;
                self.state = JobState::Running;
                self.told = JobState::Running;
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err(error::ErrorKind::FailedToSendSignal.into()),
        }
    }

    /// Moves the job to execute in the background.
    pub fn move_to_background(&mut self) -> Result<(), error::Error> {
        self.go_on()
    }

    /// Moves the job to execute in the foreground.
    pub fn move_to_foreground(&mut self) -> Result<(), error::Error> {
        if let Some(pgid) = self.process_group_id() {
            // Without a terminal there is no foreground; the job goes on all the same.
            let _ = sys::terminal::move_to_foreground(pgid);
        }
        self.go_on()
    }

    /// Kills the job.
    ///
    /// # Arguments
    ///
    /// * `signal` - The signal to send to the job.
    pub fn kill(&self, signal: traps::TrapSignal) -> Result<(), error::Error> {
        match (self.pgid, self.processes.first()) {
            (Some(pgid), _) => sys::signal::kill_process(-pgid, signal),
            (None, Some(process)) => sys::signal::kill_process(process.pid(), signal),
            (None, None) => Err(error::ErrorKind::FailedToSendSignal.into()),
        }
    }

    /// Tries to retrieve a "representative" pid for the job.
    pub fn representative_pid(&self) -> Option<ProcessId> {
        self.processes.first().map(ChildProcess::pid)
    }

    /// Tries to retrieve the process group ID (PGID) of the job.
    pub fn process_group_id(&self) -> Option<ProcessId> {
        self.pgid.or_else(|| self.representative_pid())
    }
}
