//! `xenoboot session`: who has logged in to the dashboard.

use crate::{
    operator::{
        Access, table,
        text::{self, ago, cell, duration, now_ms},
    },
    ui::{self, Output},
};
use clap::Subcommand;
use xenoboot_server::api::Session;

/// Arguments of `xenoboot session`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Sessions end by themselves after twelve hours, and with the token that they were begun with."
)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List who has logged in
    #[command(after_help = "Example:\n  xenoboot session list")]
    List,
    /// End a session by its ID, or all of somebody
    #[command(
        after_help = "Examples:\n  xenoboot session end 4f0c2b9a1d3e5f67 --yes\n  xenoboot session end oidc:alice@example.org"
    )]
    End {
        /// The session's ID in the list, or the name
        whose: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let mut client = args.access.client()?;
    match args.verb {
        Verb::List => {
            let sessions: Vec<Session> = client.get("sessions")?;
            if output.json {
                println!("{}", text::json(&sessions)?);
                return Ok(());
            }
            list(&sessions)
        }
        Verb::End { whose, yes } => {
            ui::confirm(&format!("{} must log in again.", cell(&whose)), yes)?;
            client.delete(&format!("sessions/{}", crate::machine::escaped(&whose)))?;
            if !output.json {
                println!("ended {}", cell(&whose));
            }
            Ok(())
        }
    }
}

fn list(sessions: &[Session]) -> anyhow::Result<()> {
    let now = now_ms();
    let row = |session: &Session| {
        [
            session.id.clone(),
            cell(&session.name),
            session.role.word().to_owned(),
            cell(session.subject.as_deref().unwrap_or("")),
            ago(session.begun_ms),
            duration(session.expires_ms - now),
        ]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    Ok(table::print(["ID", "NAME", "ROLE", "SUBJECT", "LOGGED IN", "ENDS IN"], &rows)?)
}
