use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::FutureExt as _;

use super::*;
use crate::directory::access::{Actor, Origin};
use crate::directory::model::{Timestamp, User};
use crate::directory::password::{Argon2Hash, EncodedPassword, Hasher, Password, PasswordCheck, QueueClient};
use crate::directory::store::testing::on_both;
use crate::directory::transfer::seed::{SeedRows, SeedUser};
use crate::directory::{Clock, Directory, Settings};

/// Cheap encodings, each with its number of users: 60, 25 and 15 per cent.
const ENCODINGS: [(&str, &str, usize); 3] = [
    (
        "pbkdf2_sha256$1000",
        "pbkdf2_sha256$1000$sguB1cesnsQZvkOcImGKnh$JJ7PUMtEdR+uf1sF6unc32SMF6ofSOHi65nHjvhsZoA=",
        60,
    ),
    ("bcrypt$4", "bcrypt$$2b$04$dqVYqC4sfccxbPej6NPcsO0yaztl3wkxaY9QR8H4MTOb9hQoO/OiW", 25),
    ("pbkdf2_sha1$1000", "pbkdf2_sha1$1000$IEv9svVyaJe6Sn9BjuMF4b$Lk0MVcrlrZXb/kvYsn8wWQ0YKlQ=", 15),
];
/// Stored passwords that cannot be verified.
const WITHOUT: [&str; 3] =
    ["!", "!7p0LAxod8SRCQSrWPohb5UoMuSUkB8fl0zJnSK9f", "md5$salt$3d55ba40e2b0e688aa9fb3ab87e4eeec"];

fn user(id: i64, name: &str, is_active: bool) -> User {
    User { id: id.try_into().unwrap(), is_active, ..User::new(name.into(), Timestamp::EPOCH) }
}

/// Users `user1` to `user100` with the encodings, every fifth of them inactive, and `without1` to `without60`.
async fn filled(settings: &Settings) -> Directory {
    let directory = Directory::open(settings, Clock::system().unwrap()).await.unwrap();
    let stored = ENCODINGS.iter().flat_map(|(_, stored, users)| std::iter::repeat_n(*stored, *users));
    let with = (1..).zip(stored).map(|(id, stored)| SeedUser {
        user: user(id, &format!("user{id}"), id % 5 != 0),
        password: stored.to_owned(),
    });
    let without = (1..=60).map(|n| SeedUser {
        user: user(1000 + n, &format!("without{n}"), true),
        password: WITHOUT[usize::try_from(n).unwrap() % 3].to_owned(),
    });
    let users = with.chain(without).collect();
    let records = SeedRows { groups: vec![], users, tokens: vec![] };
    directory.seed(&Actor::operator("test"), records).await.unwrap();
    directory
}

/// The same with a fixed key, so that every run draws the same decoys.
async fn counted(settings: &Settings) -> Directory {
    let directory = filled(settings).await;
    keep_decoy_key(&directory.store, [7; 32]).await.unwrap();
    directory.count_encodings().await.unwrap();
    directory
}

/// Signs in with a wrong password, from an address of its own, and returns what it was compared with.
async fn compared(directory: &Directory, number: usize, name: &str) -> String {
    let address = Some(format!("10.{}.{}.1", number / 250, number % 250));
    let origin = Origin { address, ..Origin::default() };
    let (hashes, before) = (directory.hasher.count(), directory.hasher.count().get());
    directory.sign_in(&origin, name, Password::new("wrong".into())).await.unwrap_err();
    assert_eq!(hashes.get() - before, 1, "{name}");
    let compared = std::mem::take(&mut *directory.hasher.compared.lock().unwrap());
    let [parameters] = compared.try_into().unwrap();
    parameters
}

/// Issue 13, number 15: the time of a refused sign-in revealed who was imported. The test checks what is computed, not
/// the time. With 600 names, the standard deviation of a share is below 2 per cent. The key is fixed, so nothing varies.
#[tokio::test(flavor = "multi_thread")]
async fn finding_15_unknown_names_are_compared_with_what_users_have_in_their_proportion() {
    on_both(async |settings| {
        let directory = counted(&settings).await;
        let mut shares: BTreeMap<String, usize> = BTreeMap::new();
        for n in 0..600 {
            *shares.entry(compared(&directory, n, &format!("nobody{n}")).await).or_default() += 1;
        }
        assert_eq!(shares.len(), ENCODINGS.len(), "{shares:?}");
        for (parameters, _, users) in ENCODINGS {
            assert!(shares[parameters].abs_diff(users * 6) < 36, "{shares:?}");
        }
    })
    .await;
}

/// Users without a readable password draw like unknown names. Inactive ones are compared with their own password.
#[tokio::test(flavor = "multi_thread")]
async fn finding_15_users_who_cannot_sign_in_cost_what_others_cost() {
    on_both(async |settings| {
        let directory = counted(&settings).await;
        let mut drawn = BTreeMap::new();
        for n in 1..=60 {
            let name = format!("without{n}");
            let found = compared(&directory, n, &name).await;
            assert_eq!(found, directory.hasher.decoy(&name).await.unwrap().parameters());
            *drawn.entry(found).or_insert(0) += 1;
        }
        assert_eq!(drawn.len(), ENCODINGS.len(), "{drawn:?}");
        for (id, wanted) in [(5, ENCODINGS[0].0), (65, ENCODINGS[1].0), (95, ENCODINGS[2].0)] {
            assert_eq!(compared(&directory, 100 + id, &format!("user{id}")).await, wanted);
            assert_eq!(compared(&directory, 200 + id, &format!("user{}", id + 1)).await, wanted);
        }
    })
    .await;
}

