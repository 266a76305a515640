//! A web server of one folder that can be told to misbehave.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]
#![allow(dead_code, reason = "not every test needs everything")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

/// How it answers one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// As it should.
    File,
    /// With one bit changed.
    Flipped,
    /// With so many bytes of the file, and then the connection ends.
    Cut(usize),
    /// With a file that lacks its end, as if that were all.
    Short,
    /// With a file that does not end.
    Long,
    /// With this status.
    Status(u16),
    /// Not at all.
    Silence,
}

/// Says how to answer: the path that was asked for, and how many of its sort (ending) there were before.
type Rule = dyn Fn(&str, usize) -> Reply + Send + Sync;

#[derive(Default)]
struct Log {
    asked: Vec<String>,
    connections: usize,
}

pub(crate) struct Server {
    port: u16,
    log: Arc<Mutex<Log>>,
}

impl Server {
    pub(crate) fn start(
        folder: PathBuf,
        rule: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Log::default()));
        let (rule, logs): (Arc<Rule>, _) = (Arc::new(rule), Arc::clone(&log));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (folder, rule, log) = (folder.clone(), Arc::clone(&rule), Arc::clone(&logs));
                log.lock().unwrap().connections += 1;
                // A client that ends early is no failure of the server.
                thread::spawn(move || drop(serve(stream.unwrap(), &folder, &*rule, &log)));
            }
        });
        Self { port, log }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// How many files with this ending were asked for.
    pub(crate) fn asked(&self, ending: &str) -> usize {
        self.log.lock().unwrap().asked.iter().filter(|name| name.ends_with(ending)).count()
    }

    pub(crate) fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }
}

fn ending(name: &str) -> &str {
    name.rsplit('.').next().unwrap()
}

fn serve(
    mut stream: TcpStream,
    folder: &Path,
    rule: &Rule,
    log: &Mutex<Log>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut line, mut first, mut from) = (String::new(), String::new(), None);
        while reader.read_line(&mut line)? > 2 {
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some(range) = line.strip_prefix("Range: bytes=") {
                from = range.trim().strip_suffix('-').and_then(|from| from.parse::<usize>().ok());
            }
            line.clear();
        }
        let Some(name) = first.split(' ').nth(1) else { return Ok(()) };
        let name = name.trim_start_matches('/').to_owned();
        let count = {
            let mut log = log.lock().unwrap();
            let same = |other: &&String| ending(other) == ending(&name);
            let count = log.asked.iter().filter(same).count();
            log.asked.push(name.clone());
            count
        };
        let whole = fs::read(folder.join(&name));
        let reply = match (&whole, rule(&name, count)) {
            (Err(_), _) => Reply::Status(404),
            (Ok(_), reply) => reply,
        };
        let mut bytes = whole.unwrap_or_default();
        let length = bytes.len();
        let mut status = "200 OK".to_owned();
        if let Some(from) = from {
            status = format!("206 Part\r\nContent-Range: bytes {from}-{}/{length}", length - 1);
            bytes.drain(..from);
        }
        let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", bytes.len());
        let mut ends = false;
        match reply {
            Reply::File => {}
            Reply::Flipped => bytes[length / 2] ^= 1,
            Reply::Cut(length) => {
                bytes.truncate(length);
                ends = true;
            }
            Reply::Short => {
                bytes.pop();
                head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
            }
            Reply::Long => {
                head = "HTTP/1.1 200 OK\r\n\r\n".into();
                bytes.extend(vec![0; 1 << 20]);
                ends = true;
            }
            Reply::Status(status) => {
                head = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
                bytes.clear();
            }
            Reply::Silence => {
                reader.read_line(&mut line)?;
                return Ok(());
            }
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(&bytes)?;
        if ends {
            return Ok(());
        }
    }
}
