//! A web server of static files.

use anyhow::{Context, Result};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// A web server of static files on the loopback.
pub struct Web {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    hold_after: Arc<AtomicUsize>,
}

impl Web {
    /// Serves the files of a folder.
    pub fn start(folder: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (asked, hold_after) = (Arc::default(), Arc::new(AtomicUsize::new(usize::MAX)));
        let web = Self { address, asked: Arc::clone(&asked), hold_after: Arc::clone(&hold_after) };
        let folder = folder.to_path_buf();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (folder, asked) = (folder.clone(), Arc::clone(&asked));
                let hold_after = Arc::clone(&hold_after);
                thread::spawn(move || {
                    let number = asked.fetch_add(1, Relaxed);
                    while number >= hold_after.load(Relaxed) {
                        thread::sleep(Duration::from_millis(50));
                    }
                    // A machine that is gone needs no answer.
                    let _ = answer(stream, &folder);
                });
            }
        });
        Ok(web)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many files were asked for.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }

    /// After so many files no more are given, until it is set again.
    pub fn hold_after(&self, files: usize) {
        self.hold_after.store(files, Relaxed);
    }
}

fn answer(mut stream: TcpStream, folder: &Path) -> Result<()> {
    let mut request = BufReader::new(stream.try_clone()?).lines();
    let first = request.next().context("no request")??;
    while request.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let path = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match fs::read(folder.join(path)) {
        Ok(body) if !path.contains("..") => ("200 OK", body),
        _ => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    Ok(stream.write_all(&body)?)
}