/// The key is in the database, so processes that start together, later, or again draw the same.
#[tokio::test(flavor = "multi_thread")]
async fn finding_15_every_process_draws_the_same_decoy_of_a_name() {
    on_both(async |settings| {
        filled(&settings).await;
        let draws = async || {
            let directory = Directory::open(&settings, Clock::system().unwrap()).await.unwrap();
            directory.count_encodings().await.unwrap();
            let mut draws = Vec::new();
            for n in 0..300 {
                draws.push(directory.hasher.decoy(&format!("nobody{n}")).await.unwrap().parameters());
            }
            draws
        };
        let (one, other) = tokio::join!(draws(), draws());
        assert_eq!(one, other);
        assert_eq!(one, draws().await);
    })
    .await;
}

/// Another database has another key, so the decoys of one reveal nothing about another.
#[tokio::test(flavor = "multi_thread")]
async fn finding_15_every_directory_draws_by_a_key_of_its_own() {
    let draws = Mutex::new(Vec::new());
    on_both(async |settings| {
        let directory = filled(&settings).await;
        directory.count_encodings().await.unwrap();
        let mut drawn = String::new();
        for n in 0..300 {
            drawn += &directory.hasher.decoy(&format!("nobody{n}")).await.unwrap().parameters();
        }
        draws.lock().unwrap().push(drawn);
    })
    .await;
    let draws = draws.into_inner().unwrap();
    assert!(draws.len() == 2 && draws[0] != draws[1]);
}

/// Users are imported while the server runs, and the decoys follow with the next count.
#[tokio::test(flavor = "multi_thread")]
async fn finding_15_a_later_count_takes_the_place_of_an_earlier_one() {
    on_both(async |settings| {
        let directory = filled(&settings).await;
        let ours = EncodedPassword::Argon2(Argon2Hash::decoy().unwrap()).parameters();
        let decoy = async || directory.hasher.decoy("nobody").await.unwrap().parameters();
        assert_eq!(decoy().await, ours, "nobody has counted yet");
        directory.count_encodings().await.unwrap();
        assert_ne!(decoy().await, ours);
        let other = ENCODINGS[0].1.replace("$1000$", "$2000$");
        let drawn = async || {
            let mut drawn = 0;
            for n in 0..200 {
                let decoy = directory.hasher.decoy(&format!("nobody{n}")).await.unwrap();
                drawn += u32::from(decoy.parameters() == "pbkdf2_sha256$2000");
            }
            drawn
        };
        assert_eq!(drawn().await, 0);
        let users = (1..=100)
            .map(|n| SeedUser { user: user(2000 + n, &format!("later{n}"), true), password: other.clone() });
        let records = SeedRows { groups: vec![], users: users.collect(), tokens: vec![] };
        directory.seed(&Actor::operator("test"), records).await.unwrap();
        assert_eq!(drawn().await, 0);
        directory.count_encodings().await.unwrap();
        assert!((50..150).contains(&drawn().await));
    })
    .await;
}

/// Between the start of a server and its first count, every sign-in waits. A count that fails ends the wait too.
#[tokio::test]
async fn finding_15_sign_ins_wait_for_the_first_count_and_for_no_other() {
    let hasher = Hasher::new(8, &[]);
    let stored = ENCODINGS[0].1;
    let slot = || hasher.reserve(QueueClient::default()).unwrap();
    let verify = |name, stored| Box::pin(hasher.verify(slot(), name, stored, Password::new("wrong".into())));
    for failed in [true, false] {
        hasher.begin_count();
        let (mut unknown, mut known) = (verify("nobody", None), verify("user1", Some(stored)));
        assert!((&mut unknown).now_or_never().is_none() && (&mut known).now_or_never().is_none());
        assert_eq!(hasher.count().get(), if failed { 0 } else { 2 });
        let mut counts = EncodingCounts::default();
        counts.add(stored);
        let counted = Arc::new(Decoys::new(Zeroizing::new([1; 32]), counts));
        hasher.end_count(if failed { None } else { Some(&counted) });
        assert_eq!(
            (unknown.await.unwrap(), known.await.unwrap()),
            (PasswordCheck::Wrong, PasswordCheck::Wrong)
        );
    }
    let parameters = hasher.decoy("nobody").await.unwrap().parameters();
    hasher.begin_count();
    assert_eq!(hasher.decoy("nobody").now_or_never().unwrap().unwrap().parameters(), parameters);
    hasher.end_count(None);
    assert_eq!(hasher.decoy("nobody").await.unwrap().parameters(), parameters);
    let compared = hasher.compared.lock().unwrap().clone();
    let ours = EncodedPassword::Argon2(Argon2Hash::decoy().unwrap()).parameters();
    assert_eq!(compared, [&ours, ENCODINGS[0].0, ENCODINGS[0].0, ENCODINGS[0].0]);
}
