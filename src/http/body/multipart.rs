//! Parses multipart forms (RFC 7578) into names, texts and one file, as they arrive.
//!
//! A file is kept only in the field that takes one, in one buffer, and counts in the memory budget while it arrives.
//! Files in other fields are counted and thrown away: their fields refuse them.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};

use super::arrival::unreadable_body;
use super::bounds::{PAIRS_MAX, too_many_pairs};
use super::charsets::{latin1, named_charset};
use super::file::UploadedFile;
use super::form::{Pair, PairValue};
use crate::directory::model::ValidationErrors;
use crate::http::error::ApiError;
use crate::http::text::Charset;
use crate::server::memory::MemoryShare;

/// The longest boundary (RFC 2046, section 5.1.1), in characters.
const BOUNDARY_MAX: usize = 70;
/// The most bytes that are read without reaching the next part or its content: the headers of a part.
const HEADERS_MAX: usize = 32 * 1024;

/// The transfer encodings that change nothing (RFC 2045, section 6.2). RFC 7578 has given up the others.
const PLAIN: [&str; 3] = ["7bit", "8bit", "binary"];

/// How many bytes a form may have.
#[derive(Clone, Copy)]
pub(super) struct FormBounds {
    /// In everything but the file.
    pub(super) texts: usize,
    /// In the file, and the field that takes it. `None` where no field takes one.
    pub(super) file: Option<(&'static str, usize)>,
    /// The length of the whole body, if it was announced.
    pub(super) announced: Option<usize>,
}

/// The content of a form as it arrived. The texts are not decoded yet.
#[derive(Default)]
pub(super) struct Form {
    parts: Vec<Part>,
    pub(super) file: Option<UploadedFile>,
    /// The length of all texts and names.
    pub(super) text_bytes: usize,
}

struct Part {
    name: String,
    /// `None` for a file in a field that takes none.
    content: Option<(Charset, Vec<u8>)>,
}

impl Form {
    /// Takes the file out. As in the framework, it replaces the texts of its name.
    pub(super) fn take_file(&mut self) -> Option<UploadedFile> {
        let file = self.file.take()?;
        self.parts.retain(|part| part.name != file.field);
        Some(file)
    }

    /// Decodes the texts, in the order of the parts.
    pub(super) fn into_pairs(self) -> Result<Vec<Pair>, ApiError> {
        self.parts.into_iter().map(Part::decode).collect()
    }
}

impl Part {
    fn decode(self) -> Result<Pair, ApiError> {
        let Some((charset, bytes)) = self.content else { return Ok((self.name, PairValue::File)) };
        let text = charset.decode(&bytes);
        let text =
            text.ok_or_else(|| ApiError::Invalid(ValidationErrors::of(&self.name, &charset.violation())))?;
        Ok((self.name, PairValue::Text(text.into_owned())))
    }
}

fn malformed(error: impl std::fmt::Display) -> ApiError {
    ApiError::Malformed(format!("Multipart form parse error - {error}"))
}

/// The error of a form that could not be read: that of its body, or one of its syntax.
fn unreadable(error: multer::Error) -> ApiError {
    match &error {
        multer::Error::StreamReadFailed(cause) if cause.is::<TooLongHeaders>() => malformed(cause),
        multer::Error::StreamReadFailed(cause) => unreadable_body(cause.as_ref()),
        _ => malformed(error),
    }
}

/// Reads a form while it arrives. A part without a charset of its own has the form's.
pub(super) async fn read<S, E>(
    content_type: &str,
    charset: Charset,
    body: S,
    bounds: FormBounds,
    share: &mut MemoryShare,
) -> Result<Form, ApiError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    if boundary.len() > BOUNDARY_MAX {
        return Err(malformed(format_args!("a boundary has at most {BOUNDARY_MAX} characters")));
    }
    let (body, progress) = (pin!(body), AtomicUsize::new(0));
    let pieces = OneByOne { body, has_given: false, waiting: &progress };
    let mut form = multer::Multipart::new(pieces, boundary);
    let mut reader = Reader { form: Form::default(), bounds, share, waiting: &progress };
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        reader.part(part, charset).await?;
    }
    Ok(reader.form)
}

/// Reads parts into a form.
struct Reader<'a> {
    form: Form,
    bounds: FormBounds,
    share: &'a mut MemoryShare,
    waiting: &'a AtomicUsize,
}

