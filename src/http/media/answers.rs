//! Answers with a file, or without one.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::http::avatar_cache::KeptFile;
use crate::http::outgoing::SharedBytes;
use crate::media::storage::StorageError;

/// Why there is no file.
pub(super) enum Failure {
    NotFound,
    Method(Method),
    Storage(StorageError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Name(_) => Self::NotFound,
            StorageError::Unavailable(_) => Self::Storage(error),
        }
    }
}

/// What a request wants of a file.
pub(super) struct WantedFile<'a> {
    pub(super) is_head: bool,
    pub(super) headers: &'a HeaderMap,
}

impl WantedFile<'_> {
    /// Answers with a file that never changes. One that the cache keeps is in memory anyway, so it does not count.
    pub(super) fn immutable(&self, kept: &KeptFile, is_in_memory: bool) -> Response {
        let mut response = match self.has(&kept.tag) {
            true => not_modified(),
            false => {
                let body = if self.is_head { Body::empty() } else { Body::from(kept.content.clone()) };
                let mut response = Response::new(body);
                if self.is_head {
                    response.headers_mut().insert(CONTENT_LENGTH, kept.content.len().into());
                }
                response
            }
        };
        let is_whole = response.status() == StatusCode::OK;
        for (name, value) in kept.headers(is_whole) {
            response.headers_mut().insert(name, value.clone());
        }
        if is_in_memory {
            response.extensions_mut().insert(SharedBytes);
        }
        response
    }

    /// Whether the client has the file with this tag already (RFC 9110, section 13.1.2).
    pub(super) fn has(&self, tag: &HeaderValue) -> bool {
        let lines = self.headers.get_all(IF_NONE_MATCH).iter();
        lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).any(|item| {
            let item = item.trim_ascii();
            item == b"*" || item.strip_prefix(b"W/").unwrap_or(item) == tag.as_bytes()
        })
    }
}

pub(super) fn not_modified() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        let tag = HeaderValue::from_static("\"a\"");
        let has = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(IF_NONE_MATCH, HeaderValue::from_static(line));
            }
            WantedFile { is_head: false, headers: &headers }.has(&tag)
        };
        for lines in [&["\"a\""][..], &["W/\"a\""], &["\"b\", \"a\""], &["\"b\"", "W/\"a\""], &["*"]] {
            assert!(has(lines), "{lines:?}");
        }
        for lines in [&[][..], &["\"b\""], &["a"], &["\"A\""], &["w/\"a\""]] {
            assert!(!has(lines), "{lines:?}");
        }
    }
}
