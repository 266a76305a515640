//! `curl`: the usual part of its options over the code of `fetch`.

use crate::{
    applet::{Applet, Args, Opt, usage_error},
    curl::{data, transfer, write_out},
    http::{transfer::Failure, url},
};
use std::path::PathBuf;

const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value: "", help }
}

const fn opt(short: char, long: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { short, long, value, help }
}

pub(crate) static APPLET: Applet = Applet {
    name: "curl",
    summary: "Transfers by HTTP and HTTPS.",
    usage: "[OPTION]... URL...",
    options: &[
        opt('o', "output", "FILE", "write the answer here; one for each URL, in order"),
        flag('O', "remote-name", "write into a file called like the URL's last part"),
        flag('\0', "remote-name-all", "the same for all URLs"),
        opt('\0', "output-dir", "FOLDER", "where these files go"),
        flag('\0', "create-dirs", "make the folders of these files"),
        flag('s', "silent", "print neither progress nor errors"),
        flag('S', "show-error", "errors all the same"),
        flag('f', "fail", "status 400 and more is an error (22)"),
        flag('\0', "fail-with-body", "the same, and the answer is written"),
        flag('L', "location", "follow redirections"),
        opt('\0', "max-redirs", "NUMBER", "so many; 50 if not given"),
        opt('H', "header", "FIELD", "send NAME: VALUE, too"),
        opt(
            'd',
            "data",
            "TEXT",
            "send this (POST); @FILE is what a file has, without ends of lines",
        ),
        opt('\0', "data-ascii", "TEXT", "the same"),
        opt('\0', "data-binary", "TEXT", "the same, as it is"),
        opt('\0', "data-raw", "TEXT", "the same, @ means nothing"),
        opt('\0', "data-urlencode", "TEXT", "the same, encoded"),
        opt('\0', "json", "TEXT", "the same, as JSON"),
        flag('G', "get", "the data goes into the URL"),
        opt('T', "upload-file", "FILE", "send a file (PUT); - is standard input"),
        opt('X', "request", "METHOD", "use this method"),
        flag('I', "head", "print the head only"),
        flag('i', "include", "print the head, too"),
        flag('\0', "show-headers", "the same"),
        opt('D', "dump-header", "FILE", "write the head here"),
        opt('w', "write-out", "FORMAT", "print this at the end: %{http_code} and others"),
        opt('C', "continue-at", "OFFSET", "go on from there; - is the end of the file"),
        opt('r', "range", "RANGE", "a part only: FIRST-LAST"),
        flag('k', "insecure", "trust anybody"),
        opt('\0', "cacert", "FILE", "trust these certificates (PEM)"),
        opt(
            '\0',
            "pinnedpubkey",
            "PINS",
            "the server must have one of these keys: sha256//...;...",
        ),
        opt('m', "max-time", "SECONDS", "for each attempt"),
        opt('\0', "connect-timeout", "SECONDS", "for connecting"),
        opt('y', "speed-time", "SECONDS", "without a byte the connection is broken"),
        opt('Y', "speed-limit", "BYTES", "with -y: only nothing at all counts as too slow"),
        opt('\0', "retry", "NUMBER", "try so often again"),
        opt('\0', "retry-delay", "SECONDS", "wait so long between"),
        opt('\0', "retry-max-time", "SECONDS", "but no longer than this in all"),
        flag('\0', "retry-connrefused", "also when the connection is refused"),
        flag('\0', "retry-all-errors", "also for any other error"),
        opt('\0', "max-filesize", "BYTES", "refuse more"),
        opt('A', "user-agent", "TEXT", "what the server is told that we are"),
        opt('e', "referer", "URL", "where the URL was found"),
        opt('b', "cookie", "TEXT", "send NAME=VALUE as a cookie"),
        opt('u', "user", "NAME:WORD", "who asks"),
        opt('x', "proxy", "URL", "through this proxy"),
        opt('U', "proxy-user", "NAME:WORD", "who asks the proxy"),
        opt('\0', "noproxy", "LIST", "servers that need none"),
        opt('\0', "resolve", "HOST:PORT:ADDRESS", "take this address"),
        flag('\0', "compressed", "ask for gzip, and unpack it"),
        flag('4', "ipv4", "IPv4 only"),
        flag('6', "ipv6", "IPv6 only"),
        flag('v', "verbose", "print heads to standard error; what is secret is left out"),
        opt('\0', "url", "URL", "a URL"),
        opt(
            '\0',
            "sha256",
            "HEX",
            "the file appears only if it is right, first as FILE.part (not in the original)",
        ),
        flag('#', "progress-bar", "ignored: progress is one line on a terminal"),
        flag('\0', "no-progress-meter", "no progress"),
        flag('N', "no-buffer", "ignored: nothing waits"),
        flag('g', "globoff", "ignored: brackets mean nothing"),
        flag('q', "disable", "ignored: there is no configuration"),
        flag('\0', "http1.1", "ignored: always so"),
        flag('\0', "tlsv1.2", "ignored: always at least so"),
        opt('\0', "proto", "LIST", "ignored: http and https are all there is"),
        opt('\0', "proto-redir", "LIST", "=https: no redirection to http"),
    ],
    notes: "http_proxy, https_proxy, all_proxy and no_proxy are read from the environment. Exit status as the\n\
            original's: 6 no such name, 7 not connected, 22 refused, 28 too slow, 35 no TLS, 47 redirections,\n\
            56 broken, 60 wrong certificate, 90 wrong key.",
    example: "curl -fsSL -o /tmp/x https://example.org/x\ncurl -s -o /dev/null -w '%{http_code}\\n' http://192.0.2.1/",
    run,
};

