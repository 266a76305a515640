//! The socket on which a script's `xb` reaches the agent.

use crate::{
    confirm::Confirmations, report::Reporter, run_state::CurrentRun, secrets::Secrets,
    time::uptime_ms,
};
use std::{
    io, ops::RangeInclusive, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::UnixListener,
    sync::Semaphore,
    time::timeout,
};
use xenoboot_bundle::{
    SigningKey,
    report::{self, SignedReport},
};
use xenoboot_wire::{
    boot::Bytes,
    decode, encode,
    event::{MAX_TEXT, Source, What},
    script::{MAX_FRAME, Request, Response},
};

/// Connections served at once; more wait in the kernel's queue.
const MOST: usize = 16;
/// For one request: a client that holds a connection open gives its place up.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time that a kernel which is started may be given, seconds.
const WATCHDOG: RangeInclusive<u32> = 10..=3600;
/// Longest key of a report, bytes.
const MAX_KEY: usize = 64;

/// Listens at `path`, for root alone; what is there of an agent before this one is removed.
///
/// # Errors
/// When the socket cannot be made.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // Its folder has mode 0700, so there is no moment at which others could connect.
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// What is needed for an answer.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Where what scripts say goes.
    pub reporter: Reporter,
    /// The run in progress.
    pub current: CurrentRun,
    /// What bundles say in confidence.
    pub secrets: Arc<Secrets>,
    /// Who gives out confirmations' URLs.
    pub confirmations: Confirmations,
    /// The machine's key, for reports that are to be signed.
    pub signer: Arc<SigningKey>,
}

/// Serves for ever.
pub async fn serve(listener: UnixListener, desk: Desk) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = desk.clone();
                tokio::spawn(async move {
                    // A client that misbehaves or went away has nobody to be told.
                    let _ = timeout(PATIENCE, converse(stream, &desk)).await;
                    drop(place);
                });
            }
            // Out of descriptors, most likely: others will be given back.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// One request, one answer.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, desk: &Desk) -> io::Result<()> {
    let length = stream.read_u32().await? as usize;
    let response = if length > MAX_FRAME {
        Response::Refused(format!("a request of {length} bytes, at most {MAX_FRAME} are taken"))
    } else {
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        match decode(&body) {
            Ok(request) => answer(request, desk).await,
            Err(e) => Response::Refused(e.to_string()),
        }
    };
    let body = encode(&response);
    stream.write_u32(u32::try_from(body.len()).unwrap_or(0)).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

async fn answer(request: Request, desk: &Desk) -> Response {
    let Desk { reporter, current, secrets, confirmations, .. } = desk;
    if matches!(request, Request::Status) {
        let mut text = reporter.status(|s| s.describe(uptime_ms()));
        if text.len() > MAX_FRAME / 2 {
            text = crate::text::cut(&text, MAX_FRAME / 2);
        }
        return Response::Status(text);
    }
    if let Request::Console { after } = request {
        let (from, text) = reporter.consoles().history().after(after, MAX_FRAME / 2);
        return Response::Console { from, text: Bytes(text) };
    }
    let Some(run) = current.get() else {
        return Response::Refused("no script is running".to_owned());
    };
    if let Request::Kexec { watchdog_s } = request {
        return kexec(watchdog_s, reporter, current);
    }
    if matches!(request, Request::ConfirmUrl) {
        return confirmations.url(run).await;
    }
    if let Request::Secret { name } = request {
        return match secrets.open(&current.dir(), &name) {
            Ok(secret) => {
                reporter.hide(&secret);
                Response::Secret(Bytes(secret.to_vec()))
            }
            Err(why) => Response::Refused(why),
        };
    }
    let sign = matches!(request, Request::SignedReport { .. });
    let told = match checked(request, reporter) {
        Ok(what) if sign => signed(what, desk),
        Ok(what) => Ok(vec![what]),
        Err(why) => Err(why),
    };
    let told = match told {
        Ok(told) => told,
        Err(why) => return Response::Refused(why),
    };
    for what in told {
        show(&what, reporter);
        if reporter.event(Some(run), what).is_none() {
            return Response::Refused("too much waits to be sent to the server".to_owned());
        }
    }
    Response::Done
}

