//! `wget`: the usual part of its options over the code of `fetch`.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    http::{
        Error,
        exchange::{Answer, Payload},
        options::{self, AGENT, default_field},
        proxy::Proxies,
        sink::Output,
        transfer::{Failure, Plan, Resume, Retry},
        url::Url,
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "wget",
    summary: "Gets files by HTTP and HTTPS.",
    usage: "[OPTION]... URL...",
    options: &[
        opt('O', "output-document", "FILE", "write here; - is standard output"),
        opt('P', "directory-prefix", "FOLDER", "write into this folder"),
        opt('i', "input-file", "FILE", "more URLs, one a line; - is standard input"),
        flag('c', "continue", "go on with what is there"),
        opt(
            'n',
            "no",
            "LETTER",
            "-nc: leave files that are there; -nv: few words; -nd and others: ignored",
        ),
        flag('\0', "no-clobber", "leave files that are there"),
        flag('\0', "no-verbose", "few words"),
        flag('q', "quiet", "no words"),
        flag('v', "verbose", "ignored: always so"),
        flag('S', "server-response", "print the heads"),
        flag('\0', "spider", "only look whether it is there"),
        flag('\0', "content-on-error", "write the answer of a server that refuses, too"),
        opt('t', "tries", "NUMBER", "attempts; 20 if not given, 0 is no limit"),
        opt('\0', "waitretry", "SECONDS", "the longest pause between attempts; 10 if not given"),
        flag('\0', "retry-connrefused", "also when the connection is refused"),
        flag('\0', "retry-on-host-error", "also when a name cannot be looked up"),
        opt('\0', "retry-on-http-error", "LIST", "also for 5xx and 429"),
        opt('T', "timeout", "SECONDS", "for connecting, and without a byte; 900 if not given"),
        opt('\0', "connect-timeout", "SECONDS", "for connecting"),
        opt('\0', "read-timeout", "SECONDS", "without a byte"),
        opt('\0', "dns-timeout", "SECONDS", "ignored: part of connecting"),
        opt('\0', "max-redirect", "NUMBER", "follow so many redirections; 20 if not given"),
        opt('U', "user-agent", "TEXT", "what the server is told that we are"),
        opt('\0', "header", "FIELD", "send NAME: VALUE, too"),
        opt('\0', "referer", "URL", "where the URL was found"),
        opt('\0', "post-data", "TEXT", "send this (POST)"),
        opt('\0', "post-file", "FILE", "send a file (POST)"),
        opt('\0', "method", "METHOD", "use this method"),
        opt('\0', "body-data", "TEXT", "send this with it"),
        opt('\0', "body-file", "FILE", "send a file with it"),
        opt('\0', "user", "NAME", "who asks"),
        opt('\0', "password", "WORD", "and the word for it"),
        opt('\0', "http-user", "NAME", "the same"),
        opt('\0', "http-password", "WORD", "the same"),
        flag('\0', "no-proxy", "no proxy, whatever the environment says"),
        flag('\0', "no-check-certificate", "trust anybody"),
        opt('\0', "ca-certificate", "FILE", "trust these certificates (PEM)"),
        opt(
            '\0',
            "pinnedpubkey",
            "PINS",
            "the server must have one of these keys: sha256//...;...",
        ),
        flag('\0', "https-only", "no redirection to http"),
        opt(
            '\0',
            "sha256",
            "HEX",
            "the file appears only if it is right, first as FILE.part (not in the original)",
        ),
        opt('\0', "progress", "TYPE", "ignored: progress is one line on a terminal"),
        flag('\0', "show-progress", "progress also with -q"),
        flag('4', "inet4-only", "IPv4 only"),
        flag('6', "inet6-only", "IPv6 only"),
    ],
    notes: "http_proxy, https_proxy and no_proxy are read from the environment. Exit status as the original's:\n\
            3 files, 4 network, 5 TLS, 7 protocol, 8 refused.",
    example: "wget -q -O - http://192.0.2.1/config\nwget -c https://example.org/disk.img",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut urls: Vec<String> = args.words()?.into_iter().map(str::to_owned).collect();
    if let Some(path) = args.text("input-file")? {
        let text = if path == "-" {
            std::io::read_to_string(std::io::stdin())?
        } else {
            fs::read_to_string(path)?
        };
        let lines = text.lines().map(str::trim);
        urls.extend(
            lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned),
        );
    }
    if urls.is_empty() {
        return usage_error("missing URL");
    }
    if urls.len() > 1 && args.value("output-document").is_some_and(|name| name != "-") {
        return usage_error("-O FILE is for one URL");
    }
    if let Some(letters) =
        args.values("no").find(|v| !matches!(v.to_str(), Some("c" | "v" | "d" | "H" | "p")))
    {
        return usage_error(format!("unknown option -n{}", letters.to_string_lossy()));
    }
    let mut status = 0;
    for text in &urls {
        let code = one(text, args)?;
        // The original keeps the first, except that a network that fails counts less than a server.
        status = if status == 0 || code != 0 && code < status { code } else { status };
    }
    Ok(status)
}

/// `-nc` and its like.
fn has(args: &Args, long: &str, letter: &str) -> bool {
    args.has(long) || args.values("no").any(|value| value == letter)
}