/// One URL and what becomes of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Standard output.
    Stdout,
    /// This file.
    Named(PathBuf),
    /// A file called like the URL's last part.
    Remote,
}

fn run(args: &Args) -> anyhow::Result<u8> {
    let mut urls: Vec<String> = Vec::new();
    for text in args.values("url") {
        urls.push(text.to_string_lossy().into_owned());
    }
    urls.extend(args.words()?.into_iter().map(str::to_owned));
    if urls.is_empty() {
        return usage_error("no URL specified");
    }
    let mut targets = args.all().filter_map(|(name, value)| match name {
        "output" => Some(Target::Named(PathBuf::from(value))),
        "remote-name" => Some(Target::Remote),
        _ => None,
    });
    let other = if args.has("remote-name-all") { Target::Remote } else { Target::Stdout };
    let data = data::collect(args)?;
    let mut status = 0;
    for text in &urls {
        let target = targets.next().unwrap_or_else(|| other.clone());
        status = one(text, &target, &data, args)?;
    }
    Ok(status)
}

fn one(text: &str, target: &Target, data: &data::Data, args: &Args) -> anyhow::Result<u8> {
    let silent = args.has("silent") && !args.has("show-error");
    let say = |code: u8, failure: &dyn std::fmt::Display| {
        if !silent {
            eprintln!("curl: ({code}) {failure}");
        }
    };
    let wrong = |error: &url::Error| match error {
        url::Error::Scheme(_) => 1,
        url::Error::Malformed(_) => 3,
    };
    let url = match url::Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            say(wrong(&error), &error);
            return Ok(wrong(&error));
        }
    };
    let plan = match transfer::plan(url, target, data, args) {
        Ok(Ok(plan)) => plan,
        Ok(Err(problem)) => {
            say(23, &problem);
            return Ok(23);
        }
        Err(error) => return Err(error),
    };
    let (outcome, result) = plan.run();
    let code = result.as_ref().map_or_else(status, |()| 0);
    if let Err(failure) = &result {
        say(code, failure);
    }
    if let Some(format) = args.text("write-out")? {
        let text = write_out::expand(&write_out::read(format)?, &plan, &outcome, code);
        use std::io::Write as _;
        std::io::stdout().write_all(text.as_bytes())?;
    }
    Ok(code)
}

/// The original's exit status.
fn status(failure: &Failure) -> u8 {
    use crate::http::Error;
    match failure {
        Failure::Http(error) => match error {
            Error::Url(url::Error::Scheme(_)) => 1,
            Error::Url(url::Error::Malformed(_)) => 3,
            Error::ResolveProxy { .. } => 5,
            Error::Resolve { .. } => 6,
            Error::Connect { .. } => 7,
            Error::Weird(_) => 8,
            Error::NotHttp => 1,
            Error::Short(_) => 18,
            Error::Payload(_) => 26,
            Error::Timeout(_) => 28,
            Error::Tls(_) => 35,
            Error::Empty => 52,
            Error::Send(_) => 55,
            Error::Receive(_) | Error::Tunnel(_) | Error::Chunk(_) => 56,
            Error::Certificate(_) => 60,
            Error::Roots(_) => 77,
            Error::Pin(_) => 90,
        },
        Failure::Refused(_) => 22,
        Failure::Downgrade(_) => 1,
        Failure::Redirects(_) => 47,
        Failure::Write(_) => 23,
        Failure::Range => 33,
        Failure::TooLarge => 63,
        // None of the original's; this one says that a file cannot be used as it is.
        Failure::Digest => 90,
    }
}