/// A report and its signature, as another report. What is signed is what is sent: secrets are covered by then.
fn signed(what: What, desk: &Desk) -> Result<Vec<What>, String> {
    let What::Report { key, value } = what else { return Ok(vec![what]) };
    if key.len() > report::MAX_KEY {
        return Err(format!("the key of a signed report has at most {} bytes", report::MAX_KEY));
    }
    let (run, bundle) = desk.current.of_bundle().ok_or("no script is running")?;
    let signature = SignedReport { run, bundle, key: &key, value: &value }.sign(&desk.signer);
    let signature = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    let beside = What::Report { key: format!("{key}{}", report::SUFFIX), value: signature };
    Ok(vec![What::Report { key, value }, beside])
}

fn kexec(watchdog_s: u32, reporter: &Reporter, current: &CurrentRun) -> Response {
    if !WATCHDOG.contains(&watchdog_s) {
        let (least, most) = (WATCHDOG.start(), WATCHDOG.end());
        return Response::Refused(format!("the watchdog takes {least} to {most} seconds"));
    }
    current.want_kexec(watchdog_s);
    reporter.console("when the script has succeeded, the kernel that it loaded is started");
    Response::Done
}

fn checked(request: Request, reporter: &Reporter) -> Result<What, String> {
    let short = |text: String| {
        let text = reporter.cover(text);
        if text.len() > MAX_TEXT { Err(format!("longer than {MAX_TEXT} bytes")) } else { Ok(text) }
    };
    match request {
        Request::Progress { percent, .. } if percent > 100 => {
            Err(format!("{percent} is more than 100 percent"))
        }
        Request::Progress { percent, text } => Ok(What::Progress { percent, text: short(text)? }),
        Request::Report { key, value } | Request::SignedReport { key, value } => {
            let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(good) {
                return Err(format!("a key has 1 to {MAX_KEY} letters, digits, '-', '_' and '.'"));
            }
            Ok(What::Report { key, value: short(value)? })
        }
        Request::Log { text } => Ok(What::Line { source: Source::Agent, text: short(text)? }),
        Request::Status
        | Request::Kexec { .. }
        | Request::ConfirmUrl
        | Request::Secret { .. }
        | Request::Console { .. } => Err("not an event".to_owned()),
    }
}

