//! The common parts of all lists on the wire: their parameters as they were sent, and the envelope with its links.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::field_selection::FieldSelection;
use super::view::Listing;
use crate::directory::query::{Page, PageLink, Query};
use crate::http::error::{ApiError, answer};
use crate::http::site::Site;
use crate::http::text::query_pairs;

/// A request for a list.
pub(super) struct ListRequest {
    /// Its parameters, decoded, in the order they were sent.
    pub(super) parameters: Vec<(String, String)>,
}

impl ListRequest {
    /// Parses a query. Empty pieces are ignored.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let parameters = query_pairs(query.unwrap_or_default()).map_err(ApiError::Invalid)?;
        Ok(Self { parameters })
    }

    /// Answers with a page of the query in its envelope. `show` makes the item of a row; the parameter `fields` selects
    /// its fields.
    pub(super) fn answer<R, F, C, T: Serialize>(
        &self,
        site: &Site,
        query: &Query<F, C>,
        page: &Page<R>,
        fields: &[&str],
        show: impl Fn(&R) -> T,
    ) -> Result<Response, ApiError> {
        let selected = self.parameters.iter().find(|(name, _)| name == "fields");
        let items = page.rows.iter().map(show);
        let link =
            |turn: &Option<PageLink>| turn.as_ref().map(|turn| self.link(site, query.paging.limit, turn));
        let (next, previous) = (link(&page.next), link(&page.previous));
        match FieldSelection::parse(selected.map(|(_, list)| list.as_str()), fields)? {
            None => {
                let results = items.collect::<Vec<_>>();
                Ok(answer(StatusCode::OK, &Listing { count: page.count, next, previous, results }))
            }
            Some(selection) => {
                let results = items.map(|item| selection.apply(&item)).collect::<Result<Vec<_>, _>>()?;
                Ok(answer(StatusCode::OK, &Listing { count: page.count, next, previous, results }))
            }
        }
    }

    /// Links to another page of the same list. As in the framework, a link always names the limit, and the first page's
    /// has no offset.
    fn link(&self, site: &Site, limit: u32, turn: &PageLink) -> String {
        let position = match turn {
            PageLink::Offset(0) => None,
            PageLink::Offset(offset) => Some(("offset".to_owned(), offset.to_string())),
            PageLink::Cursor(cursor) => Some(("cursor".to_owned(), cursor.clone())),
        };
        let limit = ("limit".to_owned(), limit.to_string());
        site.link(self.kept(&["limit", "offset", "cursor"]).chain([limit]).chain(position).collect())
    }

    /// The parameters that a link to another page keeps: all but those that make the page.
    pub(super) fn kept(&self, page: &[&str]) -> impl Iterator<Item = (String, String)> {
        self.parameters.iter().filter(|(name, _)| !page.contains(&name.as_str())).cloned()
    }
}
