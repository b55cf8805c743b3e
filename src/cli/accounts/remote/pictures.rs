//! Users with their pictures: a picture is sent as a file of a form.

use bytes::Bytes;
use http::Method;
use serde_json::{Map, Value, json};

use super::super::remote_rows::{RemoteRow, body_of_user};
use super::{RemoteAccounts, refusal};
use crate::cli::accounts::client::RequestBody;
use crate::cli::accounts::picture::PictureChange;
use crate::cli::report::CliResult;
use crate::directory::model::{User, UserDraft, UserId};
use crate::directory::password::Password;

impl RemoteAccounts {
    pub(in crate::cli::accounts) async fn create_user_with(
        &self,
        draft: &UserDraft,
        password: Option<Password>,
        picture: PictureChange,
    ) -> CliResult<User> {
        let mut body = body_of_user(draft);
        body.extend(password.map(|password| ("password".to_owned(), json!(password.reveal()))));
        self.write(Method::POST, "/api/users", body, picture).await
    }

    pub(in crate::cli::accounts) async fn change_user_with(
        &self,
        user: UserId,
        draft: &UserDraft,
        picture: PictureChange,
    ) -> CliResult<User> {
        self.write(Method::PATCH, &format!("/api/users/{user}"), body_of_user(draft), picture).await
    }

    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        mut fields: Map<String, Value>,
        picture: PictureChange,
    ) -> CliResult<User> {
        let body = match picture {
            PictureChange::None => {
                fields.insert("avatar".to_owned(), Value::Null);
                RequestBody::json(&Value::Object(fields))
            }
            PictureChange::New(content) => form(&self.boundary()?, &fields, &content),
        };
        let response = self.client.send_body(method, path, Some(body), None).await?;
        if response.status >= 300 {
            return Err(refusal(&response));
        }
        RemoteRow(&response.json).user()
    }

    /// A text that no file contains by chance.
    fn boundary(&self) -> CliResult<String> {
        Ok(self.clock.salt()?.iter().fold("wardroom-".to_owned(), |text, byte| format!("{text}{byte:02x}")))
    }
}

/// Writes fields and a picture as a form.
fn form(boundary: &str, fields: &Map<String, Value>, picture: &Bytes) -> RequestBody {
    let mut body = Vec::with_capacity(picture.len() + 4096);
    let mut part = |name: &str, more: &str, content: &[u8]| {
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    for (name, value) in fields {
        match value {
            Value::Array(values) if values.is_empty() => part(name, "", b""),
            Value::Array(values) => values.iter().for_each(|value| part(name, "", text(value).as_bytes())),
            value => part(name, "", text(value).as_bytes()),
        }
    }
    // The server needs a name and ignores it.
    part("avatar", "; filename=\"avatar\"", picture);
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    RequestBody { media_type: format!("multipart/form-data; boundary={boundary}"), bytes: body.into() }
}

/// A value as a form has it. Null is an empty text.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
