//! The common parts of all lists on the wire: their parameters as they were sent, and the envelope with its links.

use axum::response::Response;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::field_selection::FieldSelection;
use super::view::Listing;
use crate::directory::model::{ValidationErrors, Violation};
use crate::directory::query::{Page, PageLink};
use crate::http::error::{ApiError, answer};
use crate::http::site::Site;

/// A request for a list.
pub(super) struct ListRequest {
    path: &'static str,
    /// Its parameters, decoded, in the order they were sent.
    pub(super) parameters: Vec<(String, String)>,
}

impl ListRequest {
    /// Parses a query. Empty pieces are ignored.
    pub(super) fn parse(query: Option<&str>, path: &'static str) -> Result<Self, ApiError> {
        let pieces = query.unwrap_or_default().split('&').filter(|piece| !piece.is_empty());
        let parameters =
            pieces.map(pair).collect::<Result<_, ValidationErrors>>().map_err(ApiError::Invalid)?;
        Ok(Self { path, parameters })
    }

    /// Answers with a page in its envelope. `show` makes the item of a row; the parameter `fields` selects its fields.
    pub(super) fn answer<R, T: Serialize>(
        &self,
        site: &Site,
        page: &Page<R>,
        fields: &[&str],
        show: impl Fn(&R) -> T,
    ) -> Result<Response, ApiError> {
        let selected = self.parameters.iter().find(|(name, _)| name == "fields");
        let items = page.rows.iter().map(show);
        match FieldSelection::parse(selected.map(|(_, list)| list.as_str()), fields)? {
            None => Ok(answer(StatusCode::OK, &self.envelope(site, page, items.collect()))),
            Some(selection) => {
                let items = items.map(|item| selection.apply(&item)).collect::<Result<Vec<_>, _>>()?;
                Ok(answer(StatusCode::OK, &self.envelope(site, page, items)))
            }
        }
    }

    fn envelope<R, T>(&self, site: &Site, page: &Page<R>, results: Vec<T>) -> Listing<T> {
        let link = |turn: &Option<PageLink>| turn.as_ref().map(|turn| self.link(site, turn));
        Listing { count: page.count, next: link(&page.next), previous: link(&page.previous), results }
    }

    /// Links to another page of the same list. As in the framework, the first page's link has no offset.
    fn link(&self, site: &Site, turn: &PageLink) -> String {
        let position = match turn {
            PageLink::Offset(0) => None,
            PageLink::Offset(offset) => Some(("offset".to_owned(), offset.to_string())),
            PageLink::Cursor(cursor) => Some(("cursor".to_owned(), cursor.clone())),
        };
        let kept = self.parameters.iter().filter(|(name, _)| name != "offset" && name != "cursor");
        let parameters: Vec<_> = kept.cloned().chain(position).collect();
        site.link(self.path, &parameters)
    }
}

/// Decodes a parameter as forms encode it. Text that is not UTF-8 is refused.
fn pair(piece: &str) -> Result<(String, String), ValidationErrors> {
    let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned).ok()
    };
    let refused = |name: &str| ValidationErrors::of(name, &Violation::Other("Not valid UTF-8.".to_owned()));
    let name = decoded(name).ok_or_else(|| refused(name))?;
    let value = decoded(value).ok_or_else(|| refused(&name))?;
    Ok((name, value))
}
