//! Lists as CSV: all rows that the filters of a list find, sent while they are read, page by page. Each page is read with the
//! rights that the person has then.
//!
//! The file is safe for spreadsheets: a cell that one of them would take for a formula gets an apostrophe in front. It begins
//! with a mark of UTF-8, without which some of them would not show names in other scripts.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use csv::{Terminator, WriterBuilder};
use futures_util::stream;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::visit::Visit;
use crate::directory::Actor;
use crate::directory::access::scope_list;
use crate::directory::model::{Group, ListedToken, Timestamp, User, ValidationErrors};
use crate::directory::query::{GroupQuery, PAGE_MAX, Page, PageLink, TokenQuery, UserQuery};
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
}

impl List {
    fn file(self) -> &'static str {
        match self {
            Self::Users => "attachment; filename=\"users.csv\"",
            Self::Groups => "attachment; filename=\"groups.csv\"",
            Self::Tokens => "attachment; filename=\"tokens.csv\"",
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Users => &[
                "id",
                "username",
                "first_name",
                "last_name",
                "email",
                "mobile_number",
                "gender",
                "is_active",
                "is_staff",
                "is_admin",
                "groups",
                "last_login",
                "created_at",
                "updated_at",
            ],
            Self::Groups => &["id", "name", "notes", "users_count", "created_at", "updated_at"],
            Self::Tokens => &[
                "id",
                "name",
                "kind",
                "state",
                "user_id",
                "username",
                "key",
                "scopes",
                "read_only",
                "allowed_networks",
                "created_at",
                "expires_at",
                "last_used_at",
                "revoked_at",
            ],
        }
    }

    /// Reads a page as rows, and the cursor of the next.
    async fn read(
        self,
        app: &App,
        actor: &Actor,
        parameters: &[(String, String)],
    ) -> Result<(Vec<Vec<String>>, Option<String>), ApiError> {
        let (directory, now) = (app.directory(), app.directory().clock().now());
        let invalid = |faults: ValidationErrors| ApiError::Invalid(faults);
        match self {
            Self::Users => {
                let query = UserQuery::parse(parameters).map_err(invalid)?;
                Ok(rows(directory.list_users(actor, &query).await?, user))
            }
            Self::Groups => {
                let query = GroupQuery::parse(parameters).map_err(invalid)?;
                Ok(rows(directory.list_groups(actor, &query).await?, group))
            }
            Self::Tokens => {
                let query = TokenQuery::parse(parameters).map_err(invalid)?;
                Ok(rows(directory.list_tokens(actor, &query).await?, |listed| token(listed, now)))
            }
        }
    }
}

fn rows<T>(page: Page<T>, row: impl Fn(&T) -> Vec<String>) -> (Vec<Vec<String>>, Option<String>) {
    let next = match page.next {
        Some(PageLink::Cursor(cursor)) => Some(cursor),
        _ => None,
    };
    (page.rows.iter().map(row).collect(), next)
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn user(user: &User) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let groups: Vec<_> = user.groups.iter().map(ToString::to_string).collect();
    vec![
        user.id.to_string(),
        user.username.clone(),
        user.first_name.clone(),
        user.last_name.clone(),
        text(&user.email),
        text(&user.mobile_number),
        text(&user.gender),
        user.is_active.to_string(),
        user.is_staff.to_string(),
        user.is_admin.to_string(),
        groups.join(" "),
        time(user.last_login),
        time(Some(user.created_at)),
        time(Some(user.updated_at)),
    ]
}

fn group(group: &Group) -> Vec<String> {
    vec![
        group.id.to_string(),
        group.name.clone(),
        group.notes.clone().unwrap_or_default(),
        group.users_count.to_string(),
        time(Some(group.created_at)),
        time(Some(group.updated_at)),
    ]
}

fn token(listed: &ListedToken, now: Timestamp) -> Vec<String> {
    let token = &listed.token;
    let narrowing = &token.narrowing;
    let scopes = narrowing.scopes.as_ref().map(|scopes| scope_list(scopes).join(" "));
    let networks = narrowing.allowed_networks.as_ref().map(|networks| networks.texts().join(" "));
    vec![
        token.id.to_string(),
        token.name.clone(),
        token.kind.as_str().to_owned(),
        token.state(now).as_str().to_owned(),
        token.user_id.to_string(),
        listed.username.clone().unwrap_or_default(),
        super::words::key_ends(token),
        scopes.unwrap_or_default(),
        narrowing.read_only.to_string(),
        networks.unwrap_or_default(),
        time(Some(token.created_at)),
        time(token.expires_at),
        time(token.last_used_at),
        time(token.revoked_at),
    ]
}

/// Makes a cell that no spreadsheet takes for a formula. Programs that split cells at other characters than commas may begin a
/// cell at any of these, so what looks like a formula behind them gets an apostrophe, too.
fn inert(cell: &str) -> String {
    let mut made = String::with_capacity(cell.len() + 1);
    if cell.starts_with(['\t', '\r', '\n']) {
        made.push('\'');
    }
    let mut is_start = true;
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
        self.parameters.retain(|(name, _)| name != "cursor" && name != "limit");
        self.parameters.push(("cursor".to_owned(), cursor));
        self.parameters.push(("limit".to_owned(), PAGE_MAX.to_string()));
        self.actor = self.app.directory().confirm(&self.actor).await?;
        let (rows, next) = self.list.read(&self.app, &self.actor, &self.parameters).await?;
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
    let own = |name: &str| ["done", "undo", "cursor", "limit"].contains(&name);
    let sent = visit.request.query.iter();
    let parameters = sent.filter(|(name, value)| !own(name) && !value.is_empty()).cloned().collect();
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

/// `GET /admin/users.csv`.
pub(super) async fn users(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    answer(app, visit, List::Users).await
}

/// `GET /admin/groups.csv`.
pub(super) async fn groups(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    answer(app, visit, List::Groups).await
}

/// `GET /admin/tokens.csv`.
pub(super) async fn tokens(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    answer(app, visit, List::Tokens).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for formula in
            ["=1+1", "+98 912", "-1", "@SUM(A1)", "\tx", "\rx", "\n=x", "  =x", "\u{ff1d}1", "=", "\u{a0}@x"]
        {
            assert_eq!(inert(formula), format!("'{formula}"), "{formula:?}");
        }
        for text in ["", "a=b", "'=x", "12", "\u{634}\u{6cc}"] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn cells_with_separators_are_quoted() {
        let bytes = written([vec!["a,b", "say \"x\"", "two\nlines", ""]].into_iter()).unwrap();
        assert_eq!(&bytes[..], b"\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",\r\n");
    }
}
