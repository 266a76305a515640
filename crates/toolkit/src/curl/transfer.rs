//! One transfer of `curl`.

use super::data::Data;
use crate::{
    applet::{Args, usage_error},
    applets::curl::Target,
    http::{
        exchange::{Answer, Payload},
        options::{self, AGENT, default_field},
        proxy::Proxies,
        sink::Output,
        transfer::{Failure, Plan, Resume, Retry},
        url::Url,
    },
    resolver,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The transfer; or why its answer has no place.
pub(crate) fn plan(
    mut url: Url,
    target: &Target,
    data: &Data,
    args: &Args,
) -> anyhow::Result<Result<Plan, String>> {
    let output = match place(&url, target, args) {
        Ok(output) => output,
        Err(problem) => return Ok(Err(problem)),
    };
    if let Some(user) = args.text("user")? {
        url.user = Some(user.to_owned());
    }
    let mut plan = options::plan(url, args)?;
    plan.output = output;
    request(&mut plan, data, args)?;
    path(&mut plan, args)?;
    plan.redirects = match args.text("max-redirs")? {
        _ if !args.has("location") => None,
        None => Some(50),
        Some("-1") => Some(u32::MAX),
        Some(_) => args.number("max-redirs")?,
    };
    plan.no_downgrade =
        args.text("proto-redir")?.is_some_and(|list| list.trim_start_matches('=') == "https");
    plan.refuse = args.has("fail") || args.has("fail-with-body");
    plan.keep_refused = args.has("fail-with-body");
    plan.heads = args.has("include") || args.has("show-headers") || args.has("head");
    plan.dump = args.value("dump-header").map(PathBuf::from);
    plan.resume = match args.text("continue-at")? {
        None => Resume::Not,
        Some("-") => Resume::Continue,
        Some(_) => Resume::At(args.number("continue-at")?.unwrap_or(0)),
    };
    plan.restart = false;
    plan.retry = Retry {
        times: args.number("retry")?.unwrap_or(0),
        pause: options::limit(args, "retry-delay")?,
        refused: args.has("retry-connrefused"),
        names: true,
        statuses: true,
        everything: args.has("retry-all-errors"),
        within: options::limit(args, "retry-max-time")?,
    };
    plan.max_time = options::limit(args, "max-time")?;
    plan.max_size = args.number("max-filesize")?;
    plan.unpack = args.has("compressed");
    let to_file = matches!(plan.output, Output::File(_));
    plan.progress = to_file && !args.has("silent") && !args.has("no-progress-meter");
    if !args.has("silent") {
        plan.again = Some(again);
    }
    if args.has("verbose") {
        plan.show = Some(show);
    }
    Ok(Ok(plan))
}

fn place(url: &Url, target: &Target, args: &Args) -> Result<Output, String> {
    let name = match target {
        Target::Stdout => return Ok(Output::Stdout),
        Target::Named(path) if path.as_os_str() == "-" => return Ok(Output::Stdout),
        Target::Named(path) => path.clone(),
        Target::Remote => {
            url.file_name().map(PathBuf::from).ok_or("Remote filename has no length")?
        }
    };
    let path = args.value("output-dir").map_or(name.clone(), |folder| Path::new(folder).join(name));
    if let Some(folder) = path.parent().filter(|_| args.has("create-dirs")) {
        fs::create_dir_all(folder)
            .map_err(|e| format!("Failed to create {}: {e}", folder.display()))?;
    }
    Ok(Output::File(path))
}

fn request(plan: &mut Plan, data: &Data, args: &Args) -> anyhow::Result<()> {
    let request = &mut plan.request;
    for text in args.values("header") {
        request.fields.push(options::field(&text.to_string_lossy())?);
    }
    let agent = options::plain(args.text("user-agent")?.unwrap_or(AGENT))?;
    default_field(&mut request.fields, "User-Agent", agent);
    let accept = if data.json { "application/json" } else { "*/*" };
    default_field(&mut request.fields, "Accept", accept);
    if args.has("compressed") {
        default_field(&mut request.fields, "Accept-Encoding", "gzip");
    }
    if let Some(from) = args.text("referer")? {
        default_field(&mut request.fields, "Referer", options::plain(from)?);
    }
    if let Some(range) = args.text("range")? {
        default_field(&mut request.fields, "Range", &format!("bytes={}", options::plain(range)?));
    }
    let cookies: Vec<_> = args.values("cookie").map(|text| text.to_string_lossy()).collect();
    if cookies.iter().any(|cookie| !cookie.contains('=')) {
        return usage_error("files of cookies are not known: give NAME=VALUE");
    }
    if !cookies.is_empty() {
        default_field(&mut request.fields, "Cookie", options::plain(&cookies.join("; "))?);
    }
    payload(plan, data, args)?;
    if args.has("head") {
        plan.request.method = "HEAD".into();
    }
    if let Some(method) = args.text("request")? {
        plan.request.method = options::method(method)?;
        plan.keep_method = true;
    }
    Ok(())
}

fn payload(plan: &mut Plan, data: &Data, args: &Args) -> anyhow::Result<()> {
    let request = &mut plan.request;
    if let Some(path) = args.text("upload-file")? {
        request.method = "PUT".into();
        if request.url.target.ends_with('/')
            && let Some(name) = Path::new(path).file_name()
        {
            request.url.target.push_str(&crate::http::url::encode(name.as_encoded_bytes()));
        }
        request.payload = Some(match path {
            "-" => Payload::Stdin,
            path => Payload::File(PathBuf::from(path)),
        });
        return Ok(());
    }
    let Some(bytes) = &data.bytes else { return Ok(()) };
    if args.has("get") {
        let text = String::from_utf8_lossy(bytes);
        let between = if request.url.target.contains('?') { '&' } else { '?' };
        let whole = format!("{}{between}{text}", request.url);
        let user = request.url.user.take();
        request.url = Url { user, ..Url::parse(&whole)? };
        return Ok(());
    }
    request.method = "POST".into();
    let kind = if data.json { "application/json" } else { "application/x-www-form-urlencoded" };
    default_field(&mut request.fields, "Content-Type", kind);
    request.payload = Some(Payload::Bytes(bytes.clone()));
    Ok(())
}

fn path(plan: &mut Plan, args: &Args) -> anyhow::Result<()> {
    let path = &mut plan.path;
    if let Some(time) = options::limit(args, "connect-timeout")? {
        path.patience.connect = time;
    }
    path.patience.stall = options::limit(args, "speed-time")?;
    if path.patience.stall.is_none() && args.has("speed-limit") {
        path.patience.stall = Some(Duration::from_secs(30));
    }
    if let Some(proxy) = args.text("proxy")? {
        path.proxies =
            Proxies { none: std::mem::take(&mut path.proxies.none), ..Proxies::fixed(proxy) };
    }
    if let Some(list) = args.text("noproxy")? {
        path.proxies.none = list.to_owned();
    }
    path.proxy_user = args.text("proxy-user")?.map(str::to_owned);
    for text in args.values("resolve") {
        let text = text.to_string_lossy();
        let mut parts = text.trim_start_matches('+').splitn(3, ':');
        let (host, port, addresses) = (parts.next(), parts.next(), parts.next());
        let port = port.and_then(|port| port.parse::<u16>().ok());
        let (Some(host), Some(port), Some(addresses)) = (host, port, addresses) else {
            return usage_error(format!("{text:?} is not HOST:PORT:ADDRESS"));
        };
        let each =
            addresses.split(',').map(|a| resolver::literal(a.trim_matches(['[', ']']), port));
        match each.collect::<Option<Vec<_>>>() {
            Some(addresses) => path.fixed.push((host.to_ascii_lowercase(), port, addresses)),
            None => return usage_error(format!("{text:?} is not HOST:PORT:ADDRESS")),
        }
    }
    Ok(())
}

fn show(answer: &Answer, _: &Url) {
    if let Some(peer) = answer.peer {
        eprintln!("* Connected to {} port {}", peer.ip(), peer.port());
    }
    options::print_head("> ", &answer.sent);
    eprintln!(">");
    options::print_head("< ", &String::from_utf8_lossy(&answer.head.raw));
    eprintln!("<");
}

fn again(failure: &Failure, pause: Duration) {
    eprintln!("curl: {failure}; trying again in {} s", pause.as_secs_f32());
}
