//! What a request says about the encoding of its body. What cannot be read is refused by its name.

use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::http::error::ApiError;
use crate::http::text::Charset;

/// Refuses a body in any content coding. Nothing here unpacks one.
pub(super) fn check_coding(headers: &HeaderMap) -> Result<(), ApiError> {
    let lines = headers.get_all(CONTENT_ENCODING).iter().map(|line| latin1(line.as_bytes()));
    let codings = lines.collect::<Vec<_>>().join(",");
    let is_plain = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    match codings.split(',').map(str::trim).find(|coding| !is_plain(coding)) {
        Some(coding) => Err(ApiError::UnsupportedCoding(coding.to_owned())),
        None => Ok(()),
    }
}

/// Reads a header's bytes one by one as characters, so that a message can name it.
pub(super) fn latin1(value: &[u8]) -> String {
    value.iter().copied().map(char::from).collect()
}

/// The charset that a media type names, if it names one.
pub(super) fn named_charset(media_type: &str) -> Result<Option<Charset>, ApiError> {
    let unknown =
        |name| ApiError::UnsupportedMediaType(format!("Unsupported charset \"{name}\" in request."));
    Charset::of(media_type).map_err(unknown)
}

/// The charset of a body.
pub(super) fn charset(media_type: &str) -> Result<Charset, ApiError> {
    named_charset(media_type).map(|charset| charset.unwrap_or(Charset::DEFAULT))
}

/// The charset of a form, whose separators are ASCII.
pub(super) fn ascii_charset(media_type: &str) -> Result<Charset, ApiError> {
    let charset = charset(media_type)?;
    if charset.keeps_ascii() {
        return Ok(charset);
    }
    let name = charset.name();
    Err(ApiError::UnsupportedMediaType(format!("Unsupported charset \"{name}\" for a form in request.")))
}