impl Reader<'_> {
    async fn part(&mut self, mut part: multer::Field<'_>, charset: Charset) -> Result<(), ApiError> {
        self.progress();
        if self.form.parts.len() == PAIRS_MAX {
            return Err(ApiError::Invalid(too_many_pairs()));
        }
        let name = part.name().ok_or_else(|| malformed("a part has no name, or one that is not UTF-8"))?;
        let name = name.to_owned();
        check_encoding(part.headers(), &name)?;
        self.count_text(name.len())?;
        if !is_file(part.headers()) {
            let charset = charset_of(part.headers(), charset)?;
            let mut text = Vec::new();
            while let Some(bytes) = self.next(&mut part).await? {
                self.count_text(bytes.len())?;
                text.extend_from_slice(&bytes);
            }
            self.form.parts.push(Part { name, content: Some((charset, text)) });
            return Ok(());
        }
        match self.bounds.file {
            Some((field, most)) if field == name => self.file(part, field, most).await,
            _ => {
                while let Some(bytes) = self.next(&mut part).await? {
                    self.count_text(bytes.len())?;
                }
                self.form.parts.push(Part { name, content: None });
                Ok(())
            }
        }
    }

    /// Reads a file into the buffer of the one before it: as in the framework, the last one counts.
    async fn file(
        &mut self,
        mut part: multer::Field<'_>,
        field: &'static str,
        most: usize,
    ) -> Result<(), ApiError> {
        let name_length = UploadedFile::name_length(part.file_name());
        let mut next = self.next(&mut part).await?;
        while next.as_ref().is_some_and(Bytes::is_empty) {
            next = self.next(&mut part).await?;
        }
        if name_length == 0 && next.is_none() {
            // What a browser sends for a field in which no file was chosen. Django skips it.
            return Ok(());
        }
        let mut bytes = self.form.file.take().map(|file| file.bytes).unwrap_or_default();
        bytes.clear();
        while let Some(more) = next {
            let length = bytes.len().saturating_add(more.len());
            if length > most {
                return Err(ApiError::BodyTooLarge);
            }
            if length > bytes.capacity() {
                let expected = self.bounds.announced.unwrap_or(bytes.capacity().saturating_mul(2));
                let room = expected.min(most).max(length);
                self.hold(room.saturating_add(self.form.text_bytes))?;
                bytes.reserve_exact(room - bytes.len());
            }
            bytes.extend_from_slice(&more);
            next = self.next(&mut part).await?;
        }
        self.form.file = Some(UploadedFile { field, name_length, bytes });
        Ok(())
    }

    async fn next(&self, part: &mut multer::Field<'_>) -> Result<Option<Bytes>, ApiError> {
        let piece = part.chunk().await.map_err(unreadable);
        self.progress();
        piece
    }

    fn progress(&self) {
        self.waiting.store(0, Ordering::Relaxed);
    }

    /// Counts bytes of everything but the file.
    fn count_text(&mut self, more: usize) -> Result<(), ApiError> {
        self.form.text_bytes = self.form.text_bytes.saturating_add(more);
        if self.form.text_bytes > self.bounds.texts {
            return Err(ApiError::BodyTooLarge);
        }
        let file = self.form.file.as_ref().map_or(0, |file| file.bytes.capacity());
        self.hold(self.form.text_bytes.saturating_add(file))
    }

    fn hold(&mut self, bytes: usize) -> Result<(), ApiError> {
        if self.share.grow_to(bytes) { Ok(()) } else { Err(ApiError::Overloaded) }
    }
}

/// Headers that are longer than what is read.
#[derive(Debug, thiserror::Error)]
#[error("the headers of a part are too long")]
struct TooLongHeaders;

/// The pieces of a body, given one at a time. The parser takes all that are ready, and would hold a whole body that
/// arrived at once.
struct OneByOne<'a, S> {
    body: Pin<&'a mut S>,
    has_given: bool,
    /// The bytes that were given since the parser found something.
    waiting: &'a AtomicUsize,
}

