//! Parses multipart forms (RFC 7578) into names and texts. Files are not supported yet.

use bytes::Bytes;
use futures_util::{FutureExt, stream};

use super::bounds::{PAIRS_MAX, too_many_pairs};
use crate::http::error::ApiError;

/// The longest boundary (RFC 2046, section 5.1.1), in characters.
const BOUNDARY_MAX: usize = 70;

/// Parses the fields of a form, in their order. The body is whole and already bounded.
pub(super) fn read(content_type: &str, body: Bytes) -> Result<Vec<(String, String)>, ApiError> {
    // The whole body is in memory, so nothing is waited for.
    let stalled = || Err(malformed("the form is not complete"));
    fields(content_type, body).now_or_never().unwrap_or_else(stalled)
}

fn malformed(error: impl std::fmt::Display) -> ApiError {
    ApiError::Malformed(format!("Multipart form parse error - {error}"))
}

async fn fields(content_type: &str, body: Bytes) -> Result<Vec<(String, String)>, ApiError> {
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
        if field.file_name().is_some() {
            return Err(ApiError::NotImplemented("Files cannot be uploaded yet."));
        }
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(malformed)?;
        let text = String::from_utf8(bytes.into());
        let text = text.map_err(|_| malformed(format_args!("{name} is not UTF-8")))?;
        fields.push((name, text));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(boundary: &str, parts: usize) -> Result<usize, ApiError> {
        let part = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n");
        let body = format!("{}--{boundary}--\r\n", part.repeat(parts));
        read(&format!("multipart/form-data; boundary={boundary}"), body.into()).map(|fields| fields.len())
    }

    #[test]
    fn parts_and_boundaries_are_bounded() {
        assert_eq!(form("b", PAIRS_MAX).ok(), Some(PAIRS_MAX));
        assert!(matches!(form("b", PAIRS_MAX + 1), Err(ApiError::Invalid(_))));
        assert_eq!(form(&"b".repeat(BOUNDARY_MAX), 1).ok(), Some(1));
        assert!(matches!(form(&"b".repeat(BOUNDARY_MAX + 1), 1), Err(ApiError::Malformed(_))));
        for cut in ["", "--b", "--b\r\n", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1"] {
            let read = read("multipart/form-data; boundary=b", cut.into());
            assert!(matches!(read, Err(ApiError::Malformed(_))), "{cut:?}");
        }
    }
}
