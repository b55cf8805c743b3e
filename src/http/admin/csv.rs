//! Lists as CSV: all rows that the filters of a list find, sent while they are read, page by page. Each page is read with the
//! rights that the person has then.
//!
//! The file is safe for spreadsheets: a cell that one of them would take for a formula gets an apostrophe in front. It begins
//! with a mark of UTF-8, without which some of them would not show names in other scripts.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use csv::{Terminator, WriterBuilder};
use futures_util::stream;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::visit::Visit;
use super::{csv_rows, permissions, tokens};
use crate::directory::Actor;
use crate::directory::model::AuditFilter;
use crate::directory::query::{
    AuditQuery, DeletedGroupQuery, DeletedQuery, GroupQuery, PAGE_MAX, Page, PageLink, TokenQuery, UserQuery,
};
use crate::http::app::App;
use crate::http::error::ApiError;

/// The mark of UTF-8 at the beginning of a file.
const MARK: &str = "\u{feff}";

/// A list that can be sent as CSV.
#[derive(Clone, Copy)]
enum List {
    Users,
    Groups,
    Tokens,
    Sessions,
    DeletedUsers,
    DeletedGroups,
    Permissions,
    Events,
}

/// Rows, and the cursor of the next page.
type Rows = (Vec<Vec<String>>, Option<String>);

impl List {
    fn file(self) -> &'static str {
        match self {
            Self::Users => "attachment; filename=\"users.csv\"",
            Self::Groups => "attachment; filename=\"groups.csv\"",
            Self::Tokens => "attachment; filename=\"tokens.csv\"",
            Self::Sessions => "attachment; filename=\"sessions.csv\"",
            Self::DeletedUsers => "attachment; filename=\"deleted-users.csv\"",
            Self::DeletedGroups => "attachment; filename=\"deleted-groups.csv\"",
            Self::Permissions => "attachment; filename=\"permissions.csv\"",
            Self::Events => "attachment; filename=\"audit.csv\"",
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Users => csv_rows::USER,
            Self::Groups => csv_rows::GROUP,
            Self::Tokens | Self::Sessions => csv_rows::TOKEN,
            Self::DeletedUsers => csv_rows::DELETED_USER,
            Self::DeletedGroups => csv_rows::DELETED_GROUP,
            Self::Permissions => csv_rows::PERMISSION,
            Self::Events => csv_rows::EVENT,
        }
    }

    /// Reads a page as rows.
    async fn read(
        self,
        app: &App,
        actor: &Actor,
        parameters: &[(String, String)],
        cursor: String,
    ) -> Result<Rows, ApiError> {
        let (directory, now) = (app.directory(), app.directory().clock().now());
        let paged = || {
            let page = [("cursor", cursor.clone()), ("limit", PAGE_MAX.to_string())];
            let page = page.map(|(name, value)| (name.to_owned(), value));
            parameters.iter().cloned().chain(page).collect::<Vec<_>>()
        };
        match self {
            Self::Users => {
                let query = UserQuery::parse(&paged()).map_err(ApiError::Invalid)?;
                Ok(rows(&directory.list_users(actor, &query).await?, csv_rows::user))
            }
            Self::Groups => {
                let query = GroupQuery::parse(&paged()).map_err(ApiError::Invalid)?;
                Ok(rows(&directory.list_groups(actor, &query).await?, csv_rows::group))
            }
            Self::Tokens | Self::Sessions => {
                let query = TokenQuery::parse(&paged()).map_err(ApiError::Invalid)?;
                let row = |listed: &_| csv_rows::token(listed, now);
                Ok(rows(&directory.list_tokens(actor, &query).await?, row))
            }
            Self::DeletedUsers => {
                let query = DeletedQuery::parse(&paged()).map_err(ApiError::Invalid)?;
                Ok(rows(&directory.list_deleted(actor, &query).await?, csv_rows::deleted_user))
            }
            Self::DeletedGroups => {
                let query = DeletedGroupQuery::parse(&paged()).map_err(ApiError::Invalid)?;
                Ok(rows(&directory.list_deleted_groups(actor, &query).await?, csv_rows::deleted_group))
            }
            Self::Permissions => {
                let known = directory.permissions(actor).await?;
                let found = permissions::narrowed(known, parameters).map_err(ApiError::Invalid)?;
                Ok((found.iter().map(csv_rows::permission).collect(), None))
            }
            Self::Events => events(app, actor, parameters, &cursor).await,
        }
    }
}

fn rows<T>(page: &Page<T>, row: impl Fn(&T) -> Vec<String>) -> Rows {
    let next = match &page.next {
        Some(PageLink::Cursor(cursor)) => Some(cursor.clone()),
        _ => None,
    };
    (page.rows.iter().map(row).collect(), next)
}

/// Reads events, newest first. Their cursor is the number of the last one.
async fn events(
    app: &App,
    actor: &Actor,
    parameters: &[(String, String)],
    cursor: &str,
) -> Result<Rows, ApiError> {
    let AuditQuery { filter, .. } = AuditQuery::parse(parameters, &[]).map_err(ApiError::Invalid)?;
    let filter = AuditFilter { before: cursor.parse().ok(), ..filter };
    let found = app.directory().audit_events(actor, &filter, PAGE_MAX).await?;
    let is_full = found.len() >= usize::try_from(PAGE_MAX).unwrap_or(usize::MAX);
    let next = found.last().filter(|_| is_full).map(|last| last.id.to_string());
    Ok((found.iter().map(csv_rows::event).collect(), next))
}