impl<S, E> Stream for OneByOne<'_, S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.has_given) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = ready!(self.body.as_mut().poll_next(cx));
        self.has_given = matches!(piece, Some(Ok(_)));
        Poll::Ready(piece.map(|piece| {
            let piece = piece.map_err(Into::into)?;
            let before = self.waiting.fetch_add(piece.len(), Ordering::Relaxed);
            if before > HEADERS_MAX { Err(TooLongHeaders.into()) } else { Ok(piece) }
        }))
    }
}

/// Whether a part is a file: it has a file name, whether that can be read or not.
fn is_file(headers: &HeaderMap) -> bool {
    let disposition = headers.get(CONTENT_DISPOSITION).map_or(&b""[..], HeaderValue::as_bytes);
    disposition.split(|byte| *byte == b';').skip(1).any(|parameter| {
        let name = parameter.trim_ascii_start().first_chunk::<8>();
        name.is_some_and(|name| name.eq_ignore_ascii_case(b"filename"))
    })
}

/// The charset of a part: its own or the form's.
fn charset_of(headers: &HeaderMap, charset: Charset) -> Result<Charset, ApiError> {
    let own = headers.get(CONTENT_TYPE).map(|own| named_charset(&latin1(own.as_bytes()))).transpose()?;
    Ok(own.flatten().unwrap_or(charset))
}

