//! The dashboard in a browser: Chromium without a window, driven through chromedriver.

use crate::{
    client::{Machine, SOON, TestServer, event},
    dashboard::HOSTILE,
};
use fantoccini::{Client, ClientBuilder, Locator, wd::TimeoutConfiguration};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::time::sleep;
use xenoboot_wire::{
    RunId,
    event::{Source, What},
};

/// The size of a window on a desk, and what makes it light or dark.
pub(crate) const SIZE: &str = "--window-size=1280,1000";
pub(crate) const TONES: [(&str, &str); 2] = [
    ("light", "--blink-settings=preferredColorScheme=1"),
    ("dark", "--blink-settings=preferredColorScheme=0"),
];

/// A desk and a telephone: the size of the window, and what the browser plays.
pub(crate) fn devices() -> [(&'static str, &'static str, Value); 2] {
    let metrics = json!({ "width": 390, "height": 844, "pixelRatio": 2.0 });
    let phone = json!({ "deviceMetrics": metrics });
    [("desk", SIZE, Value::Null), ("phone", "--window-size=600,900", phone)]
}

/// chromedriver, which ends with its browsers when dropped.
pub(crate) struct Driver {
    child: Child,
    url: String,
    profile: TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Driver {
    pub(crate) fn start() -> Self {
        let mut command = Command::new("chromedriver");
        let mut child = command
            .args(["--port=0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("no chromedriver: Debian's package chromium-driver, or `cargo xtask test`");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map(Result::unwrap).find_map(|line| {
            let port = line.split_once("successfully on port ")?.1;
            Some(port.trim_end_matches('.').to_owned())
        });
        // What it says later is read by nobody, but must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        let url = format!("http://127.0.0.1:{}", port.expect("chromedriver does not start"));
        Self { child, url, profile: tempfile::tempdir().unwrap() }
    }

    /// A browser; `looks` are options of its own.
    pub(crate) async fn browser(&self, name: &str, looks: &[&str], device: Value) -> Client {
        let profile = format!("--user-data-dir={}", self.profile.path().join(name).display());
        let mut args = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            &profile,
        ];
        args.extend(looks);
        let mut options = json!({ "args": args });
        if !device.is_null() {
            options["mobileEmulation"] = device;
        }
        let wanted = json!({ "acceptInsecureCerts": true, "goog:chromeOptions": options });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(wanted.as_object().unwrap().clone());
        let client = builder.connect(&self.url).await.expect("no browser");
        let limits = TimeoutConfiguration::new(Some(SOON), Some(SOON), None);
        client.update_timeouts(limits).await.unwrap();
        client
    }
}

