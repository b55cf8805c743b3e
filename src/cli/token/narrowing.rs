//! The flags that narrow a token: `--scope`, `--read-only`, `--network`, and those that undo them.

use clap::Args;

use crate::directory::access::{parse_scope, scope_name};
use crate::directory::model::parse_network;
use crate::directory::tokens::NarrowingDraft;

/// What a new token is narrowed to.
#[derive(Args)]
pub(super) struct Narrow {
    /// Let the token do only this: me_read, me_write, the name of a built-in permission such as user_read, or the code of
    /// another permission. It can be given several times, or as a list with commas. A token without scopes may do everything
    /// that its owner may. A key of `--remote` that is narrow passes on what it is narrowed to.
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', value_parser = scope)]
    scope: Vec<String>,
    /// Let the token only read.
    #[arg(long)]
    read_only: bool,
    /// Let the token be used only from this network, such as 10.20.0.0/16, 2001:db8::/32 or one address. It can be given up
    /// to 20 times, or as a list with commas. A token without networks may be used from anywhere.
    #[arg(long, value_name = "NETWORK", value_delimiter = ',', value_parser = network)]
    network: Vec<String>,
}

/// What a token no longer is narrowed to.
#[derive(Args)]
pub(super) struct Widen {
    /// Let the token do everything that its owner may.
    #[arg(long, conflicts_with = "scope")]
    all_scopes: bool,
    /// Let the token also write.
    #[arg(long, conflicts_with = "read_only")]
    read_write: bool,
    /// Let the token be used from anywhere.
    #[arg(long, conflicts_with = "network")]
    any_network: bool,
}

impl Narrow {
    /// Returns what was given.
    pub(super) fn draft(self) -> NarrowingDraft {
        let given = |values: Vec<String>| (!values.is_empty()).then_some(Some(values));
        NarrowingDraft {
            scopes: given(self.scope),
            read_only: self.read_only.then_some(true),
            allowed_networks: given(self.network),
        }
    }
}

impl Widen {
    /// Adds what was given.
    pub(super) fn add_to(&self, draft: NarrowingDraft) -> NarrowingDraft {
        NarrowingDraft {
            scopes: if self.all_scopes { Some(None) } else { draft.scopes },
            read_only: if self.read_write { Some(false) } else { draft.read_only },
            allowed_networks: if self.any_network { Some(None) } else { draft.allowed_networks },
        }
    }
}

fn scope(text: &str) -> Result<String, String> {
    parse_scope(text).map(scope_name).map_err(|violation| violation.to_string())
}

fn network(text: &str) -> Result<String, String> {
    parse_network(text).map(|network| network.to_string()).map_err(|violation| violation.to_string())
}
