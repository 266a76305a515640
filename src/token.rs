//! `xenoboot token`: who may use the server.

use crate::{
    operator::{
        Access, Client, table,
        text::{self, ago, cell, duration, now_ms},
    },
    ui::{self, Output},
    units,
};
use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use xenoboot_server::api::{GivenToken, NewToken, Role, Token};

/// Arguments of `xenoboot token`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "A viewer sees everything but tokens; an operator may also approve machines, push and assign; an admin may also\ngive out tokens. The server keeps digests only: a token is shown once."
)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Give out a token
    #[command(
        after_help = "Examples:\n  xenoboot token new alice --role operator --expires 90d -o alice.toml\n  xenoboot token new dashboard --role viewer"
    )]
    New {
        /// Its name, which the audit log has
        name: String,
        /// What it is good for
        #[arg(long, value_enum)]
        role: RoleArg,
        /// For how long it is good [default: until it is revoked]
        #[arg(long, value_name = "TIME", value_parser = units::duration)]
        expires: Option<u64>,
        /// Write an operator file with it (for --operator), instead of printing the token
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List tokens, without themselves
    #[command(after_help = "Example:\n  xenoboot token list")]
    List,
    /// Make a token worthless
    #[command(after_help = "Example:\n  xenoboot token revoke alice --yes")]
    Revoke {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArg {
    Viewer,
    Operator,
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Operator => Self::Operator,
            RoleArg::Admin => Self::Admin,
        }
    }
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let mut client = args.access.client()?;
    match args.verb {
        Verb::New { name, role, expires, output: file } => {
            let expires_s = expires.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
            let new = NewToken { name, role: role.into(), expires_s };
            let given: GivenToken = client.post("tokens", &new)?;
            give(&client, &given, file.as_deref(), output)
        }
        Verb::List => {
            let tokens: Vec<Token> = client.get("tokens")?;
            if output.json {
                println!("{}", text::json(&tokens)?);
                return Ok(());
            }
            list(&tokens)
        }
        Verb::Revoke { name, yes } => {
            ui::confirm(&format!("{} can do nothing more.", cell(&name)), yes)?;
            client.delete(&format!("tokens/{}", crate::machine::escaped(&name)))?;
            if !output.json {
                println!("revoked {}", cell(&name));
            }
            Ok(())
        }
    }
}

fn give(
    client: &Client,
    given: &GivenToken,
    file: Option<&Path>,
    output: &Output,
) -> anyhow::Result<()> {
    if let Some(path) = file {
        let text = client.operator_file(&given.token);
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    match (output.json, file) {
        (true, _) => println!("{}", text::json(given)?),
        (false, None) => println!("{}", given.token),
        (false, Some(path)) => println!("wrote {}", path.display()),
    }
    Ok(())
}

fn list(tokens: &[Token]) -> anyhow::Result<()> {
    let now = now_ms();
    let row = |token: &Token| {
        let good = match token.expires_ms {
            None => "until revoked".to_owned(),
            Some(at) if at <= now => "expired".to_owned(),
            Some(at) => duration(at - now),
        };
        [token.name.clone(), token.role.word().to_owned(), ago(token.created_ms), good]
    };
    let rows: Vec<_> = tokens.iter().map(row).collect();
    Ok(table::print(["NAME", "ROLE", "GIVEN", "GOOD FOR"], &rows)?)
}
