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