fn one(text: &str, args: &Args) -> anyhow::Result<u8> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            eprintln!("{text}: {error}.");
            return Ok(1);
        }
    };
    let name = url.file_name_with_query();
    let output = match args.value("output-document") {
        _ if args.has("spider") => Output::Nowhere,
        Some(name) => options::output(name),
        None => {
            let folder = args.value("directory-prefix").unwrap_or_default();
            let path = Path::new(folder).join(name);
            if path.exists() && has(args, "no-clobber", "c") {
                eprintln!("File '{}' already there; not retrieving.", path.display());
                return Ok(0);
            }
            if !folder.is_empty() {
                fs::create_dir_all(folder)?;
            }
            Output::File(if args.has("continue") || args.has("sha256") {
                path
            } else {
                unused(path)
            })
        }
    };
    let plan = plan(url, output, args)?;
    let (outcome, result) = plan.run();
    let quiet = args.has("quiet");
    if let Err(failure) = result {
        if !quiet || matches!(failure, Failure::Write(_)) {
            eprintln!("wget: {text}: {failure}");
        }
        return Ok(status(&failure));
    }
    if let (Output::File(path), false) = (&plan.output, quiet) {
        let (path, bytes) = (path.display(), outcome.bytes);
        match outcome.nothing_to_do {
            true => eprintln!("The file is already fully retrieved; nothing to do."),
            false => eprintln!("'{path}' saved [{bytes}]"),
        }
    }
    Ok(0)
}

/// `FILE`, `FILE.1` and so on: the first that is not there.
fn unused(path: PathBuf) -> PathBuf {
    let mut names = (1..).map(|n| PathBuf::from(format!("{}.{n}", path.display())));
    if path.exists() { names.find(|name| !name.exists()).unwrap_or(path) } else { path }
}

fn plan(url: Url, output: Output, args: &Args) -> anyhow::Result<Plan> {
    let mut plan = options::plan(url, args)?;
    plan.output = output;
    plan.path.family = match (args.has("inet4-only"), args.has("inet6-only")) {
        (true, false) => crate::resolver::Family::V4,
        (false, true) => crate::resolver::Family::V6,
        _ => crate::resolver::Family::Any,
    };
    request(&mut plan, args)?;
    if args.has("no-proxy") {
        plan.path.proxies = Proxies::default();
    }
    let both = options::seconds(args, "timeout")?;
    let long = Duration::from_secs(900);
    let connect = options::limit(args, "connect-timeout")?.or(both.filter(|t| !t.is_zero()));
    plan.path.patience.connect = connect.unwrap_or(long);
    let stall = options::seconds(args, "read-timeout")?.or(both).unwrap_or(long);
    plan.path.patience.stall = Some(stall).filter(|stall| !stall.is_zero());
    plan.redirects = Some(args.number("max-redirect")?.unwrap_or(20));
    plan.no_downgrade = args.has("https-only");
    plan.refuse = true;
    plan.keep_refused = args.has("content-on-error");
    plan.resume = if args.has("continue") { Resume::Continue } else { Resume::Not };
    plan.retry = Retry {
        times: match args.text("tries")? {
            Some("inf" | "0") => u32::MAX,
            _ => args.number::<u32>("tries")?.unwrap_or(20).saturating_sub(1),
        },
        pause: options::seconds(args, "waitretry")?,
        refused: args.has("retry-connrefused"),
        names: args.has("retry-on-host-error"),
        statuses: args.has("retry-on-http-error"),
        ..Retry::default()
    };
    plan.progress =
        !args.has("quiet") && !has(args, "no-verbose", "v") || args.has("show-progress");
    if !args.has("quiet") {
        plan.again = Some(again);
    }
    if args.has("server-response") {
        plan.show = Some(show);
    }
    Ok(plan)
}

fn request(plan: &mut Plan, args: &Args) -> anyhow::Result<()> {
    let request = &mut plan.request;
    for text in args.values("header") {
        request.fields.push(options::field(&text.to_string_lossy())?);
    }
    let agent = options::plain(args.text("user-agent")?.unwrap_or(AGENT))?;
    default_field(&mut request.fields, "User-Agent", agent);
    default_field(&mut request.fields, "Accept", "*/*");
    if let Some(from) = args.text("referer")? {
        default_field(&mut request.fields, "Referer", options::plain(from)?);
    }
    let data = args.text("post-data")?.or(args.text("body-data")?);
    let file = args.value("post-file").or_else(|| args.value("body-file"));
    request.payload = match (data, file) {
        (Some(text), _) => Some(Payload::Bytes(text.as_bytes().to_vec())),
        (None, Some(path)) => Some(Payload::File(PathBuf::from(path))),
        (None, None) => None,
    };
    if request.payload.is_some() {
        let form = "application/x-www-form-urlencoded";
        default_field(&mut request.fields, "Content-Type", form);
    }
    if args.has("post-data") || args.has("post-file") {
        request.method = "POST".into();
    }
    if args.has("spider") {
        request.method = "HEAD".into();
    }
    if let Some(method) = args.text("method")? {
        request.method = options::method(method)?;
    }
    let user = args.text("user")?.or(args.text("http-user")?);
    if let Some(user) = user {
        let word = args.text("password")?.or(args.text("http-password")?).unwrap_or_default();
        request.url.user = Some(format!("{user}:{word}"));
    }
    Ok(())
}

fn show(answer: &Answer, _: &Url) {
    options::print_head("  ", &String::from_utf8_lossy(&answer.head.raw));
}

fn again(failure: &Failure, pause: Duration) {
    eprintln!("wget: {failure}; trying again in {} s", pause.as_secs_f32());
}

/// The original's exit status.
fn status(failure: &Failure) -> u8 {
    match failure {
        Failure::Http(error) => match error {
            Error::Url(_) | Error::Weird(_) | Error::NotHttp => 7,
            Error::Tls(_) | Error::Certificate(_) | Error::Pin(_) | Error::Roots(_) => 5,
            Error::Payload(_) => 3,
            Error::Tunnel(_) => 8,
            _ => 4,
        },
        Failure::Refused(_) | Failure::Redirects(_) | Failure::Downgrade(_) => 8,
        Failure::Write(_) => 3,
        Failure::Range | Failure::TooLarge => 7,
        Failure::Digest => 5,
    }
}
