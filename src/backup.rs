//! `xenoboot backup` and `xenoboot restore`: a server's folder as one file.

use crate::{
    operator::text::{ago, size},
    ui::{self, Output, WithHint},
};
use anyhow::{Context, bail};
use std::{
    fs::{self, File},
    io::{BufReader, BufWriter},
    path::{Path, PathBuf},
};
use xenoboot_server::backup::{self, BackupError, Contents};

/// Arguments of `xenoboot backup`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
The server may run meanwhile, and should: the backup is of one moment. It holds the database, all bundles and blobs, the
server's keys and the operator's token: whoever reads it can pose as the server. The file is made with mode 600, and only
when all of it is there. It is a tar archive; a file must not be there already. Blobs that are in a bucket are fetched into it.
A database of PostgreSQL is not in the folder: pg_dump copies it, and the exit status here is 2.

Examples:
  xenoboot backup home/server monday.backup
  xenoboot backup home/server \"backups/$(date +%F)\" --json"
)]
pub(crate) struct Args {
    /// The server's folder, on this computer
    dir: PathBuf,
    /// The new file
    file: PathBuf,
}

/// Arguments of `xenoboot restore`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Everything is checked by its SHA-256 before the folder gets its name: a backup that is cut short or damaged makes none.
Machines know the restored server, because it has the same key. What they reported since the backup was made is not in
it: where they still have it they send it again, else the log shows a gap.

Examples:
  xenoboot restore monday.backup home/server
  xenoboot restore monday.backup home/server && xenoboot serve home/server"
)]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    /// The server's folder, which must be empty or not there
    dir: PathBuf,
}

pub(crate) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let (dir, file) = (args.dir.display(), args.file.display());
    if args.file.exists() {
        bail!("{file} is there already: a backup overwrites nothing");
    }
    let made = || -> anyhow::Result<Contents> {
        let folder = beside(&args.file);
        let scratch = tempfile::Builder::new().prefix(".xenoboot-backup-").tempdir_in(folder)?;
        let half = tempfile::NamedTempFile::new_in(folder)?;
        let out = BufWriter::with_capacity(1 << 20, half.as_file());
        let contents = runtime()?.block_on(backup::back_up(&args.dir, scratch.path(), out))?;
        half.as_file().sync_all()?;
        half.persist_noclobber(&args.file)?;
        File::open(folder)?.sync_all()?;
        Ok(contents)
    };
    let made = match made() {
        Err(error) if matches!(error.downcast_ref(), Some(BackupError::Elsewhere(_))) => {
            // Of no use, however often it is tried.
            let _ = ui::exit(Err(error).hint(
                "pg_dump -Fc DATABASE > FILE copies the database, pg_restore brings it back; keep what is in the folder too",
            ));
            std::process::exit(2);
        }
        made => made.with_context(|| format!("cannot back {dir} up to {file}"))?,
    };
    said("backed up", &args.file, &made, output)
}

pub(crate) fn restore(args: &RestoreArgs, output: &Output) -> anyhow::Result<()> {
    let (dir, file) = (args.dir.display(), args.file.display());
    let opened = File::open(&args.file).with_context(|| format!("cannot read {file}"))?;
    let restored = || -> anyhow::Result<Contents> {
        let folder = beside(&args.dir);
        fs::create_dir_all(folder)?;
        let scratch = tempfile::Builder::new().prefix(".xenoboot-restore-").tempdir_in(folder)?;
        let from = BufReader::with_capacity(1 << 20, opened);
        let contents = runtime()?.block_on(backup::restore(from, scratch.path(), &args.dir))?;
        // It has another name now.
        let _ = scratch.keep();
        Ok(contents)
    };
    let restored = match restored() {
        Err(error) => match error.downcast_ref() {
            Some(BackupError::Cut(_) | BackupError::Damaged(_)) => {
                Err(error).hint("nothing was restored; take another backup, or copy this one again")
            }
            _ => Err(error),
        },
        done => done,
    };
    let restored = restored.with_context(|| format!("cannot restore {file} to {dir}"))?;
    said("restored", &args.dir, &restored, output)
}

/// The folder that something is or shall be in.
fn beside(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().context("no runtime")
}

fn said(what: &str, path: &Path, contents: &Contents, output: &Output) -> anyhow::Result<()> {
    let Contents { files, bytes, made_ms } = contents;
    if output.json {
        println!(
            "{}",
            serde_json::json!({ "path": path, "files": files, "bytes": bytes, "made_ms": made_ms })
        );
    } else {
        println!(
            "{what} {files} files, {}, as of {}: {}",
            size(*bytes),
            ago(*made_ms),
            path.display()
        );
    }
    Ok(())
}
