//! Multipart forms (RFC 7578), read into names and texts. Files are not taken yet.

use bytes::Bytes;
use futures_util::stream;

use super::error::Failure;

/// The fields of a form, in their order. The body is whole and already bounded.
pub(super) async fn read(content_type: &str, body: Bytes) -> Result<Vec<(String, String)>, Failure> {
    let malformed =
        |error: multer::Error| Failure::Malformed(format!("Multipart form parse error - {error}"));
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    let whole = stream::once(async { Ok::<_, std::convert::Infallible>(body) });
    let mut form = multer::Multipart::new(whole, boundary);
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        if field.file_name().is_some() {
            return Err(Failure::NotImplemented("Files cannot be uploaded yet."));
        }
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(malformed)?;
        let text = String::from_utf8(bytes.into());
        let text = text
            .map_err(|_| Failure::Malformed(format!("Multipart form parse error - {name} is not UTF-8")))?;
        fields.push((name, text));
    }
    Ok(fields)
}
