//! What the identity cache keeps of a person's answer: its JSON without the site in front of the avatar's path,
//! which depends on where the request arrived.

use bytes::{Bytes, BytesMut};

use crate::directory::Identity;
use crate::http::api::view::Me;
use crate::http::json;
use crate::http::site::{Place, Site, SiteSettings};

/// The JSON in its two parts: the site belongs between them, when there is an avatar.
pub(super) struct Picture<'a> {
    before: &'a [u8],
    /// Nothing without an avatar.
    after: &'a [u8],
}

const AVATAR: &[u8] = b",\"avatar\":\"";

/// The JSON, after the place (four bytes, little-endian) where the site belongs; 0 when there is no avatar.
pub(super) fn draw(identity: &Identity, settings: &SiteSettings) -> Bytes {
    let me = Me::new(&identity.user, &Site::nowhere(settings));
    // A string holds no bare quote, so the first match is the key.
    let json = json::compact(&me).unwrap_or_default();
    let found = json.windows(AVATAR.len()).position(|part| part == AVATAR);
    let place = found.and_then(|start| u32::try_from(start + AVATAR.len()).ok()).unwrap_or(0);
    let mut picture = BytesMut::with_capacity(4 + json.len());
    picture.extend_from_slice(&place.to_le_bytes());
    picture.extend_from_slice(&json);
    picture.freeze()
}

impl<'a> Picture<'a> {
    /// Takes apart what [`draw`] made; nothing if that failed.
    pub(super) fn of(drawn: &'a [u8]) -> Option<Self> {
        let (place, json) = drawn.split_first_chunk::<4>()?;
        let place = usize::try_from(u32::from_le_bytes(*place)).ok()?;
        let (before, after) = if place == 0 { (json, &[][..]) } else { json.split_at_checked(place)? };
        (!json.is_empty()).then_some(Self { before, after })
    }

    /// The body's length at this site.
    pub(super) fn length(&self, site: &Place<'_>) -> usize {
        let site = if self.after.is_empty() { 0 } else { site.length() };
        self.before.len() + site + self.after.len()
    }

    /// Appends the body. A site is letters, digits and `.:-[]/`, none of which JSON escapes.
    pub(super) fn push(&self, site: &Place<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before);
        if !self.after.is_empty() {
            site.push_to(out);
            out.extend_from_slice(self.after);
        }
    }
}
