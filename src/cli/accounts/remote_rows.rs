//! What the API answers, as the types that the commands show, and what it is sent.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::trail::TrailVerdict;
use crate::cli::report::CliError;
use crate::directory::access::parse_scope;
use crate::directory::authentication::OpenAttempts;
use crate::directory::model::{
    ChainLink, DeletedGroup, DeletedUser, Event, Group, GroupId, KeptDigest, ListedToken, Maker, Narrowing,
    Permission, RecordedEvent, Timestamp, Token, TokenKind, User, UserDraft, UserId, parse_network,
};
use crate::directory::permissions::PermissionHolders;

/// An object of a response, whose fields are read by name.
pub(super) struct RemoteRow<'a>(pub(super) &'a Value);

fn unreadable(field: &str) -> CliError {
    CliError::unreachable(format!("the server's response has no valid {field:?}: is it of another version?"))
}

impl RemoteRow<'_> {
    fn field<T: DeserializeOwned>(&self, name: &str) -> Result<T, CliError> {
        let value = self.0.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|_| unreadable(name))
    }

    fn id<T: TryFrom<i64>>(&self, name: &str) -> Result<T, CliError> {
        T::try_from(self.field::<i64>(name)?).map_err(|_| unreadable(name))
    }

    /// Reads each object of a list.
    pub(super) fn each<T>(
        &self,
        name: &str,
        read: impl Fn(&RemoteRow<'_>) -> Result<T, CliError>,
    ) -> Result<Vec<T>, CliError> {
        let rows = self.0.get(name).and_then(Value::as_array).ok_or_else(|| unreadable(name))?;
        rows.iter().map(|row| read(&RemoteRow(row))).collect()
    }

    pub(super) fn expires_at(&self) -> Result<Option<Timestamp>, CliError> {
        self.field("expires_at")
    }

    pub(super) fn user(&self) -> Result<User, CliError> {
        let groups: Vec<i64> = self.field("groups")?;
        let groups = groups.into_iter().map(|id| GroupId::try_from(id).map_err(|_| unreadable("groups")));
        Ok(User {
            id: self.id("id")?,
            mobile_number: self.field("mobile_number")?,
            email: self.field("email")?,
            avatar: self.field("avatar")?,
            first_name: self.field("first_name")?,
            last_name: self.field("last_name")?,
            gender: self.field("gender")?,
            is_active: self.field("is_active")?,
            is_staff: self.field("is_staff")?,
            is_admin: self.field("is_admin")?,
            last_login: self.field("last_login")?,
            updated_at: self.field("updated_at")?,
            groups: groups.collect::<Result<_, _>>()?,
            ..User::new(self.field("username")?, self.field("created_at")?)
        })
    }

    pub(super) fn deleted_user(&self) -> Result<DeletedUser, CliError> {
        Ok(DeletedUser {
            id: self.id("id")?,
            username: self.field("username")?,
            email: self.field("email")?,
            deleted_at: self.field("deleted_at")?,
            deleted_by: self.field("deleted_by")?,
        })
    }

    pub(super) fn deleted_group(&self) -> Result<DeletedGroup, CliError> {
        Ok(DeletedGroup {
            id: self.id("id")?,
            name: self.field("name")?,
            users_count: self.field("users_count")?,
            deleted_at: self.field("deleted_at")?,
            deleted_by: self.field("deleted_by")?,
        })
    }

    pub(super) fn purge_at(&self) -> Result<Timestamp, CliError> {
        self.field("purge_at")
    }

    pub(super) fn group(&self) -> Result<Group, CliError> {
        Ok(Group {
            id: self.id("id")?,
            name: self.field("name")?,
            notes: self.field("notes")?,
            users_count: self.field("users_count")?,
            created_at: self.field("created_at")?,
            updated_at: self.field("updated_at")?,
        })
    }

    pub(super) fn permission(&self) -> Result<Permission, CliError> {
        Ok(Permission { id: self.id("id")?, code: self.field("code")?, name: self.field("name")? })
    }

    pub(super) fn token(&self, owner: UserId) -> Result<Token, CliError> {
        let (kind, made_by): (String, String) = (self.field("kind")?, self.field("made_by")?);
        let of_sign_in: bool = self.field("of_sign_in")?;
        // The API says whether there is a sign-in, not which; no command shows more.
        let root = if of_sign_in { KeptDigest::from_hex(&"0".repeat(64)) } else { None };
        Ok(Token {
            id: self.id("id")?,
            user_id: owner,
            name: self.field("name")?,
            kind: TokenKind::from_stored(&kind).ok_or_else(|| unreadable("kind"))?,
            prefix: self.field("prefix")?,
            last_four: self.field("last_four")?,
            created_at: self.field("created_at")?,
            expires_at: self.field("expires_at")?,
            revoked_at: self.field("revoked_at")?,
            last_used_at: self.field("last_used_at")?,
            made_by: Maker::from_stored(&made_by).unwrap_or(Maker::Unknown),
            root,
            narrowing: self.narrowing()?,
            // The API does not show it.
            amr: None,
            idle_limit: None,
        })
    }

    /// Reads what a token is narrowed to. Servers of earlier versions have no narrow tokens.
    fn narrowing(&self) -> Result<Narrowing, CliError> {
        if self.0.get("read_only").is_none() {
            return Ok(Narrowing::default());
        }
        let (scopes, networks): (Option<Vec<String>>, Option<Vec<String>>) =
            (self.field("scopes")?, self.field("allowed_networks")?);
        let scopes = scopes.map(|names| names.iter().map(|name| parse_scope(name)).collect());
        let networks = networks.map(|texts| texts.iter().map(|text| parse_network(text)).collect());
        Ok(Narrowing {
            scopes: scopes.transpose().map_err(|_| unreadable("scopes"))?,
            read_only: self.field("read_only")?,
            allowed_networks: networks.transpose().map_err(|_| unreadable("allowed_networks"))?,
        })
    }

    /// Reads a token that names its owner.
    pub(super) fn owned_token(&self) -> Result<Token, CliError> {
        self.token(self.id("user_id")?)
    }

    pub(super) fn listed_token(&self) -> Result<ListedToken, CliError> {
        Ok(ListedToken { token: self.owned_token()?, username: self.field("username")? })
    }

    pub(super) fn holders(&self) -> Result<PermissionHolders, CliError> {
        Ok(PermissionHolders { users: self.field("users_count")?, groups: self.field("groups_count")? })
    }

    pub(super) fn open_attempts(&self) -> Result<OpenAttempts, CliError> {
        Ok(OpenAttempts {
            network: self.field("network")?,
            failures: self.field("failures")?,
            blocked_until: self.field("blocked_until")?,
        })
    }

    pub(super) fn failed_attempts(&self) -> Result<i64, CliError> {
        self.field("failed_attempts")
    }

    pub(super) fn verdict(&self) -> Result<TrailVerdict, CliError> {
        Ok(TrailVerdict {
            good: self.field("good")?,
            head: self.field("head")?,
            broken_event: self.field("broken_event")?,
            why: self.field("why")?,
        })
    }

    pub(super) fn key(&self) -> Result<String, CliError> {
        self.field("key")
    }

    pub(super) fn ended(&self) -> Result<u64, CliError> {
        self.field("ended")
    }

    pub(super) fn event(&self) -> Result<RecordedEvent, CliError> {
        let event = Event {
            actor_kind: self.field("actor_kind")?,
            actor_id: self.field("actor_id")?,
            actor_name: self.field("actor_name")?,
            action: self.field("action")?,
            object_kind: self.field("object_kind")?,
            object_id: self.field("object_id")?,
            object_name: self.field("object_name")?,
            changes: self.0.get("changes").map(ToString::to_string).unwrap_or_default(),
            address: self.field("address")?,
            request_id: self.field("request_id")?,
        };
        let link = ChainLink { previous_hash: Vec::new(), hash: Vec::new() };
        Ok(RecordedEvent { id: self.field("id")?, at: self.field("at")?, event, link })
    }
}

/// The body that writes the fields of a draft.
pub(super) fn body_of_user(draft: &UserDraft) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        body.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("username", draft.username.as_ref().map(|name| json!(name)));
    put("mobile_number", draft.mobile_number.as_ref().map(|number| json!(number)));
    put("email", draft.email.as_ref().map(|email| json!(email)));
    put("first_name", draft.first_name.as_ref().map(|name| json!(name)));
    put("last_name", draft.last_name.as_ref().map(|name| json!(name)));
    put("gender", draft.gender.as_ref().map(|gender| json!(gender)));
    put("is_active", draft.is_active.map(Value::from));
    put("is_staff", draft.is_staff.map(Value::from));
    put("is_admin", draft.is_admin.map(Value::from));
    put("groups", draft.groups.as_ref().map(|ids| json!(ids)));
    put("permissions", draft.permissions.as_ref().map(|ids| json!(ids)));
    put("sign_out", draft.sign_out.then_some(Value::Bool(true)));
    body
}
