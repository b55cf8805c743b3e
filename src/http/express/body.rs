//! The body that the identity cache keeps for a user: its JSON without the base URL in front of the avatar's path,
//! which depends on where the request arrived.

use bytes::{Bytes, BytesMut};

use crate::directory::Identity;
use crate::http::api::view::Me;
use crate::http::json;
use crate::http::site::{BaseUrl, Site, SiteSettings};

/// The JSON in two parts. The base URL belongs between them when there is an avatar.
pub(super) struct CachedBody<'a> {
    before: &'a [u8],
    /// Empty without an avatar, or if the avatar is an absolute URL.
    after: &'a [u8],
}

const AVATAR: &[u8] = b",\"avatar\":\"";

/// Renders the offset where the base URL belongs (four bytes, little-endian; 0 when there is no avatar, or it has
/// a base of its own), then the JSON.
pub(super) fn render(identity: &Identity, settings: &SiteSettings) -> Bytes {
    let me = Me::new(&identity.user, &Site::nowhere(settings));
    // A string holds no bare quote, so the first match is the key.
    let json = json::compact(&me).unwrap_or_default();
    let found = json.windows(AVATAR.len()).position(|part| part == AVATAR);
    // Without a base, only a path begins with a slash. An absolute URL gets no base.
    let found = found.map(|start| start + AVATAR.len()).filter(|start| json.get(*start) == Some(&b'/'));
    let offset = found.and_then(|start| u32::try_from(start).ok()).unwrap_or(0);
    let mut body = BytesMut::with_capacity(4 + json.len());
    body.extend_from_slice(&offset.to_le_bytes());
    body.extend_from_slice(&json);
    body.freeze()
}

impl<'a> CachedBody<'a> {
    /// Splits what [`render`] made; `None` if rendering failed.
    pub(super) fn parse(rendered: &'a [u8]) -> Option<Self> {
        let (offset, json) = rendered.split_first_chunk::<4>()?;
        let offset = usize::try_from(u32::from_le_bytes(*offset)).ok()?;
        let (before, after) = if offset == 0 { (json, &[][..]) } else { json.split_at_checked(offset)? };
        (!json.is_empty()).then_some(Self { before, after })
    }

    /// The length of the body with this base URL.
    pub(super) fn length(&self, base: &BaseUrl<'_>) -> usize {
        let base = if self.after.is_empty() { 0 } else { base.length() };
        self.before.len() + base + self.after.len()
    }

    /// Appends the body. A base URL is letters, digits and `.:-[]/`, none of which JSON escapes.
    pub(super) fn push(&self, base: &BaseUrl<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before);
        if !self.after.is_empty() {
            base.push_to(out);
            out.extend_from_slice(self.after);
        }
    }
}
