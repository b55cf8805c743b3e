//! The express lane of uploaded avatars: answers `GET` and `HEAD` of one that is in memory, before a parser reads the
//! request. Everything else goes the common way, which gives the same answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;
use prometheus_client::metrics::counter::Counter;

use super::FastPathMiss;
use super::answer::{Date, push, push_decimal};
use super::head::Head;
use super::text;
use crate::config::AccessLog;
use crate::http::app::App;
use crate::http::avatar_cache::KeptFile;
use crate::http::headers::{SECURE, secure_lines};
use crate::http::media::ROUTE;
use crate::http::request_log::{InFlight, given_id, note_unreadable_client};
use crate::http::site::{BaseUrl, nearest};
use crate::media::storage::{AVATARS, AvatarFile};
use crate::server::{Express, Peer};
use crate::telemetry::{Metrics, RequestLabels};

/// The longest target after the path of avatars: hash, extension and query.
const LONGEST: usize = 96;
/// Room for the head of any answer, without the parts that a client may make long.
const HEAD_BYTES: usize = 1024;
/// The largest file that is copied into the buffer of its connection, in bytes. A client that reads slowly holds the copy; of a
/// larger file, the common way sends the one copy that is in memory.
const COPIED_MAX: usize = 32 * 1024;

/// What is the same for every answer, made once.
pub(in crate::http) struct PreparedMedia {
    /// The path of uploaded avatars, with a slash at its end.
    path: Vec<u8>,
    /// The security headers, without and with TLS.
    secure: [Vec<u8>; 2],
    date: Date,
    /// Counts answers: whole ones by `GET` and `HEAD`, then those without the file.
    answered: [[Counter; 2]; 2],
}

/// A request for an avatar.
struct AvatarRequest<'a> {
    file: AvatarFile<'a>,
    is_head: bool,
    head: Head<'a>,
    /// The tag that the client has.
    tag: Option<&'a [u8]>,
}

impl PreparedMedia {
    pub(in crate::http) fn new(metrics: &Metrics, media_path: &str, hsts: Option<&HeaderValue>) -> Self {
        let policy = format!("{CONTENT_SECURITY_POLICY}: ");
        let secure = [None, hsts].map(|hsts| {
            let lines = secure_lines(hsts);
            // A media file has a policy of its own.
            let lines = lines.split_inclusive("\r\n").filter(|line| !line.starts_with(&policy));
            lines.collect::<String>().into_bytes()
        });
        debug_assert!(SECURE.iter().any(|(name, _)| *name == CONTENT_SECURITY_POLICY));
        let answered = [200, 304].map(|status| {
            ["GET", "HEAD"].map(|method| {
                metrics.requests.get_or_create_owned(&RequestLabels {
                    route: ROUTE.to_owned(),
                    method,
                    status,
                })
            })
        });
        let path = format!("{media_path}{AVATARS}/").into_bytes();
        Self { path, secure, date: Date::default(), answered }
    }

    /// Reads a request in the usual form.
    fn read<'a>(&self, bytes: &'a [u8]) -> Option<AvatarRequest<'a>> {
        let (is_head, rest) = match bytes.strip_prefix(b"GET ") {
            Some(rest) => (false, rest),
            None => (true, bytes.strip_prefix(b"HEAD ")?),
        };
        let rest = rest.strip_prefix(self.path.as_slice())?;
        let end = rest.iter().take(LONGEST).position(|byte| *byte == b' ')?;
        let (target, rest) = rest.split_at_checked(end)?;
        let file = target_of(target)?;
        let rest = rest.strip_prefix(b" HTTP/1.1\r\n")?;
        let mut tag = None;
        let head = Head::lines(rest, bytes.len(), |name, value| {
            let is_tag = name.len() == 13 && name.eq_ignore_ascii_case(b"if-none-match");
            // A second one is left to the common way.
            if is_tag && tag.replace(value).is_some() { None } else { Some(()) }
        })?;
        Some(AvatarRequest { file, is_head, head, tag })
    }

    /// Answers the message that `bytes` begin with, if it is a usual request for an avatar that is in memory.
    pub(in crate::http) fn serve(
        &self,
        app: &App,
        peer: Peer,
        bytes: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Express<FastPathMiss> {
        let Some(wanted) = self.read(bytes) else { return Express::NotMine };
        let started = Instant::now();
        let before = out.len();
        let work = || self.answer(app, peer, &wanted, (started, last), out);
        if let Ok(Some(last)) = catch_unwind(AssertUnwindSafe(work)) {
            app.metrics().durations.0.observe(started.elapsed().as_secs_f64());
            return Express::Answered { length: wanted.head.length, last };
        }
        // After a panic, the common way finds out what is wrong.
        out.truncate(before);
        Express::NotMine
    }

    /// Writes the answer and returns whether the connection closes with it.
    fn answer(
        &self,
        app: &App,
        peer: Peer,
        wanted: &AvatarRequest<'_>,
        (started, last): (Instant, bool),
        out: &mut Vec<u8>,
    ) -> Option<bool> {
        let (head, settings) = (&wanted.head, app.settings());
        if settings.access_log == AccessLog::All {
            return None;
        }
        let host = text(Some(head.host))?;
        let base =
            BaseUrl::of(Some(host), head.forwarded_proto, &settings.site, peer.address, peer.tls).ok()?;
        if !base.is_scheme_known() {
            return None;
        }
        let kept = app.avatars().kept(wanted.file, started)?;
        let is_whole = match wanted.tag {
            None => true,
            Some(tag) if tag == kept.tag.as_bytes() => false,
            // A list, a weak tag, or one that is old.
            Some(_) => return None,
        };
        if is_whole && !wanted.is_head && kept.content.len() > COPIED_MAX {
            return None;
        }
        let _in_flight = InFlight::new(&app.metrics().in_flight);
        let last = last || head.close;
        self.write(app, peer, wanted, (&kept, is_whole, last), out);
        let [whole, unmodified] = &self.answered;
        let [get, by_head] = if is_whole { whole } else { unmodified };
        if wanted.is_head {
            by_head.inc()
        } else {
            get.inc()
        };
        if let Some(forwarded_for) = head.forwarded_for {
            note_unreadable_client(app, nearest(forwarded_for, &settings.site, peer.address));
        }
        Some(last)
    }

    fn write(
        &self,
        app: &App,
        peer: Peer,
        wanted: &AvatarRequest<'_>,
        (kept, is_whole, last): (&Arc<KeptFile>, bool, bool),
        out: &mut Vec<u8>,
    ) {
        let content: &[u8] = if is_whole && !wanted.is_head { &kept.content } else { b"" };
        out.reserve(HEAD_BYTES + content.len());
        let (status, lines): (&[u8], _) = match is_whole {
            true => (b"HTTP/1.1 200 OK\r\n", &kept.whole_lines),
            false => (b"HTTP/1.1 304 Not Modified\r\n", &kept.unmodified_lines),
        };
        let [secure, secure_tls] = &self.secure;
        push(out, &[status, lines, if peer.tls { secure_tls } else { secure }, b"x-request-id: "]);
        match given_id(app, peer, text(wanted.head.request_id)) {
            Some(id) => out.extend_from_slice(id.as_bytes()),
            None => app.directory().clock().write_request_id(out),
        }
        out.extend_from_slice(b"\r\n");
        if last {
            out.extend_from_slice(b"connection: close\r\n");
        }
        if is_whole {
            out.extend_from_slice(b"content-length: ");
            push_decimal(out, kept.content.len());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"date: ");
        self.date.push(app.directory().clock().now(), out);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(content);
    }
}

