//! `wardroom token find`.

use std::path::PathBuf;

use clap::Args;

use super::keys::KeySource;
use super::view::{listed_json, table};
use crate::cli::accounts::Accounts;
use crate::cli::lists::ListParameter;
use crate::cli::report::{CliError, Report};
use crate::directory::query::PageLink;

#[derive(Args)]
#[group(id = "what", required = true, multiple = false)]
pub(in crate::cli) struct WhatIsKnown {
    /// Read the key from the first line of standard input.
    #[arg(long)]
    key_stdin: bool,
    /// Read the key from the first line of this file.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Only the first characters of the key are known, as lists and logs show them, such as wrd_h3Kd. It needs --last.
    #[arg(long, value_name = "TEXT", requires = "last")]
    prefix: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct FindToken {
    #[command(flatten)]
    known: WhatIsKnown,
    /// The last characters of the key, as lists and logs show them, such as Yc0q.
    #[arg(long, value_name = "TEXT", requires = "prefix")]
    last: Option<String>,
}

pub(super) async fn find(accounts: &Accounts, args: FindToken) -> Result<Report, CliError> {
    let FindToken { known: WhatIsKnown { key_file, prefix, .. }, last } = args;
    let found = match (prefix, last) {
        (Some(prefix), Some(last)) => with_ends(accounts, &format!("{prefix}...{last}")).await?,
        _ => {
            let source = key_file.as_deref().map_or(KeySource::StandardInput, KeySource::File);
            vec![accounts.find_token(&source.first_key()?).await?]
        }
    };
    let now = accounts.now();
    let json = found.iter().map(|listed| listed_json(listed, now)).collect();
    Ok(Report::list(table(&found, true, now), json, None))
}

/// Returns the tokens whose keys have these ends. There can be several.
async fn with_ends(
    accounts: &Accounts,
    ends: &str,
) -> Result<Vec<crate::directory::model::ListedToken>, CliError> {
    let parameter = |name: &str, value: &str| -> ListParameter { (name.to_owned(), value.to_owned()) };
    let (mut found, mut cursor) = (Vec::new(), Some(String::new()));
    while let Some(from) = cursor {
        let page = [parameter("key", ends), parameter("limit", "1000"), parameter("cursor", &from)];
        let page = accounts.tokens(&page).await?;
        found.extend(page.rows);
        cursor = match page.next {
            Some(PageLink::Cursor(next)) => Some(next),
            Some(PageLink::Offset(_)) | None => None,
        };
    }
    match found.is_empty() {
        true => Err(CliError::not_found(&["there is no token whose key has these ends".to_owned()])),
        false => Ok(found),
    }
}