/// Makes a cell that no spreadsheet takes for a formula. Programs that split cells at other characters than commas may begin a
/// cell at any of these, so what looks like a formula behind them gets an apostrophe, too.
fn inert(cell: &str) -> String {
    let mut made = String::with_capacity(cell.len() + 1);
    if cell.starts_with(['\t', '\r', '\n']) || cell.trim_start().starts_with(FORMULA_SIGNS) {
        made.push('\'');
    }
    let mut is_start = false;
    for sign in cell.chars() {
        if is_start && FORMULA_SIGNS.contains(&sign) {
            made.push('\'');
        }
        let splits = matches!(sign, ',' | ';' | '|' | '\t' | '\r' | '\n');
        is_start = splits || (is_start && (sign.is_whitespace() || sign == '"'));
        made.push(sign);
    }
    made
}

/// What a formula begins with, also in its wide forms.
const FORMULA_SIGNS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Writes rows as CSV.
fn written<'a>(rows: impl Iterator<Item = Vec<&'a str>>) -> Result<Bytes, ApiError> {
    let broken = |error: String| ApiError::Internal(format!("a list cannot be written as CSV: {error}"));
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.into_iter().map(inert)).map_err(|error| broken(error.to_string()))?;
    }
    writer.into_inner().map(Bytes::from).map_err(|error| broken(error.to_string()))
}

/// The state of an export: what is sent next, and the cursor of the page after it.
struct Export {
    app: App,
    actor: Actor,
    list: List,
    parameters: Vec<(String, String)>,
    piece: Bytes,
    next: Option<String>,
}

impl Export {
    /// Reads the page of a cursor, with the rights that the person has now.
    async fn turn(&mut self, cursor: String) -> Result<(), ApiError> {
        self.actor = self.app.directory().confirm(&self.actor).await?;
        let (rows, next) = self.list.read(&self.app, &self.actor, &self.parameters, cursor).await?;
        self.piece = written(rows.iter().map(|row| row.iter().map(String::as_str).collect()))?;
        self.next = next;
        Ok(())
    }
}

/// Makes the next piece of an export. An error ends the answer early, so that it cannot be taken for a complete one.
async fn next_piece(export: Option<Export>) -> Option<(Result<Bytes, std::io::Error>, Option<Export>)> {
    let mut export = export?;
    let piece = std::mem::take(&mut export.piece);
    let Some(cursor) = export.next.take() else { return Some((Ok(piece), None)) };
    match export.turn(cursor).await {
        Ok(()) => Some((Ok(piece), Some(export))),
        Err(error) => {
            tracing::warn!(?error, "an export of a list ended early");
            Some((Err(std::io::Error::other("the export ended early")), None))
        }
    }
}

async fn answer(app: App, visit: Visit, list: List) -> Result<Response, ApiError> {
    let own = |name: &str| ["done", "undo", "cursor", "limit", "before"].contains(&name);
    let sent = visit.request.query.iter();
    let mut parameters: Vec<_> =
        sent.filter(|(name, value)| !own(name) && !value.is_empty()).cloned().collect();
    if let List::Sessions = list {
        parameters = tokens::session_filters(parameters);
    }
    let mut export =
        Export { app, actor: visit.actor.clone(), list, parameters, piece: Bytes::new(), next: None };
    // The first page is read before the answer begins, so that an early failure still gets a status.
    export.turn(String::new()).await?;
    let head = written(std::iter::once(list.columns().to_vec()))?;
    export.piece = [MARK.as_bytes(), &head, &export.piece].concat().into();
    let mut response = Response::new(Body::from_stream(stream::unfold(Some(export), next_piece)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(list.file()));
    Ok(response)
}

/// The routes of all lists as CSV.
pub(super) fn routes() -> Router<App> {
    let lists = [
        ("/admin/users.csv", List::Users),
        ("/admin/groups.csv", List::Groups),
        ("/admin/tokens.csv", List::Tokens),
        ("/admin/sessions.csv", List::Sessions),
        ("/admin/bin.csv", List::DeletedUsers),
        ("/admin/bin/groups.csv", List::DeletedGroups),
        ("/admin/permissions.csv", List::Permissions),
        ("/admin/audit.csv", List::Events),
    ];
    lists.into_iter().fold(Router::new(), |router, (path, list)| {
        router.route(path, get(move |State(app): State<App>, visit: Visit| answer(app, visit, list)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for formula in
            ["=1+1", "+98 912", "-1", "@SUM(A1)", "\tx", "\rx", "  =x", "\u{ff1d}1", "=", "\u{a0}@x"]
        {
            assert_eq!(inert(formula), format!("'{formula}"), "{formula:?}");
        }
        for (split, inert_text) in
            [("\n=x", "'\n'=x"), ("x;=1", "x;'=1"), ("x; \"@y", "x; \"'@y"), ("=a|-b", "'=a|'-b")]
        {
            assert_eq!(inert(split), inert_text);
        }
        for text in ["", "a=b", "'=x", "12", "\u{634}\u{6cc}", "a, b; c"] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn cells_with_separators_are_quoted() {
        let bytes = written([vec!["a,b", "say \"x\"", "two\nlines", ""]].into_iter()).unwrap();
        assert_eq!(&bytes[..], b"\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",\r\n");
    }
}