/// Refuses a part that is encoded once more.
fn check_encoding(headers: &HeaderMap, name: &str) -> Result<(), ApiError> {
    let Some(encoding) = headers.get("content-transfer-encoding") else { return Ok(()) };
    let encoding = latin1(encoding.as_bytes());
    if PLAIN.iter().any(|plain| encoding.trim().eq_ignore_ascii_case(plain)) {
        return Ok(());
    }
    let refused = format!("{name}: the Content-Transfer-Encoding \"{encoding}\" is not supported, send 8bit");
    Err(malformed(refused))
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;

    use super::*;
    use crate::server::memory::MemoryBudget;

    const NO_FILE: FormBounds = FormBounds { texts: 1 << 20, file: None, announced: None };

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    /// Reads a form that arrives in pieces of a few bytes.
    fn pairs(
        media_type: &str,
        body: Vec<u8>,
        bounds: FormBounds,
    ) -> Result<(Vec<Pair>, Option<UploadedFile>), ApiError> {
        let pieces: Vec<_> =
            body.chunks(7).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
        let memory = MemoryBudget::new(1 << 20, Gauge::default(), Counter::default());
        let charset = Charset::of(media_type).unwrap().unwrap_or(Charset::DEFAULT);
        let mut share = memory.share();
        let form = read(media_type, charset, stream::iter(pieces), bounds, &mut share);
        let mut form = block_on(form)?;
        let file = form.take_file();
        form.into_pairs().map(|pairs| (pairs, file))
    }

    fn form(boundary: &str, parts: usize) -> Result<usize, ApiError> {
        let part = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n");
        let body = format!("{}--{boundary}--\r\n", part.repeat(parts));
        let media_type = format!("multipart/form-data; boundary={boundary}");
        pairs(&media_type, body.into(), NO_FILE).map(|(pairs, _)| pairs.len())
    }

    #[test]
    fn parts_and_boundaries_are_bounded() {
        assert_eq!(form("b", PAIRS_MAX).ok(), Some(PAIRS_MAX));
        assert!(matches!(form("b", PAIRS_MAX + 1), Err(ApiError::Invalid(_))));
        assert_eq!(form(&"b".repeat(BOUNDARY_MAX), 1).ok(), Some(1));
        assert!(matches!(form(&"b".repeat(BOUNDARY_MAX + 1), 1), Err(ApiError::Malformed(_))));
        for cut in ["", "--b", "--b\r\n", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1"] {
            let read = pairs("multipart/form-data; boundary=b", cut.into(), NO_FILE);
            assert!(matches!(read, Err(ApiError::Malformed(_))), "{cut:?}");
        }
    }
    /// Reads one part with these header lines and this text.
    fn part(media_type: &str, lines: &[u8], text: &[u8]) -> String {
        let form =
            [b"--b\r\nContent-Disposition: form-data; ", lines, b"\r\n\r\n", text, b"\r\n--b--\r\n"].concat();
        match pairs(media_type, form, NO_FILE) {
            Ok((pairs, _)) => format!("{pairs:?}"),
            Err(ApiError::Invalid(faults)) => {
                faults.iter().map(|(n, m)| format!("{n}: {}", m.join(" "))).collect()
            }
            Err(ApiError::Malformed(detail) | ApiError::UnsupportedMediaType(detail)) => detail,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn what_a_part_says_about_its_encoding_is_read() {
        let plain = "multipart/form-data; boundary=b";
        assert_eq!(part(plain, b"name=\"n\"", "René".as_bytes()), r#"[("n", Text("René"))]"#);
        let hint = "Send UTF-8, or name the charset in the Content-Type.";
        assert_eq!(part(plain, b"name=\"n\"", b"Ren\xe9"), format!("n: Not valid UTF-8. {hint}"));
        let own = b"name=\"n\"\r\nContent-Type: text/plain; charset=iso-8859-1";
        assert_eq!(part(plain, own, b"Ren\xe9"), r#"[("n", Text("René"))]"#);
        let whole = "multipart/form-data; boundary=b; charset=iso-8859-1";
        assert_eq!(part(whole, b"name=\"n\"", b"Ren\xe9"), r#"[("n", Text("René"))]"#);
        let utf8 = b"name=\"n\"\r\nContent-Type: text/plain; charset=utf-8";
        assert_eq!(part(whole, utf8, b"Ren\xe9"), "n: Not valid UTF-8.");
        let unknown = b"name=\"n\"\r\nContent-Type: text/plain; charset=klingon";
        assert_eq!(part(plain, unknown, b"x"), "Unsupported charset \"klingon\" in request.");
        let base64 = b"name=\"n\"\r\nContent-Transfer-Encoding: base64";
        assert!(
            part(plain, base64, b"eA==")
                .ends_with("n: the Content-Transfer-Encoding \"base64\" is not supported, send 8bit")
        );
        let binary = b"name=\"n\"\r\nContent-Transfer-Encoding: Binary";
        assert_eq!(part(plain, binary, b"x"), r#"[("n", Text("x"))]"#);
        assert!(
            part(plain, b"name=\"\xff\"", b"x").ends_with("a part has no name, or one that is not UTF-8")
        );
        for file in [
            &b"name=\"n\"; filename=\"a.png\""[..],
            b"name=\"n\"; filename=\"\xff.png\"",
            b"name=\"n\"; FileName*=utf-8''a",
        ] {
            assert_eq!(part(plain, file, b"x"), r#"[("n", File)]"#, "{file:?}");
        }
    }

    #[test]
    fn one_file_is_kept_and_the_last_one_counts() {
        let part = |name: &str, more: &str, text: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{text}\r\n")
        };
        let read = |parts: &[String], most: usize| {
            let body = format!("{}--b--\r\n", parts.concat());
            let bounds = FormBounds { texts: 40, file: Some(("avatar", most)), announced: Some(body.len()) };
            pairs("multipart/form-data; boundary=b", body.into(), bounds)
        };
        let file = |text: &str| part("avatar", "; filename=\"dir/a.png\"", text);
        let (pairs, kept) =
            read(&[file("first one"), part("n", "", "x"), part("avatar", "", "y"), file("last")], 9).unwrap();
        assert_eq!(format!("{pairs:?}"), r#"[("n", Text("x"))]"#);
        let kept = kept.unwrap();
        assert_eq!((kept.bytes.as_slice(), kept.name_length, kept.field), (&b"last"[..], 5, "avatar"));
        assert!(kept.bytes.capacity() <= 9, "no more than the limit is held");
        assert!(matches!(read(&[file("ten bytes!")], 9), Err(ApiError::BodyTooLarge)));
        let other = part("photo", "; filename=\"a.png\"", "x");
        let (pairs, kept) = read(&[other], 9).unwrap();
        assert!(kept.is_none() && format!("{pairs:?}") == r#"[("photo", File)]"#);
        let long = "x".repeat(41);
        for part in [part("n", "", &long), part("n", "; filename=\"a\"", &long), part(&long, "", "")] {
            assert!(matches!(read(&[part], 9), Err(ApiError::BodyTooLarge)));
        }
        for endless in [format!("--b\r\nX: {}", "x".repeat(70_000)), "x".repeat(70_000)] {
            let read = read(&[endless], 9);
            assert!(matches!(&read, Err(ApiError::Malformed(why)) if why.ends_with("too long")), "{read:?}");
        }
    }
}
