//! `fetch`: gets a file from a server, whatever it takes.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    http::{
        Error,
        exchange::Payload,
        options::{self, AGENT},
        proxy::Proxies,
        sink::Output,
        tls::Roots,
        transfer::{Failure, Outcome, Plan, Resume, Retry},
        url::Url,
    },
};
use anyhow::bail;
use std::{path::PathBuf, time::Duration};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "fetch",
    summary: "Gets a file by HTTP or HTTPS, and goes on where a connection breaks.",
    usage: "[OPTION]... URL...",
    options: &[
        opt('o', "output", "FILE", "write here ('-' is standard output); else the URL's last part"),
        opt('\0', "sha256", "HEX", "the file appears only if it is right, first as FILE.part"),
        flag('c', "continue", "go on with what is there"),
        opt('\0', "pinnedpubkey", "PINS", "trust these keys (sha256//...;...) and no certificate"),
        opt('\0', "cacert", "FILE", "trust these certificates (PEM), not those of browsers"),
        flag('k', "insecure", "trust anybody"),
        opt('H', "header", "FIELD", "send NAME: VALUE, too"),
        opt('d', "data", "TEXT", "send this (POST); @FILE is what a file has"),
        opt('X', "request", "METHOD", "use this method"),
        flag('I', "head", "print the answer's head only"),
        opt('u', "user", "NAME:WORD", "who asks; '@FILE' has it in its first line"),
        opt('A', "user-agent", "TEXT", "what the server is told that we are"),
        opt('x', "proxy", "URL", "through this proxy, not the environment's; '' is none"),
        opt('t', "retry", "NUMBER", "try so often again; 5 if not given"),
        opt('T', "stall", "SECONDS", "without a byte the connection is broken; 60 if not given"),
        opt('\0', "connect-timeout", "SECONDS", "for connecting; 30 if not given"),
        opt('m', "max-time", "SECONDS", "for each attempt; no limit if not given"),
        opt('\0', "max-redirs", "NUMBER", "follow so many redirections; 10 if not given"),
        opt('\0', "max-size", "BYTES", "refuse more"),
        flag('q', "quiet", "print no progress"),
        flag('4', "ipv4", "IPv4 only"),
        flag('6', "ipv6", "IPv6 only"),
    ],
    notes: "A redirection from https to http is refused, except with --sha256. http_proxy, https_proxy and\n\
            no_proxy are read from the environment. Exit status: 1 it did not work, 2 wrong command line,\n\
            3 the server refuses, 4 what it shows or sends is not to be trusted.",
    example: "fetch --sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 https://example.org/disk.img.zst",
    run,
};

const REFUSED: u8 = 3;
const NOT_TRUSTED: u8 = 4;

fn run(args: &Args) -> anyhow::Result<u8> {
    let urls = args.words()?;
    if urls.is_empty() {
        return usage_error("which URL?");
    }
    if urls.len() > 1 && (args.has("output") || args.has("sha256")) {
        return usage_error("--output and --sha256 are for one URL");
    }
    let mut status = 0;
    for text in urls {
        let url = Url::parse(text).map_err(anyhow::Error::from)?;
        let plan = plan(url, args)?;
        let (outcome, result) = plan.run();
        status = status.max(report(&plan, text, &outcome, result, args.has("head"))?);
    }
    Ok(status)
}

fn plan(url: Url, args: &Args) -> anyhow::Result<Plan> {
    let output = match (args.value("output"), url.file_name()) {
        _ if args.has("head") => Output::Nowhere,
        (Some(name), _) => options::output(name),
        (None, Some(name)) => Output::File(PathBuf::from(name)),
        (None, None) => bail!("{url} does not name a file: give one with -o"),
    };
    let mut plan = options::plan(url, args)?;
    plan.output = output;
    request(&mut plan, args)?;
    // A pin says all: neither clock nor names are needed then.
    if !plan.path.trust.pins.is_empty() && !args.has("cacert") {
        plan.path.trust.roots = Roots::None;
    }
    if let Some(proxy) = args.text("proxy")? {
        plan.path.proxies = Proxies::fixed(proxy);
    }
    plan.path.patience.connect =
        options::limit(args, "connect-timeout")?.unwrap_or(Duration::from_secs(30));
    let stall = options::seconds(args, "stall")?.unwrap_or(Duration::from_secs(60));
    plan.path.patience.stall = Some(stall).filter(|stall| !stall.is_zero());
    plan.max_time = options::limit(args, "max-time")?;
    plan.redirects = Some(args.number("max-redirs")?.unwrap_or(10));
    plan.no_downgrade = plan.digest.is_none();
    plan.resume = if args.has("continue") { Resume::Continue } else { Resume::Not };
    plan.refuse = true;
    plan.max_size = match args.text("max-size")?.map(crate::sizes::parse) {
        Some(None) => return usage_error("the value of --max-size is no size"),
        size => size.flatten(),
    };
    plan.retry = Retry {
        times: args.number("retry")?.unwrap_or(5),
        refused: true,
        names: true,
        statuses: true,
        ..Retry::default()
    };
    plan.progress = !args.has("quiet");
    plan.again = Some(again);
    Ok(plan)
}

fn request(plan: &mut Plan, args: &Args) -> anyhow::Result<()> {
    let request = &mut plan.request;
    for text in args.values("header") {
        request.fields.push(options::field(&text.to_string_lossy())?);
    }
    let agent = options::plain(args.text("user-agent")?.unwrap_or(AGENT))?;
    options::default_field(&mut request.fields, "User-Agent", agent);
    options::default_field(&mut request.fields, "Accept", "*/*");
    if let Some(text) = args.text("data")? {
        request.method = "POST".into();
        let form = "application/x-www-form-urlencoded";
        options::default_field(&mut request.fields, "Content-Type", form);
        request.payload = Some(match text.strip_prefix('@') {
            Some(path) => Payload::File(PathBuf::from(path)),
            None => Payload::Bytes(text.as_bytes().to_vec()),
        });
    }
    if args.has("head") {
        request.method = "HEAD".into();
    }
    if let Some(method) = args.text("request")? {
        request.method = options::method(method)?;
        plan.keep_method = true;
    }
    if let Some(user) = args.text("user")? {
        let user = match user.strip_prefix('@') {
            Some(path) => {
                let text = std::fs::read_to_string(path)?;
                text.lines().next().unwrap_or_default().to_owned()
            }
            None => user.to_owned(),
        };
        request.url.user = Some(user);
    }
    Ok(())
}

fn again(failure: &Failure, pause: Duration) {
    eprintln!("fetch: {failure}; trying again in {} s", pause.as_secs_f32());
}

fn report(
    plan: &Plan,
    text: &str,
    outcome: &Outcome,
    result: Result<(), Failure>,
    head: bool,
) -> anyhow::Result<u8> {
    match result {
        Ok(()) if head => {
            use std::io::Write as _;
            std::io::stdout().write_all(&outcome.head.raw)?;
            Ok(0)
        }
        Ok(()) => {
            if let (true, true, Output::File(path)) =
                (outcome.nothing_to_do, plan.progress, &plan.output)
            {
                eprintln!("fetch: {} is there already", path.display());
            }
            Ok(0)
        }
        Err(failure) => {
            eprintln!("fetch: {text}: {failure}");
            Ok(match failure {
                Failure::Refused(_) => REFUSED,
                Failure::Digest
                | Failure::Downgrade(_)
                | Failure::Http(Error::Certificate(_) | Error::Pin(_)) => NOT_TRUSTED,
                _ => 1,
            })
        }
    }
}