/// Waits until the script says yes.
pub(crate) async fn until(client: &Client, script: &str) {
    let begun = Instant::now();
    while client.execute(&format!("return !!({script})"), Vec::new()).await.ok()
        != Some(json!(true))
    {
        if begun.elapsed() > SOON {
            panic!("not so: {script}\n{}", client.source().await.unwrap_or_default());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// The page may be replaced between finding and clicking: then again.
pub(crate) async fn click(client: &Client, css: &str) {
    let begun = Instant::now();
    loop {
        let clicked = async { client.find(Locator::Css(css)).await?.click().await };
        match clicked.await {
            Ok(()) => return,
            Err(error) => assert!(begun.elapsed() < SOON, "{css}: {error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn log_in(client: &Client, server: &TestServer) {
    client.goto(&format!("https://{}/", server.address)).await.unwrap();
    let token = client.find(Locator::Css("#token")).await.unwrap();
    token.send_keys(server.token()).await.unwrap();
    click(client, ".login button").await;
    until(client, "document.querySelector('#counts')").await;
}

const RUN: Option<RunId> = Some(RunId([7; 16]));

/// A machine in the middle of a run, which says things.
async fn at_work(server: &TestServer) -> Machine {
    let digest = server.push("hello", 1).await;
    let machine = server.approved("cupboard").await;
    machine.boot().await;
    let phase = |name: &str| What::Phase { name: name.into() };
    let line = |source, text: &str| What::Line { source, text: text.into() };
    let said = [
        phase("network"),
        phase("contact"),
        phase("verify"),
        phase("fetch"),
        phase("run"),
        What::RunStarted { bundle: digest, name: "hello".into(), serial: 1, generation: None },
        line(Source::Stdout, "checking /dev/sda2"),
        line(Source::Stderr, HOSTILE),
        What::Progress { percent: 40, text: "copying".into() },
    ];
    let events = said.into_iter().enumerate().map(|(n, what)| {
        let mut event = event(n as u64 + 1, (n >= 5).then_some(RUN).flatten(), what);
        event.at_ms = 900 + 350 * (n as u64).pow(2);
        event
    });
    machine.events(events.collect()).await.unwrap();
    machine
}

#[tokio::test]
async fn a_person_follows_a_machine_and_acts_on_it() {
    let server = TestServer::start().await;
    let machine = at_work(&server).await;
    let driver = Driver::start();
    let client = driver.browser("one", &["--window-size=1280,900"], Value::Null).await;
    log_in(&client, &server).await;
    let hidden = client.execute("return document.cookie", Vec::new()).await.unwrap();
    assert_eq!(hidden, "", "scripts cannot read the cookie");
    click(&client, "a.name[href$='/cupboard']").await;
    until(&client, "document.querySelector('#log p[data-kind=err]')").await;

    // What the machine says is text, even where it looks like a page.
    let shown = "return document.querySelector('#log p[data-kind=err]').textContent";
    let shown = client.execute(shown, Vec::new()).await.unwrap().to_string();
    assert!(shown.contains("<script>document.title='owned'</script><img src=x"), "{shown}");
    assert!(client.title().await.unwrap().starts_with("cupboard"));
    until(&client, "!document.querySelector('main img, main script')").await;

    // More of it comes without loading the page again, and so does what follows from it.
    client.execute("window.loadedOnce = true", Vec::new()).await.unwrap();
    until(&client, "document.querySelector('#top progress')?.value === 40").await;
    let line = What::Line { source: Source::Stdout, text: "and on it goes".into() };
    let progress = What::Progress { percent: 75, text: "nearly".into() };
    machine.events(vec![event(10, RUN, line), event(11, RUN, progress)]).await.unwrap();
    until(&client, "document.querySelector('#log').textContent.includes('and on it goes')").await;
    until(&client, "document.querySelector('#top progress')?.value === 75").await;
    until(&client, "window.loadedOnce").await;

    // A form whose token is not ours does nothing; one of ours does.
    let assigned = async || server.get("machines/cupboard").await.unwrap()["assigned"].clone();
    client
        .execute("document.querySelector('#acts input[name=csrf]').value = 'x'", Vec::new())
        .await
        .unwrap();
    click(&client, "#acts option[value=hello]").await;
    click(&client, "#acts button").await;
    until(&client, "document.querySelector('.wrong')?.textContent.includes('not of a page')").await;
    assert!(assigned().await.is_null());
    client.goto(&format!("https://{}/ui/machines/cupboard", server.address)).await.unwrap();
    click(&client, "#acts option[value=hello]").await;
    click(&client, "#acts button").await;
    until(&client, "document.querySelector('#top').textContent.includes('its own')").await;
    assert_eq!(assigned().await["name"], "hello");
    if let Some(folder) = std::env::var_os("XENOBOOT_PICTURES") {
        pictures(&driver, &server, Path::new(&folder)).await;
    }
    client.close().await.unwrap();
}

/// Pictures of the pages for a person to look at, on a desk and on a telephone, light and dark.
async fn pictures(driver: &Driver, server: &TestServer, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let waiting = server.machine().await;
    waiting.boot_as(Some("attic")).await;
    for n in 0..60 {
        let expect = json!({ "key": format!("{:064x}", n + 1), "name": format!("rack-{n:02}"), "groups": ["front"] });
        server.post("machines", expect).await.unwrap();
    }
    for (kind, size, device) in devices() {
        for (tone, scheme) in TONES {
            let name = format!("{kind}-{tone}");
            let client = driver.browser(&name, &[size, scheme], device.clone()).await;
            log_in(&client, server).await;
            let run = format!("/ui/runs/{}", "07".repeat(16));
            let bundle = "/ui/bundles/hello";
            for (name, path) in [
                ("fleet", "/ui"),
                ("machine", "/ui/machines/cupboard"),
                ("run", &run),
                ("bundle", bundle),
                ("audit", "/ui/audit"),
            ] {
                client.goto(&format!("https://{}{path}", server.address)).await.unwrap();
                let picture = client.screenshot().await.unwrap();
                std::fs::write(folder.join(format!("{name}-{kind}-{tone}.png")), picture).unwrap();
            }
            client.close().await.unwrap();
        }
    }
}
