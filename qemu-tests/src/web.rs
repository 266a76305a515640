//! A web server of static files on the loopback: HTTP/1.1, connections kept alive.

use anyhow::{Context, Result};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// A running server. It ends with the process.
pub struct Web {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    hold_after: Arc<AtomicUsize>,
}

impl Web {
    /// Serves the files in `folder`.
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
                    let wait = || {
                        let number = asked.fetch_add(1, Relaxed);
                        while number >= hold_after.load(Relaxed) {
                            thread::sleep(Duration::from_millis(50));
                        }
                    };
                    // A machine that is gone needs no answer.
                    let _ = answer(stream, &folder, &wait);
                });
            }
        });
        Ok(web)
    }

    /// A file's address for a machine on QEMU's own network.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("http://10.0.2.2:{}/{name}", self.address.port())
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

fn answer(mut stream: TcpStream, folder: &Path, wait: &dyn Fn()) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream.try_clone()?).lines();
    loop {
        let Some(first) = requests.next() else { return Ok(()) };
        let first = first?;
        while requests.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        wait();
        let path = first.split(' ').nth(1).context("no path")?.trim_start_matches('/');
        match File::open(folder.join(path)) {
            Ok(mut file) if !path.contains("..") => {
                let length = file.metadata()?.len();
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")?;
                io::copy(&mut file, &mut stream)?;
            }
            _ => write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?,
        }
    }
}
