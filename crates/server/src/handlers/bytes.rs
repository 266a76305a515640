//! Answers made of a blob: `Range`, `ETag`, conditions (RFC 9110, sections 13 and 14).

use crate::{blobs::Blobs, problem::Problem};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, Response, StatusCode, header},
};
use std::ops::Range;
use xenoboot_wire::Digest;

/// Which part of a file an answer has.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// One range of it.
    Range(Range<u64>),
    /// None of what was asked for is there.
    Unsatisfiable,
}

/// The blob of `digest`, or the part of it that was asked for.
pub(super) async fn serve(
    blobs: &Blobs,
    digest: &Digest,
    headers: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    let Some(blob) = blobs.open_blob(digest).await? else {
        return Err(Problem::missing(format!("{digest} is not on the server")));
    };
    let size = blob.size;
    let etag = format!("\"{digest}\"");
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let response = Response::builder()
        .header(header::ETAG, &etag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_TYPE, "application/octet-stream");
    let answer = |built: Result<Response<Body>, _>| {
        built.map_err(|e: axum::http::Error| Problem::internal(&e))
    };
    if header(header::IF_NONE_MATCH).is_some_and(|tags| matches_any(tags, &etag)) {
        return answer(response.status(StatusCode::NOT_MODIFIED).body(Body::empty()));
    }
    // What has a digest for its name never changes, so that If-Range fails only for another tag, or a date.
    let same = header(header::IF_RANGE).is_none_or(|tag| tag == etag);
    let part =
        header(header::RANGE).filter(|_| same).map_or(Part::Whole, |range| parse(range, size));
    let (response, range) = match part {
        Part::Whole => (response.status(StatusCode::OK), 0..size),
        Part::Range(range) => {
            let shown = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            (
                response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, shown),
                range,
            )
        }
        Part::Unsatisfiable => {
            let response = response.status(StatusCode::RANGE_NOT_SATISFIABLE);
            let response = response.header(header::CONTENT_RANGE, format!("bytes */{size}"));
            return answer(response.body(Body::empty()));
        }
    };
    let length = range.end - range.start;
    let body = blob.body(range).await?;
    answer(response.header(header::CONTENT_LENGTH, length).body(body))
}

fn matches_any(tags: &str, etag: &str) -> bool {
    tags.trim() == "*" || tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)
}

/// A `Range` header. What is no range of bytes, or more than one, is as if it were not there.
fn parse(text: &str, size: u64) -> Part {
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // Past the range of numbers is past the end.
        plain.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let Some((first, last)) =
        text.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'))
    else {
        return Part::Whole;
    };
    let range = match (number(first), number(last)) {
        (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
        (Some(first), None) if last.is_empty() => first..size,
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        _ => return Part::Whole,
    };
    if range.is_empty() { Part::Unsatisfiable } else { Part::Range(range) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        for (text, part) in [
            ("bytes=0-", Part::Range(0..100)),
            ("bytes=0-0", Part::Range(0..1)),
            ("bytes=10-19", Part::Range(10..20)),
            ("bytes=90-1000", Part::Range(90..100)),
            ("bytes=99999999999999999999999-", Part::Unsatisfiable),
            ("bytes=0-99999999999999999999999", Part::Range(0..100)),
            ("bytes=-10", Part::Range(90..100)),
            ("bytes=-1000", Part::Range(0..100)),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=100-", Part::Unsatisfiable),
            ("bytes=20-10", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=0-1", Part::Whole),
        ] {
            assert_eq!(parse(text, 100), part, "{text}");
        }
        assert_eq!(parse("bytes=0-", 0), Part::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_range_is_within_the_file(text in "(bytes=)?[0-9]{0,25}-?[0-9]{0,25},?", size in any::<u64>()) {
            if let Part::Range(range) = parse(&text, size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
