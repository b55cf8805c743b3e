//! Guessing codes: tries, waits, and the end of the path after a hundred failures.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use wardroom::directory::authentication::CodeBinding;
use wardroom::directory::model::{CodeTarget, TypedCode, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::{Error, Origin};

use crate::support::codes::{ask, code, codes_site, deliver, other_than, pass, replica, verify};
use crate::support::site::operator;
use crate::support::{Backend, Site, both};

const NUMBER: &str = "+15550123";
const HERE: &str = "192.0.2.1";
const WRONG: &str = r#"400 {"code":["Invalid code."]}"#;
const PASSWORD: &str = "an unlikely pass phrase";

fn alex() -> UserKey {
    UserKey::Id(42.try_into().unwrap())
}

async fn sign_in(site: &Site, from: &str) -> u16 {
    let body = json!({ "username": "alex_thompson", "password": PASSWORD }).to_string();
    let request = site.request("POST", "/api/users/auth/pwd/signin").header("X-Forwarded-For", from);
    request.body("application/json", body).send().await.status
}

both! {
    /// Line 5: five tries, wherever they come from, and then the code is dead. The answer stays the same.
    async fn a_code_dies_with_its_fifth_try(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        ask(&site, HERE, NUMBER).await;
        let right = code(&site).await;
        for at in 0..5 {
            let answer = verify(&site, &format!("10.0.{at}.1"), NUMBER, &other_than(&right)).await;
            assert_eq!(answer.to_string(), WRONG, "{at}");
        }
        assert_eq!(verify(&site, "10.0.9.1", NUMBER, &right).await.to_string(), WRONG);
        assert_eq!(ask(&site, HERE, NUMBER).await.status, 200);
        assert!(deliver(site.directory()).await.is_empty(), "there is no new one before the end");
        pass(&site, Duration::from_mins(5));
        ask(&site, HERE, NUMBER).await;
        let right = code(&site).await;
        for at in 0..4 {
            verify(&site, &format!("10.0.{at}.2"), NUMBER, &other_than(&right)).await;
        }
        assert_eq!(verify(&site, "10.0.9.2", NUMBER, &right).await.status, 200, "four are not five");
    }
}

both! {
    /// Line 6: wrong codes and wrong passwords are counted together, of the account and of the client. A number without an
    /// account is counted alike.
    async fn wrong_codes_make_the_client_wait_like_wrong_passwords(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        site.directory().set_password(&operator(), &alex(), Password::new(PASSWORD.into())).await.unwrap();
        let unknown = "+49 711 5555555";
        for number in [NUMBER, unknown] {
            ask(&site, HERE, number).await;
        }
        let right = code(&site).await;
        let mut shapes = Vec::new();
        for number in [NUMBER, unknown] {
            let mut shape = Vec::new();
            for _ in 0..7 {
                shape.push(verify(&site, HERE, number, &other_than(&right)).await.to_string());
            }
            assert_eq!(shape[..6], [WRONG; 6]);
            assert!(shape[6].starts_with("429 [retry-after: "), "{}", shape[6]);
            shapes.push(shape);
        }
        assert_eq!(shapes[0], shapes[1]);
        // A password of the same account waits as well, and not elsewhere.
        assert_eq!(sign_in(&site, HERE).await, 429);
        assert_eq!(sign_in(&site, "192.0.2.2").await, 200);
        // Fifty of one client, for whatever numbers, make it wait for every number.
        for at in 0..60 {
            let answer = verify(&site, "192.0.2.9", &format!("+4971180000{at}"), "012345").await;
            assert!([400, 429].contains(&answer.status), "{answer}");
        }
        assert_eq!(verify(&site, "192.0.2.9", "+49711900000", "012345").await.status, 429);
        assert_eq!(verify(&site, "192.0.2.10", "+49711900000", "012345").await.status, 400);
    }
}

both! {
    /// Line 6: a hundred wrong codes in a row stop codes for the account, the right one included, until a password is given.
    async fn a_hundred_wrong_codes_stop_the_path(backend: Backend) {
        let site = codes_site(backend, |settings| (settings.per_account_hour, settings.per_account_day) = (1_000, 1_000)).await;
        site.directory().set_password(&operator(), &alex(), Password::new(PASSWORD.into())).await.unwrap();
        site.database.sql("INSERT INTO code_failures (user_id, failures) VALUES (42, 96)").await;
        ask(&site, "10.0.0.1", NUMBER).await;
        let right = code(&site).await;
        let failures = "SELECT coalesce(sum(failures), 0) FROM code_failures WHERE user_id = 42";
        let failures = failures.replace("coalesce(sum(failures), 0)", "CAST(coalesce(sum(failures), 0) AS BIGINT)");
        for at in 0..3 {
            verify(&site, &format!("10.1.{at}.1"), NUMBER, &other_than(&right)).await;
        }
        assert_eq!(site.database.number(&failures).await, 99);
        assert_eq!(verify(&site, "10.2.0.1", NUMBER, &right).await.status, 200, "a success after 99");
        assert_eq!(site.database.number(&failures).await, 0, "the next row begins");
        site.database.sql("INSERT INTO code_failures (user_id, failures) VALUES (42, 99)").await;
        ask(&site, "10.0.0.1", NUMBER).await;
        let right = code(&site).await;
        verify(&site, "10.3.0.1", NUMBER, &other_than(&right)).await;
        assert_eq!(site.database.number(&failures).await, 100);
        assert_eq!(verify(&site, "10.3.0.2", NUMBER, &right).await.to_string(), WRONG, "the right one is too late");
        pass(&site, Duration::from_hours(30 * 24));
        let other = replica(&site, |_| {}).await;
        assert_eq!(ask(&site, "10.0.0.1", NUMBER).await.to_string(), r#"200 {"ttl":300}"#);
        assert!(deliver(&other).await.is_empty(), "no time heals it");
        // A code that is guessed at without one being out is no failure of the account.
        verify(&site, "10.3.0.3", NUMBER, "012345").await;
        assert_eq!(site.database.number(&failures).await, 100);
        assert_eq!(sign_in(&site, "10.4.0.1").await, 200);
        assert_eq!(site.database.number(&failures).await, 0);
        pass(&site, Duration::from_mins(6));
        ask(&site, "10.0.0.1", NUMBER).await;
        let right = code(&site).await;
        assert_eq!(verify(&site, "10.5.0.1", NUMBER, &right).await.status, 200);
        // An account without a password is unlocked by who may unlock it.
        site.database.sql("INSERT INTO code_failures (user_id, failures) VALUES (42, 100)").await;
        site.directory().unlock_users(&operator(), vec![alex()]).await.unwrap();
        assert_eq!(site.database.number(&failures).await, 0);
    }
}

both! {
    /// Line 5: of many who give the right code at once on two replicas, one gets a token.
    async fn two_who_give_a_code_at_once_get_one_token(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        let replicas = [replica(&site, |_| {}).await, replica(&site, |_| {}).await];
        for round in 0..3 {
            ask(&site, &format!("10.0.{round}.1"), NUMBER).await;
            let right = code(&site).await;
            let tries = (0..4_usize).map(|at| {
                let target = CodeTarget::of_number(&NUMBER.parse().unwrap(), None);
                let origin = Origin { address: Some(format!("10.{round}.{at}.9")), ..Origin::default() };
                let (server, typed) = (&replicas[at % 2], TypedCode::new(&right));
                async move { server.sign_in_with_code(&origin, CodeBinding::Target(target), typed).await }
            });
            let results = join_all(tries).await;
            let winners = results.iter().filter(|result| result.is_ok()).count();
            let losers = results.iter().filter(|result| {
                result.as_ref().is_err_and(|refused| matches!(refused.error, Error::Invalid(_)))
            });
            assert_eq!((winners, losers.count()), (1, 3));
        }
        let tokens = "SELECT count(*) FROM tokens WHERE kind = 'sign_in'";
        assert_eq!(site.database.number(tokens).await, 3);
    }
}

both! {
    /// Five tries are five, also if fifty come at once on two replicas.
    async fn tries_at_once_are_counted_one_by_one(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        let replicas = [replica(&site, |_| {}).await, replica(&site, |_| {}).await];
        ask(&site, HERE, NUMBER).await;
        let right = code(&site).await;
        let wrong = other_than(&right);
        let tries = (0..50_usize).map(|at| {
            let target = CodeTarget::of_number(&NUMBER.parse().unwrap(), None);
            let origin = Origin { address: Some(format!("10.0.{at}.9")), ..Origin::default() };
            let (server, typed) = (&replicas[at % 2], TypedCode::new(&wrong));
            async move { server.sign_in_with_code(&origin, CodeBinding::Target(target), typed).await }
        });
        assert!(join_all(tries).await.iter().all(Result::is_err));
        let failures = "SELECT failures FROM code_failures WHERE user_id = 42";
        assert_eq!(site.database.number(failures).await, 5, "a try of a dead code is no guess");
        assert_eq!(verify(&site, "10.9.9.9", NUMBER, &right).await.to_string(), WRONG);
    }
}
