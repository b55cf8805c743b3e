//! That all requests run the same statements.

use std::sync::Arc;

use super::*;
use crate::directory::clock::Clock;
use crate::directory::model::UserDraft;
use crate::directory::password::Password;
use crate::directory::secrets_key::SecretsKeys;
use crate::directory::store::testing::on_both;

async fn add(directory: &Directory, name: &str, email: Option<&str>, password: bool) {
    let draft = UserDraft {
        username: Some(name.to_owned()),
        email: Some(email.map(str::to_owned)),
        ..UserDraft::default()
    };
    let password = password.then(|| Password::new("an unlikely pass phrase".to_owned()));
    directory.create_user(&Actor::operator("test"), &draft, password).await.unwrap();
}

/// How many statements a request runs.
async fn statements(directory: &Directory, account: ForgottenLogin) -> u64 {
    let request = directory.reset_request(&Origin::default(), &account).unwrap();
    let actor = Actor { who: Who::Anonymous, origin: Origin::default() };
    let work = move |change: &Change<'_, '_>| {
        let before = change.tx.statements();
        answer(change, &request)?;
        Ok(change.tx.statements() - before)
    };
    directory.change(&actor, work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_runs_the_same_statements() {
    on_both(async |mut settings| {
        let clock = Clock::system().unwrap();
        let keys = SecretsKeys::parse(&SecretsKeys::generate(&clock).unwrap()).unwrap();
        settings.messages.keys = Some(Arc::new(keys));
        settings.messages.mail = true;
        settings.messages.most_waiting = 100;
        settings.links.base = Some("https://accounts.example.com".to_owned());
        settings.links.resets_per_account = 2;
        let directory = Directory::open(&settings, clock).await.unwrap();
        add(&directory, "ann", Some("ann@example.com"), true).await;
        add(&directory, "no-mail", None, true).await;
        add(&directory, "no-password", Some("no-password@example.com"), false).await;
        let by_name = |name: &str| ForgottenLogin::Username(name.to_owned());
        let sent = statements(&directory, by_name("ann")).await;
        assert!(sent >= 10, "only {sent} statements");
        for account in [
            by_name("unknown"),
            by_name("no-mail"),
            by_name("no-password"),
            ForgottenLogin::Email("ann@example.com".to_owned()),
            ForgottenLogin::Either("unknown@example.com".to_owned()),
            // Beyond the limit.
            by_name("ann"),
            by_name("ann"),
        ] {
            assert_eq!(statements(&directory, account).await, sent);
        }
    })
    .await;
}
