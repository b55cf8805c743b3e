//! The stylesheet, the script and the drawings of the site. Their names contain a hash of their content, which is made once at
//! the start, so browsers may keep them for ever. They are compressed then, too.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use crate::http::error::ApiError;
use crate::http::headers::UNCACHED;
use crate::http::outgoing::SharedBytes;
use crate::http::resource::RouteName;

/// The route of the assets.
pub(super) const ROUTE: &str = "/admin/assets/{name}";

/// The URLs of the assets, for the templates.
pub(super) struct Assets {
    /// The stylesheet.
    pub(super) css: String,
    /// The script.
    pub(super) js: String,
    /// The icons.
    pub(super) icons: String,
    /// The icon of the site.
    pub(super) favicon: String,
    files: [AssetFile; 4],
}

struct AssetFile {
    stem: &'static str,
    extension: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    /// The same with gzip (RFC 1952); `None` if that is not shorter.
    packed: Option<Bytes>,
    name: String,
}

/// The assets of this program.
pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let files = [
        AssetFile::new("wardroom", "css", "text/css; charset=utf-8", include_bytes!("assets/wardroom.css")),
        AssetFile::new(
            "wardroom",
            "js",
            "text/javascript; charset=utf-8",
            include_bytes!("assets/wardroom.js"),
        ),
        AssetFile::new("icons", "svg", "image/svg+xml", include_bytes!("assets/icons.svg")),
        AssetFile::new("favicon", "svg", "image/svg+xml", include_bytes!("assets/favicon.svg")),
    ];
    let [css, js, icons, favicon] = files.each_ref().map(|file| format!("/admin/assets/{}", file.name));
    Assets { css, js, icons, favicon, files }
});

impl AssetFile {
    fn new(
        stem: &'static str,
        extension: &'static str,
        media_type: &'static str,
        bytes: &'static [u8],
    ) -> Self {
        let hash: String = Sha256::digest(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let packed = packed(bytes).filter(|packed| packed.len() < bytes.len());
        Self { stem, extension, media_type, bytes, packed, name: format!("{stem}-{hash}.{extension}") }
    }

    /// Whether a name is of this file, in this or another version of the program.
    fn is_named(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.stem).and_then(|rest| rest.strip_prefix('-'));
        rest.and_then(|rest| rest.strip_suffix(self.extension)).is_some_and(|rest| rest.ends_with('.'))
    }
}

/// Compresses an asset. It has no secret, so its length says nothing; pages are sent as they are.
fn packed(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether a client accepts gzip (RFC 9110, section 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let quality: String = quality.split_whitespace().collect();
        let is_refused = matches!(quality.as_str(), "q=0" | "q=0." | "q=0.0" | "q=0.00" | "q=0.000");
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

/// Answers a request for an asset. During an upgrade, a page of another replica may name another version: it gets this one,
/// which no cache keeps.
pub(super) async fn answer(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let found = ASSETS.files.iter().find(|file| file.name == name);
    let Some(file) = found.or_else(|| ASSETS.files.iter().find(|file| file.is_named(&name))) else {
        return ApiError::NotFound.into_response();
    };
    let cached = if found.is_some() { "public, max-age=31536000, immutable" } else { UNCACHED };
    let packed = file.packed.clone().filter(|_| accepts_gzip(&headers));
    let is_packed = packed.is_some();
    let mut response = Response::new(Body::from(packed.unwrap_or_else(|| Bytes::from_static(file.bytes))));
    if is_packed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cached));
    response.extensions_mut().insert(SharedBytes);
    response.extensions_mut().insert(RouteName(ROUTE.to_owned()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_accept_it() {
        for (header, expected) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP ; q=0.8", true),
            ("gzip;q=0", false),
            ("gzip; q = 0.000", false),
            ("x-gzip", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(header))]);
            assert_eq!(accepts_gzip(&headers), expected, "{header}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
