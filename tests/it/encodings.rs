//! What a request says about the encoding of its body and its query is read. What cannot be taken is refused by name,
//! and nothing is replaced.

use crate::support::{Answer, Backend, Site, both};

const FORM: &str = "application/x-www-form-urlencoded";

async fn patch(site: &Site, media_type: &str, body: &[u8]) -> Answer {
    site.request("PATCH", "/api/users/me").token(&site.alex.key).body(media_type, body).send().await
}

/// Sends a body for each row and compares the stored first name, or the refusal.
async fn table(site: &Site, rows: &[(&str, &[u8], Result<&str, &str>)]) {
    for (media_type, body, expected) in rows {
        let before = site.me(&site.alex.key).send().await.body;
        let answer = patch(site, media_type, body).await;
        let about = format!("{media_type} {}", body.escape_ascii());
        match expected {
            Ok(name) => {
                assert_eq!(
                    (answer.status, &answer.json()["first_name"]),
                    (200, &serde_json::json!(name)),
                    "{about}"
                );
            }
            Err(refusal) => {
                assert_eq!(answer.to_string(), *refusal, "{about}");
                assert_eq!(site.me(&site.alex.key).send().await.body, before, "{about}");
            }
        }
    }
}

both! {
    async fn a_form_is_utf8_or_of_the_charset_that_it_names(backend: Backend) {
        let site = Site::start(backend).await;
        let not_utf8 = r#"400 {"first_name":["Not valid UTF-8. Send UTF-8, or name the charset in the Content-Type."]}"#;
        table(&site, &[
            (FORM, b"first_name=Ren%C3%A9", Ok("René")),
            (FORM, "first_name=R\u{e9}n\u{e9}".as_bytes(), Ok("Réné")),
            (FORM, b"first_name=Ren%E9", Err(not_utf8)),
            (FORM, b"first_name=Ren\xe9", Err(not_utf8)),
            (FORM, b"first_name=%C3", Err(not_utf8)),
            (FORM, b"first_name=%ED%A0%80", Err(not_utf8)),
            (FORM, b"first_n%E9me=x", Err(r#"400 {"first_n%E9me":["Not valid UTF-8. Send UTF-8, or name the charset in the Content-Type."]}"#)),
            ("application/x-www-form-urlencoded; charset=iso-8859-1", b"first_name=Ren%E9", Ok("René")),
            ("application/x-www-form-urlencoded; charset=\"Latin1\"", b"first_name=R\xe9n\xe9", Ok("Réné")),
            ("application/x-www-form-urlencoded;charset=windows-1251", b"first_name=%CC%E8%F0", Ok("Мир")),
            ("application/x-www-form-urlencoded; charset=UTF-8", b"first_name=Ren%E9", Err(r#"400 {"first_name":["Not valid UTF-8."]}"#)),
            ("application/x-www-form-urlencoded; charset=shift_jis", b"first_name=%93", Err(r#"400 {"first_name":["Not valid Shift_JIS."]}"#)),
            ("application/x-www-form-urlencoded; charset=klingon", b"first_name=x", Err(r#"415 {"detail":"Unsupported charset \"klingon\" in request."}"#)),
            ("application/x-www-form-urlencoded; charset=utf-16", b"first_name=x", Err(r#"415 {"detail":"Unsupported charset \"UTF-16LE\" for a form in request."}"#)),
        ]).await;
    }
}

both! {
    async fn json_is_utf8_or_of_the_charset_that_it_names(backend: Backend) {
        let site = Site::start(backend).await;
        let utf16: Vec<u8> = "\u{feff}{\"first_name\": \"Zoë\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        table(&site, &[
            ("application/json", "{\"first_name\": \"René\"}".as_bytes(), Ok("René")),
            ("application/json", b"\xef\xbb\xbf{\"first_name\": \"Bom\"}", Ok("Bom")),
            ("application/json; charset=utf-8", b"\xef\xbb\xbf{\"first_name\": \"Bam\"}", Ok("Bam")),
            ("application/json; charset=iso-8859-1", b"{\"first_name\": \"Ren\xe9\"}", Ok("René")),
            ("application/json; charset=utf-16", &utf16, Ok("Zoë")),
            ("application/json", b"{\"first_name\": \"Ren\xe9\"}", Err(r#"400 {"detail":"JSON parse error - the body is not valid UTF-8"}"#)),
            ("application/json", &utf16, Err(r#"400 {"detail":"JSON parse error - the body is not valid UTF-8"}"#)),
            ("application/json; charset=klingon", b"{}", Err(r#"415 {"detail":"Unsupported charset \"klingon\" in request."}"#)),
        ]).await;
    }
}

both! {
    async fn each_part_of_a_multipart_form_is_read_as_it_says(backend: Backend) {
        let site = Site::start(backend).await;
        let part = |lines: &[u8], text: &[u8]| {
            [b"--b\r\nContent-Disposition: form-data; name=\"first_name\"", lines, b"\r\n\r\n", text, b"\r\n--b--\r\n"].concat()
        };
        let form = "multipart/form-data; boundary=b";
        let file = r#"400 {"first_name":["Not a valid string."]}"#;
        table(&site, &[
            (form, &part(b"", "René".as_bytes()), Ok("René")),
            (form, &part(b"", b"Ren\xe9"), Err(r#"400 {"first_name":["Not valid UTF-8. Send UTF-8, or name the charset in the Content-Type."]}"#)),
            (form, &part(b"\r\nContent-Type: text/plain; charset=iso-8859-1", b"Zo\xeb"), Ok("Zoë")),
            ("multipart/form-data; charset=latin1; boundary=b", &part(b"", b"Ren\xe9"), Ok("René")),
            (form, &part(b"\r\nContent-Type: text/plain; charset=x-none", b"x"), Err(r#"415 {"detail":"Unsupported charset \"x-none\" in request."}"#)),
            (form, &part(b"\r\nContent-Transfer-Encoding: base64", b"eA=="), Err(r#"400 {"detail":"Multipart form parse error - first_name: the Content-Transfer-Encoding \"base64\" is not supported, send 8bit"}"#)),
            (form, &part(b"; filename=\"a.png\"", b"x"), Err(file)),
            (form, &part(b"; filename=\"\xe9.png\"", b"x"), Err(file)),
            (form, b"--b\r\nContent-Disposition: form-data; name=\"\xe9\"\r\n\r\nx\r\n--b--\r\n", Err(r#"400 {"detail":"Multipart form parse error - a part has no name, or one that is not UTF-8"}"#)),
        ]).await;
    }
}

both! {
    async fn a_content_coding_is_refused_by_name(backend: Backend) {
        let site = Site::start(backend).await;
        for (codings, refused) in [
            (&["gzip"][..], Some("gzip")),
            (&["br"], Some("br")),
            (&["Identity, x-Gzip"], Some("x-Gzip")),
            (&["identity", "deflate"], Some("deflate")),
            (&["caf\u{e9}"], Some("caf\u{c3}\u{a9}")),
            (&["identity"], None),
            (&[" ,"], None),
            (&[], None),
        ] {
            let request = site.request("PATCH", "/api/users/me").token(&site.alex.key).body("application/json", r#"{"first_name": "Ann"}"#);
            let answer = codings.iter().fold(request, |request, coding| request.header("Content-Encoding", coding)).send().await;
            match refused {
                None => assert_eq!(answer.status, 200, "{codings:?}: {answer}"),
                Some(coding) => {
                    let expected = format!(r#"415 {{"detail":"Unsupported content encoding \"{coding}\" in request."}}"#);
                    assert_eq!(answer.to_string(), expected);
                    assert_eq!(answer.header("accept-encoding"), Some("identity"));
                }
            }
        }
        // On every route that reads a body, and after everything else was checked.
        let sign_in = site.request("POST", "/api/users/auth/pwd/signin").header("Content-Encoding", "gzip").body("application/json", "x");
        assert_eq!(sign_in.send().await.status, 415);
        let stranger = site.request("PATCH", "/api/users/me").header("Content-Encoding", "gzip").body("application/json", "x");
        assert_eq!(stranger.send().await.status, 401);
    }
}

both! {
    /// The default of many HTTP clients, `curl -d` among them, is a form.
    async fn json_with_the_wrong_label_says_so(backend: Backend) {
        let site = Site::start(backend).await;
        let mislabelled = r#"400 {"detail":"The body is JSON, but its Content-Type says application/x-www-form-urlencoded: send Content-Type: application/json."}"#;
        for body in [r#"{"first_name": "Ann"}"#, "  {\"first_name\": \"a=b&c\"}", "%7B%22first_name%22%3A%22Ann%22%7D", "[1]", "\u{feff}{}"] {
            assert_eq!(patch(&site, FORM, body.as_bytes()).await.to_string(), mislabelled, "{body}");
        }
        let body = r#"{"first_name": "Ann"}"#;
        let unlabelled = site.request("PATCH", "/api/users/me").token(&site.alex.key).header("Content-Length", "21").raw_body(body);
        assert_eq!(unlabelled.send().await.to_string(), r#"415 {"detail":"Unsupported media type \"\" in request. The body looks like JSON: send Content-Type: application/json."}"#);
        let unlabelled = site.request("PATCH", "/api/users/me").token(&site.alex.key).header("Content-Length", "3").raw_body("a=b");
        assert_eq!(unlabelled.send().await.to_string(), r#"415 {"detail":"Unsupported media type \"\" in request."}"#);
        assert_eq!(patch(&site, "text/plain", body.as_bytes()).await.to_string(), r#"415 {"detail":"Unsupported media type \"text/plain\" in request."}"#);
        assert_eq!(patch(&site, "text/caf\u{e9}", b"x").await.to_string(), "415 {\"detail\":\"Unsupported media type \\\"text/caf\u{c3}\u{a9}\\\" in request.\"}");
        assert_eq!(site.me(&site.alex.key).send().await.json()["first_name"], "Alex");
    }
}

both! {
    /// No query is read with replaced characters, on any route.
    async fn a_query_that_is_not_utf8_is_refused(backend: Backend) {
        let site = Site::start(backend).await;
        for (path, name) in [
            ("/api/users/me?fields=%ff", "fields"),
            ("/api/users?search=%ff", "search"),
            ("/api/users?zz=1&username=a%C0%AF", "username"),
            ("/api/users/groups?search=%ED%A0%80", "search"),
            ("/api/users/deleted?search=%ff", "search"),
            ("/api/users/permissions?search=%ff", "search"),
            ("/api/users/permissions?ordering=%ff", "ordering"),
            ("/api/users/audit?address=%ff", "address"),
            ("/api/users/audit/export?action=%ff", "action"),
        ] {
            let answer = site.get(path).token(&site.admin.key).send().await;
            assert_eq!(answer.to_string(), format!(r#"400 {{"{name}":["Not valid UTF-8."]}}"#), "{path}");
        }
        // Parameters that a route does not read are ignored there.
        assert_eq!(site.get("/api/users/me?x=%ff").token(&site.alex.key).send().await.status, 200);
        assert_eq!(site.get("/api/users/me?format=%ff").token(&site.alex.key).send().await.status, 404);
        // A header that is not ASCII hides nothing that is.
        let accept = site.get("/api/users/me").token(&site.alex.key).header("Accept", "text/caf\u{e9}, application/json");
        assert_eq!(accept.send().await.status, 200);
    }
}
