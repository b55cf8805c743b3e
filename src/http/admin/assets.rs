//! The stylesheet, the script and the drawings of the site. Their names contain a hash of their content, which is made once at
//! the start, so browsers may keep them for ever.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
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
        Self { stem, extension, media_type, bytes, name: format!("{stem}-{hash}.{extension}") }
    }

    /// Whether a name is of this file, in this or another version of the program.
    fn is_named(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.stem).and_then(|rest| rest.strip_prefix('-'));
        rest.and_then(|rest| rest.strip_suffix(self.extension)).is_some_and(|rest| rest.ends_with('.'))
    }
}

/// Answers a request for an asset. During an upgrade, a page of another replica may name another version: it gets this one,
/// which no cache keeps.
pub(super) async fn answer(Path(name): Path<String>) -> Response {
    let found = ASSETS.files.iter().find(|file| file.name == name);
    let Some(file) = found.or_else(|| ASSETS.files.iter().find(|file| file.is_named(&name))) else {
        return ApiError::NotFound.into_response();
    };
    let cached = if found.is_some() { "public, max-age=31536000, immutable" } else { UNCACHED };
    let mut response = Response::new(Body::from(Bytes::from_static(file.bytes)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cached));
    response.extensions_mut().insert(SharedBytes);
    response.extensions_mut().insert(RouteName(ROUTE.to_owned()));
    response
}