/// Reads `HASH.EXT` and `HASH.EXT?size=SIZE`.
fn target_of(target: &[u8]) -> Option<AvatarFile<'_>> {
    let target = std::str::from_utf8(target).ok()?;
    let (file, size) = match target.split_once('?') {
        Some((file, query)) => (file, Some(AvatarFile::size_of(query.strip_prefix("size=")?)?)),
        None => (target, None),
    };
    let file = AvatarFile::parse_file(file)?;
    match (file.size, size) {
        (Some(_), Some(_)) => None,
        (own, asked) => Some(AvatarFile { size: own.or(asked), ..file }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef";

    fn prepared() -> PreparedMedia {
        PreparedMedia::new(&Metrics::default(), "/media/", None)
    }

    #[test]
    fn usual_requests_are_read() {
        let prepared = prepared();
        for (target, size) in [("", None), ("?size=64", Some(64))] {
            for method in ["GET", "HEAD"] {
                let text = format!(
                    "{method} /media/users/avatars/{HASH}.jpg{target} HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"a\"\r\n\r\n"
                );
                let wanted = prepared.read(text.as_bytes()).unwrap();
                assert_eq!((wanted.file.hash, wanted.file.size), (HASH, size));
                assert_eq!((wanted.head.length, wanted.is_head), (text.len(), method == "HEAD"));
                assert_eq!(wanted.tag, Some(&b"\"a\""[..]));
                assert!((0..text.len()).all(|end| prepared.read(&text.as_bytes()[..end]).is_none()));
            }
        }
    }

    #[test]
    fn whatever_is_unusual_is_left_to_the_common_way() {
        let prepared = prepared();
        let path = format!("/media/users/avatars/{HASH}.jpg");
        for (line, headers) in [
            (format!("GET {path} HTTP/1.0"), ""),
            (format!("POST {path} HTTP/1.1"), ""),
            (format!("GET {path}? HTTP/1.1"), ""),
            (format!("GET {path}?size=65 HTTP/1.1"), ""),
            (format!("GET {path}?size=64&v=1 HTTP/1.1"), ""),
            (format!("GET {path}/ HTTP/1.1"), ""),
            (format!("GET /media/users/avatars/{HASH}.64.jpg?size=64 HTTP/1.1"), ""),
            (format!("GET /media/users/avatars/%30{HASH}.jpg HTTP/1.1"), ""),
            (format!("GET /media/users/avatars/../avatars/{HASH}.jpg HTTP/1.1"), ""),
            ("GET /media/avatars/alex_profile.jpg HTTP/1.1".to_owned(), ""),
            ("GET /api/users/me HTTP/1.1".to_owned(), ""),
            (format!("GET {path} HTTP/1.1"), "Content-Length: 0\r\n"),
            (format!("GET {path} HTTP/1.1"), "Host: y\r\n"),
            (format!("GET {path} HTTP/1.1"), "If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n"),
        ] {
            let text = format!("{line}\r\nHost: x\r\n{headers}\r\n");
            assert!(prepared.read(text.as_bytes()).is_none(), "{text}");
        }
        assert!(prepared.read(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).is_none(), "no Host");
    }
}
