//! Job management for shell instances.

use std::io::Write;

use crate::{error, extensions};

impl<SE: extensions::ShellExtensions> crate::Shell<SE> {
    /// Looks for jobs that have ended or stopped, and tells of those that the user does not know of.
    pub fn check_for_completed_jobs(&mut self) -> Result<(), error::Error> {
        self.jobs.refresh()?;
        let mut news = Vec::new();
        for job in &mut self.jobs.jobs {
            if job.told != job.state {
                job.told = job.state;
                news.push(job.to_string());
            }
        }
        self.jobs.sweep();
        if self.options.enable_job_control {
            for line in news {
                writeln!(self.stderr(), "{line}")?;
            }
        }
        Ok(())
    }
}
