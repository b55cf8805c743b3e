//! The ratchet: every operation of the OpenAPI document is tried by each kind of caller. An operation
//! that is not in the table fails the test, so nothing is ever served untried.

use std::collections::BTreeSet;

use wardroom::http::api;

use crate::support::{Backend, Site, both};

/// Method, path, and the statuses for: nobody, a plain user, staff without a right, an admin.
const OPERATIONS: &[(&str, &str, [u16; 4])] = &[("GET", "/api/users/me", [401, 403, 200, 200])];

/// Every operation of the document.
fn documented() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                found.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    found
}

#[test]
fn every_operation_is_in_the_table() {
    let tried: BTreeSet<_> =
        OPERATIONS.iter().map(|(method, path, _)| ((*method).into(), (*path).into())).collect();
    assert_eq!(documented(), tried);
}

both! {
    async fn each_caller_gets_their_status(backend: Backend) {
        let site = Site::start(backend).await;
        for (method, path, [nobody, plain, staff, admin]) in OPERATIONS {
            assert_eq!(site.request(method, path).send().await.status, *nobody, "nobody: {method} {path}");
            for (who, key, status) in [
                ("plain", &site.plain.key, plain),
                ("staff", &site.staff.key, staff),
                ("admin", &site.admin.key, admin),
            ] {
                let answer = site.request(method, path).token(key).send().await;
                assert_eq!(answer.status, *status, "{who}: {method} {path}");
            }
            assert_eq!(site.request(method, path).token(&site.inactive.key).send().await.status, 401);
        }
    }
}
