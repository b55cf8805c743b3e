//! Parses multipart forms (RFC 7578) into names and texts. Files are not supported yet.

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};

use super::bounds::{PAIRS_MAX, too_many_pairs};
use super::charsets::{latin1, named_charset};
use crate::directory::model::ValidationErrors;
use crate::http::error::ApiError;
use crate::http::text::Charset;

/// The longest boundary (RFC 2046, section 5.1.1), in characters.
const BOUNDARY_MAX: usize = 70;

/// The transfer encodings that change nothing (RFC 2045, section 6.2). RFC 7578 has given up the others.
const PLAIN: [&str; 3] = ["7bit", "8bit", "binary"];

/// Parses the fields of a form, in their order. The body is whole and already bounded. A part without a charset of its
/// own has the form's.
pub(super) fn read(
    content_type: &str,
    charset: Charset,
    body: Bytes,
) -> Result<Vec<(String, String)>, ApiError> {
    // The whole body is in memory, so nothing is waited for.
    let stalled = || Err(malformed("the form is not complete"));
    fields(content_type, charset, body).now_or_never().unwrap_or_else(stalled)
}

fn malformed(error: impl std::fmt::Display) -> ApiError {
    ApiError::Malformed(format!("Multipart form parse error - {error}"))
}

async fn fields(
    content_type: &str,
    charset: Charset,
    body: Bytes,
) -> Result<Vec<(String, String)>, ApiError> {
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    if boundary.len() > BOUNDARY_MAX {
        return Err(malformed(format_args!("a boundary has at most {BOUNDARY_MAX} characters")));
    }
    let whole = stream::once(async { Ok::<_, std::convert::Infallible>(body) });
    let mut form = multer::Multipart::new(whole, boundary);
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        if fields.len() == PAIRS_MAX {
            return Err(ApiError::Invalid(too_many_pairs()));
        }
        if is_file(field.headers()) {
            return Err(ApiError::NotImplemented("Files cannot be uploaded yet."));
        }
        let name = field.name().ok_or_else(|| malformed("a part has no name, or one that is not UTF-8"))?;
        let (name, charset) = (name.to_owned(), charset_of(field.headers(), charset)?);
        check_encoding(field.headers(), &name)?;
        let bytes = field.bytes().await.map_err(malformed)?;
        let text = charset.decode(&bytes);
        let text =
            text.ok_or_else(|| ApiError::Invalid(ValidationErrors::of(&name, &charset.violation())))?;
        fields.push((name, text.into_owned()));
    }
    Ok(fields)
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
    use super::*;

    fn form(boundary: &str, parts: usize) -> Result<usize, ApiError> {
        let part = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n");
        let body = format!("{}--{boundary}--\r\n", part.repeat(parts));
        let media_type = format!("multipart/form-data; boundary={boundary}");
        read(&media_type, Charset::DEFAULT, body.into()).map(|fields| fields.len())
    }

    #[test]
    fn parts_and_boundaries_are_bounded() {
        assert_eq!(form("b", PAIRS_MAX).ok(), Some(PAIRS_MAX));
        assert!(matches!(form("b", PAIRS_MAX + 1), Err(ApiError::Invalid(_))));
        assert_eq!(form(&"b".repeat(BOUNDARY_MAX), 1).ok(), Some(1));
        assert!(matches!(form(&"b".repeat(BOUNDARY_MAX + 1), 1), Err(ApiError::Malformed(_))));
        for cut in ["", "--b", "--b\r\n", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1"] {
            let read = read("multipart/form-data; boundary=b", Charset::DEFAULT, cut.into());
            assert!(matches!(read, Err(ApiError::Malformed(_))), "{cut:?}");
        }
    }
    /// Reads one part with these header lines and this text.
    fn part(media_type: &str, lines: &[u8], text: &[u8]) -> String {
        let form =
            [b"--b\r\nContent-Disposition: form-data; ", lines, b"\r\n\r\n", text, b"\r\n--b--\r\n"].concat();
        match read(media_type, Charset::of(media_type).unwrap().unwrap_or(Charset::DEFAULT), form.into()) {
            Ok(fields) => format!("{fields:?}"),
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
        assert_eq!(part(plain, b"name=\"n\"", "René".as_bytes()), r#"[("n", "René")]"#);
        let hint = "Send UTF-8, or name the charset in the Content-Type.";
        assert_eq!(part(plain, b"name=\"n\"", b"Ren\xe9"), format!("n: Not valid UTF-8. {hint}"));
        let own = b"name=\"n\"\r\nContent-Type: text/plain; charset=iso-8859-1";
        assert_eq!(part(plain, own, b"Ren\xe9"), r#"[("n", "René")]"#);
        let whole = "multipart/form-data; boundary=b; charset=iso-8859-1";
        assert_eq!(part(whole, b"name=\"n\"", b"Ren\xe9"), r#"[("n", "René")]"#);
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
        assert_eq!(part(plain, binary, b"x"), r#"[("n", "x")]"#);
        assert!(
            part(plain, b"name=\"\xff\"", b"x").ends_with("a part has no name, or one that is not UTF-8")
        );
        for file in [
            &b"name=\"n\"; filename=\"a.png\""[..],
            b"name=\"n\"; filename=\"\xff.png\"",
            b"name=\"n\"; FileName*=utf-8''a",
        ] {
            assert!(part(plain, file, b"x").contains("NotImplemented"), "{file:?}");
        }
    }
}
