use super::*;
use futures_util::{StreamExt as _, stream};
use http_body_util::StreamBody;
use hyper::{body::Frame, server::conn::http2, service::service_fn};
use std::{convert::Infallible, io};
use xenoboot_wire::event::EventAck;

/// A server on a pipe that answers every request like this: so many bytes, then silence or the end.
async fn server(status: u16, body: &'static [u8], silent: bool) -> Connection {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let answer = move |_| async move {
        let data = stream::iter([Ok::<_, io::Error>(Frame::data(Bytes::from_static(body)))]);
        let end = stream::once(async move {
            if silent {
                std::future::pending::<()>().await;
            }
            Ok(Frame::data(Bytes::new()))
        });
        let response = Response::builder().status(status).header("retry-after", "7");
        Ok::<_, Infallible>(response.body(StreamBody::new(data.chain(end))).unwrap())
    };
    tokio::spawn(async move {
        let _ = http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(theirs), service_fn(answer))
            .await;
    });
    Connection::open(ours, "boot.example.org:7443", "boot.example.org").await.unwrap()
}

async fn post(connection: &Connection) -> Result<EventAck, Failure> {
    connection.post("/x", &EventAck { through: 1 }, STALL).await
}

#[tokio::test(start_paused = true)]
async fn silence_in_the_middle_of_an_answer_is_a_stall_and_ends_the_connection() {
    let connection = server(200, b"\xa1", true).await;
    let began = tokio::time::Instant::now();
    let failure = post(&connection).await.unwrap_err();
    assert_eq!(failure.code, Code::Stalled, "{failure}");
    assert!(failure.cause.contains("no byte came for 15 s"), "{failure}");
    assert!(began.elapsed() >= STALL && began.elapsed() < 2 * STALL);
    assert_eq!(connection.gone().await, "it was given up");
}

#[tokio::test]
async fn an_answer_that_is_no_message_is_refused() {
    for body in [&b"\xff\xff"[..], b"", b"\xa1\x67through\x01\x00"] {
        let failure = post(&server(200, body, false).await).await.unwrap_err();
        assert_eq!(failure.code, Code::BadAnswer, "{failure}");
    }
    assert_eq!(post(&server(200, b"\xa1\x67through\x01", false).await).await.unwrap().through, 1);
}

#[tokio::test]
async fn an_answer_is_bounded() {
    static LARGE: [u8; MAX_MESSAGE + 1] = [0; MAX_MESSAGE + 1];
    let failure = post(&server(200, &LARGE, false).await).await.unwrap_err();
    assert_eq!(failure.code, Code::BadAnswer);
    assert!(failure.cause.contains("more than"), "{failure}");
}

#[tokio::test]
async fn a_refusal_says_why_and_when_to_come_back() {
    let failure = post(&server(503, b"too many machines\n", false).await).await.unwrap_err();
    assert_eq!(failure.code, Code::ServerError);
    assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
    assert!(
        failure.cause.contains("503") && failure.cause.contains("too many machines"),
        "{failure}"
    );
    let missing = server(404, b"", false).await.get("/machine/v1/blob/x", 0).await.unwrap_err();
    assert_eq!(missing.code, Code::BlobMissing);
}

/// What TLS 1.3 adds to each record: header, content type and tag (RFC 8446, section 5.2).
const RECORD: usize = 5 + 1 + 16;

/// Carries bytes and counts them, as they would be within TLS.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    counted: std::sync::Arc<std::sync::atomic::AtomicUsize>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut buffer = vec![0; 1 << 14];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        counted.fetch_add(count + RECORD, std::sync::atomic::Ordering::Relaxed);
        to.write_all(&buffer[..count]).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_waits_costs_less_than_100_bytes_a_minute_and_a_dead_path_is_noticed() {
    let counted = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
    let (ours, near) = tokio::io::duplex(1 << 16);
    let (far, theirs) = tokio::io::duplex(1 << 16);
    let ((near_read, near_write), (far_read, far_write)) =
        (tokio::io::split(near), tokio::io::split(far));
    let there = tokio::spawn(carry(near_read, far_write, counted.clone()));
    tokio::spawn(carry(far_read, near_write, counted.clone()));
    tokio::spawn(async move {
        let never = |_| std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>();
        let mut server = http2::Builder::new(TokioExecutor::new());
        // As the server's own.
        server.timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(120));
        let _ = server.serve_connection(TokioIo::new(theirs), service_fn(never)).await;
    });
    let connection = Connection::open(ours, "boot.example.org:7443", "it").await.unwrap();
    let connection = std::sync::Arc::new(connection);
    // A wait and an open door.
    let (wait, door) = (connection.clone(), connection.clone());
    let waiting = EventAck { through: 1 };
    tokio::spawn(async move {
        wait.post::<EventAck>("/wait", &waiting, Duration::from_secs(3600)).await
    });
    tokio::spawn(async move { door.await_call("/console").await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = counted.load(std::sync::atomic::Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1800)).await;
    let after = counted.load(std::sync::atomic::Ordering::Relaxed);
    let a_minute = (after - before) / 30;
    assert!((1..100).contains(&a_minute), "{a_minute} bytes a minute");
    // The path takes nothing any more: a ping without an answer says so.
    there.abort();
    let began = tokio::time::Instant::now();
    connection.gone().await;
    assert!(began.elapsed() <= PING + PONG + Duration::from_secs(1), "{:?}", began.elapsed());
}
