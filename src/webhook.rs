//! `xenoboot webhook`: who is told of what.

use crate::{
    operator::{
        Access, table,
        text::{self, cell},
    },
    ui::Output,
};
use clap::{Subcommand, ValueEnum};
use xenoboot_server::api::{Kind, NewWebhook, Webhook};

/// Arguments of `xenoboot webhook`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "What is sent is JSON, by POST: {\"kind\": \"failed\", \"machine\": \"web-1\", \"fingerprint\": \"…\", \"text\": \"…\", \"at_ms\": …}.\nFor each machine and kind it is sent at most once an hour. A URL's server must have a certificate of a public authority.\n\nmailto:ADDRESS is told by e-mail, when mail.toml in the server's folder (mode 600) says how:\n  relay = \"smtps://USER:PASSWORD@mail.example.org\"     # or smtp://HOST?tls=required, smtp://HOST\n  from = \"Xenoboot <boot@example.org>\""
)]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Add a URL or an address, or change of what it is told
    #[command(
        after_help = "Examples:\n  xenoboot webhook add https://chat.example.org/hooks/3fa9\n  xenoboot webhook add https://pager.example.org/in --kind failed --kind silent\n  xenoboot webhook add mailto:ops@example.org --kind failed"
    )]
    Add {
        /// The URL: https://…, http://… or mailto:ADDRESS
        url: String,
        /// Of what; may be given several times [default: everything]
        #[arg(long = "kind", value_enum)]
        kinds: Vec<KindArg>,
    },
    /// List URLs
    #[command(after_help = "Example:\n  xenoboot webhook list")]
    List,
    /// Take a URL away, by its ID in the list
    #[command(after_help = "Example:\n  xenoboot webhook remove 2")]
    Remove {
        /// Its ID
        id: i64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum KindArg {
    Failed,
    Silent,
    Cloned,
    Pending,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Failed => Self::Failed,
            KindArg::Silent => Self::Silent,
            KindArg::Cloned => Self::Cloned,
            KindArg::Pending => Self::Pending,
        }
    }
}

pub(crate) fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let mut client = args.access.client()?;
    match args.verb {
        Verb::Add { url, kinds } => {
            let new = NewWebhook { url, kinds: kinds.into_iter().map(Into::into).collect() };
            let webhook: Webhook = client.post("webhooks", &new)?;
            if output.json {
                println!("{}", text::json(&webhook)?);
            } else {
                println!("added {}, for {}", webhook.id, words(&webhook));
            }
            Ok(())
        }
        Verb::List => {
            let webhooks: Vec<Webhook> = client.get("webhooks")?;
            if output.json {
                println!("{}", text::json(&webhooks)?);
                return Ok(());
            }
            let row =
                |webhook: &Webhook| [webhook.id.to_string(), words(webhook), cell(&webhook.url)];
            let rows: Vec<_> = webhooks.iter().map(row).collect();
            Ok(table::print(["ID", "KINDS", "URL"], &rows)?)
        }
        Verb::Remove { id } => {
            client.delete(&format!("webhooks/{id}"))?;
            if !output.json {
                println!("removed {id}");
            }
            Ok(())
        }
    }
}

fn words(webhook: &Webhook) -> String {
    webhook.kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ")
}
