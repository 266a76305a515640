//! `xenoboot serve`: the central server.

use crate::ui::{Output, WithHint};
use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use xenoboot_server::{Database, Server};

/// Arguments of `xenoboot serve`.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
The first start makes DIR with the server's key, its database and DIR/operator.toml, which the other commands need
(--operator FILE or XENOBOOT_OPERATOR). One line on standard output says where it listens, and its pin for site.toml.
Bundles and blobs are in DIR/blobs, or in the bucket of S3-compatible storage that DIR/blobs.toml (mode 600) names:
bucket, prefix, endpoint, region, access_key, secret_key, style, pin, allow_http.
To give out a new token, remove operator.toml and start again. The log goes to standard error; RUST_LOG filters it.

Examples:
  xenoboot serve home/server
  xenoboot serve home/server --listen 192.0.2.10:443
  xenoboot serve /var/lib/xenoboot --log-format json
  PGPASSFILE=pgpass xenoboot serve home/server --database postgresql://xenoboot@db.example/xenoboot?sslmode=verify-full
  RUST_LOG=xenoboot_server=debug xenoboot serve home/server --listen 127.0.0.1:0 --json"
)]
pub(crate) struct Args {
    /// The server's folder; made on the first start
    dir: PathBuf,
    /// Where to listen; port 0 takes a free one [default: port 7443 of all addresses]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// PostgreSQL in place of SQLite in DIR: a URL without a password, or a file (mode 600) that has url = "URL"
    /// [default: DIR/database.toml, if it is there]
    #[arg(long, value_name = "FILE|URL")]
    database: Option<Database>,
    /// Where other servers of the same database reach this one [default: where it listens; if that is all addresses, the one
    /// by which it reaches the database]
    #[arg(long, value_name = "ADDRESS:PORT")]
    reach: Option<SocketAddr>,
    /// How the log is written: lines for people, or a JSON object in each line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

pub(crate) fn run(args: &Args, output: &Output) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match args.log_format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).init(),
    }
    raise_file_limit();
    let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
    runtime.block_on(serve(args, output))
}

/// Each machine is a connection. A limit that stays as it is means fewer of them at once, no more.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

async fn serve(args: &Args, output: &Output) -> anyhow::Result<()> {
    // Before anything is begun that they could interrupt.
    let stop = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let database = args.database.clone().unwrap_or_default();
    let server = Server::open(&args.dir, args.listen, &database, args.reach).await;
    let server = match server {
        Err(error @ xenoboot_server::OpenError::Stranger { .. }) => {
            return Err(error).hint(
                "copy server.key, power.key, web.pem and operator.toml from its folder, or use another database",
            );
        }
        Err(error @ xenoboot_server::OpenError::Listen { .. }) => {
            return Err(error).hint("another program may have that port; --listen names another");
        }
        other => other.with_context(|| format!("cannot serve {}", args.dir.display()))?,
    };
    announce(&server, output).context("standard output")?;
    server.run(stopped(stop)).await;
    Ok(())
}

/// Says that it is ready.
fn announce(server: &Server, output: &Output) -> io::Result<()> {
    let (url, pin) = (format!("https://{}", server.address()), server.pin());
    let mut out = io::stdout().lock();
    if output.json {
        writeln!(out, "{}", serde_json::json!({ "url": url, "pin": pin.to_string() }))?;
    } else {
        writeln!(out, "listening on {url} pin {pin}")?;
    }
    out.flush()
}

async fn stopped([mut terminate, mut interrupt]: [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