fn show(what: &What, reporter: &Reporter) {
    match what {
        What::Progress { percent, text } => {
            reporter.status(|s| s.progress = Some((*percent, text.clone())));
            reporter.console(&format!("progress: {percent} % {text}"));
        }
        What::Report { key, .. } if key.ends_with(report::SUFFIX) => {}
        What::Report { key, value } => reporter.console(&format!("report: {key}={value}")),
        What::Line { text, .. } => {
            reporter.status(|s| s.push_output(text));
            reporter.console(text);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{identity::Identity, layout::Layout, testing::reporter};
    use tokio::net::UnixStream;
    use xenoboot_bundle::sealed::{Label, seal};
    use xenoboot_wire::{BootId, Digest, FleetId, RunId};

    async fn ask(path: &Path, frame: &[u8]) -> Response {
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(frame).await.unwrap();
        let length = stream.read_u32().await.unwrap();
        let mut body = vec![0; length as usize];
        stream.read_exact(&mut body).await.unwrap();
        decode(&body).unwrap()
    }

    fn frame(request: &Request) -> Vec<u8> {
        let body = encode(request);
        [&(body.len() as u32).to_be_bytes()[..], &body].concat()
    }

    #[tokio::test]
    async fn a_script_is_heard_while_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        let (reporter, current) = (reporter(dir.path()), CurrentRun::default());
        let path = dir.path().join("agent.sock");
        let listener = listen(&path).unwrap();
        let layout = Layout::new(Some(dir.path().join("root").into()));
        layout.prepare().unwrap();
        let identity = Identity::load(&layout).unwrap();
        let fleet = FleetId([9; 16]);
        let secrets = Arc::new(Secrets::new(&identity, fleet).unwrap());
        let site = "[[server]]\nurl = \"https://a:1\"\npins = [\"sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]\n";
        let site = xenoboot_site::Site::parse(site).unwrap();
        let (_slot, server) = crate::server::Server::new();
        let confirmations = Confirmations::new(server, BootId([1; 16]), &site);
        let signer = Arc::new(identity.signing_key().unwrap());
        let desk = Desk {
            reporter: reporter.clone(),
            current: current.clone(),
            secrets,
            confirmations,
            signer,
        };
        tokio::spawn(serve(listener, desk));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // A connection that says nothing keeps nobody else from being heard.
        let _silent = UnixStream::connect(&path).await.unwrap();

        let progress = frame(&Request::Progress { percent: 7, text: "x".into() });
        assert!(
            matches!(ask(&path, &progress).await, Response::Refused(why) if why.contains("no script"))
        );
        current.begin(RunId([3; 16]), Digest([4; 32]), dir.path());
        assert_eq!(ask(&path, &progress).await, Response::Done);
        let report = |key: &str| frame(&Request::Report { key: key.into(), value: "v".into() });
        assert_eq!(ask(&path, &report("disk.sda-1_x")).await, Response::Done);
        for bad in ["", "a b", "a=b", &"k".repeat(65)] {
            assert!(matches!(ask(&path, &report(bad)).await, Response::Refused(_)), "{bad}");
        }
        // A secret is given to those who ask, and covered in what they print.
        let label = Label::new(fleet, "luks").unwrap();
        let sealed = seal(label, b"open sesame", &[identity.machine]).unwrap();
        std::fs::create_dir(dir.path().join("secrets")).unwrap();
        std::fs::write(dir.path().join("secrets/luks"), sealed).unwrap();
        let secret = |name: &str| frame(&Request::Secret { name: name.into() });
        assert!(matches!(ask(&path, &secret("root")).await, Response::Refused(_)));
        let log = frame(&Request::Log { text: "it is open sesame".into() });
        assert_eq!(ask(&path, &log).await, Response::Done);
        let opened = ask(&path, &secret("luks")).await;
        assert_eq!(opened, Response::Secret(Bytes(b"open sesame".to_vec())));
        assert_eq!(ask(&path, &log).await, Response::Done);
        let signed = frame(&Request::SignedReport { key: "disk1".into(), value: "gone".into() });
        assert_eq!(ask(&path, &signed).await, Response::Done);
        let long = Request::SignedReport { key: "k".repeat(61), value: "gone".into() };
        assert!(matches!(ask(&path, &frame(&long)).await, Response::Refused(_)));
        let over = frame(&Request::Progress { percent: 101, text: String::new() });
        assert!(matches!(ask(&path, &over).await, Response::Refused(_)));
        assert!(matches!(ask(&path, &[0xff; 8]).await, Response::Refused(_)));
        assert!(matches!(ask(&path, b"\0\0\0\x03xyz").await, Response::Refused(_)));
        match ask(&path, &frame(&Request::Status)).await {
            Response::Status(text) => assert!(text.contains("phase: "), "{text}"),
            other => panic!("{other:?}"),
        }
        let kexec = |watchdog_s| frame(&Request::Kexec { watchdog_s });
        assert!(matches!(ask(&path, &kexec(9)).await, Response::Refused(_)));
        assert_eq!(current.wants_kexec(), None);
        assert_eq!(ask(&path, &kexec(60)).await, Response::Done);
        assert_eq!(current.wants_kexec(), Some(60));
        current.begin(RunId([3; 16]), Digest([4; 32]), dir.path());
        assert_eq!(current.wants_kexec(), None, "another run wants nothing yet");
        let events = reporter.batch();
        assert_eq!(events.len(), 6);
        let (What::Report { value, .. }, What::Report { key, value: signature }) =
            (&events[4].what, &events[5].what)
        else {
            panic!("{events:?}")
        };
        assert_eq!((value.as_str(), key.as_str()), ("gone", "disk1.sig"));
        let signature: Vec<u8> = (0..64)
            .map(|at| u8::from_str_radix(&signature[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let (run, bundle) = (RunId([3; 16]), Digest([4; 32]));
        let report = SignedReport { run, bundle, key: "disk1", value };
        assert_eq!(report.verify(identity.machine, &signature), Ok(()));
        let line = |text: &str| What::Line { source: Source::Agent, text: text.to_owned() };
        assert_eq!(events[2].what, line("it is open sesame"), "nobody had asked for it yet");
        assert_eq!(events[3].what, line("it is [secret]"));
        assert!(events.iter().all(|e| e.run == Some(RunId([3; 16]))));
        assert_eq!(events[0].what, What::Progress { percent: 7, text: "x".into() });
    }
}
