//! What all lists have in common on the wire: their parameters as they were sent, and the envelope with
//! its links.

use axum::response::Response;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::view::Listing;
use super::wanted::Wanted;
use crate::directory::model::{Faults, Rule};
use crate::directory::query::{Page, Turn};
use crate::http::error::{ApiError, answer};
use crate::http::site::Site;

/// A list that is asked for.
pub(super) struct Asked {
    path: &'static str,
    /// Its parameters, decoded, in the order they were sent.
    pub(super) parameters: Vec<(String, String)>,
}

impl Asked {
    /// Takes a query apart. An empty one, and an empty piece of one, is nothing.
    pub(super) fn of(query: Option<&str>, path: &'static str) -> Result<Self, ApiError> {
        let pieces = query.unwrap_or_default().split('&').filter(|piece| !piece.is_empty());
        let parameters = pieces.map(pair).collect::<Result<_, Faults>>().map_err(ApiError::Invalid)?;
        Ok(Self { path, parameters })
    }

    /// The page in its envelope, each row as `show` has it, narrowed by `fields`.
    pub(super) fn answer<R, T: Serialize>(
        &self,
        site: &Site,
        page: &Page<R>,
        fields: &[&str],
        show: impl Fn(&R) -> T,
    ) -> Result<Response, ApiError> {
        let wanted = self.parameters.iter().find(|(name, _)| name == "fields");
        let items = page.rows.iter().map(show);
        match Wanted::of(wanted.map(|(_, list)| list.as_str()), fields)? {
            None => Ok(answer(StatusCode::OK, &self.envelope(site, page, items.collect()))),
            Some(wanted) => {
                let items = items.map(|item| wanted.of_object(&item)).collect::<Result<Vec<_>, _>>()?;
                Ok(answer(StatusCode::OK, &self.envelope(site, page, items)))
            }
        }
    }

    fn envelope<R, T>(&self, site: &Site, page: &Page<R>, results: Vec<T>) -> Listing<T> {
        let link = |turn: &Option<Turn>| turn.as_ref().map(|turn| self.link(site, turn));
        Listing { count: page.count, next: link(&page.next), previous: link(&page.previous), results }
    }

    /// The same list at another page. The first page's link has no offset, as the framework's has none.
    fn link(&self, site: &Site, turn: &Turn) -> String {
        let position = match turn {
            Turn::Offset(0) => None,
            Turn::Offset(offset) => Some(("offset".to_owned(), offset.to_string())),
            Turn::Cursor(cursor) => Some(("cursor".to_owned(), cursor.clone())),
        };
        let kept = self.parameters.iter().filter(|(name, _)| name != "offset" && name != "cursor");
        let parameters: Vec<_> = kept.cloned().chain(position).collect();
        site.link(self.path, &parameters)
    }
}

/// A parameter as forms encode it; what is no UTF-8 is refused, not guessed at.
fn pair(piece: &str) -> Result<(String, String), Faults> {
    let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned).ok()
    };
    let refused = |name: &str| Faults::of(name, &Rule::Other("Not valid UTF-8.".to_owned()));
    let name = decoded(name).ok_or_else(|| refused(name))?;
    let value = decoded(value).ok_or_else(|| refused(&name))?;
    Ok((name, value))
}
