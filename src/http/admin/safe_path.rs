//! Where a page may lead to after a form: only to a path of the site itself.

use percent_encoding::percent_decode_str;

/// The page that everything else leads to.
pub(super) const HOME: &str = "/admin";
/// The longest path that is kept, in bytes.
const LENGTH_MAX: usize = 2000;

/// Returns a path with its query if it is one of the site, and else the overview. A path that begins with `/admin` cannot
/// name another host. What a page would say was done is left out: the path may come from a link.
pub(super) fn within_site(path: &str) -> String {
    let rest = path.strip_prefix(HOME).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let is_plain = |path: &str| path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    match rest {
        Some(_) if path.len() <= LENGTH_MAX && is_plain(path) => without_notes(path),
        _ => HOME.to_owned(),
    }
}

fn without_notes(path: &str) -> String {
    without(path, &["done", "undo"])
}

/// Takes parameters from the query of a path.
pub(super) fn without(path: &str, names: &[&str]) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let is_named = |pair: &str| {
        let name = percent_decode_str(pair.split('=').next().unwrap_or_default()).decode_utf8_lossy();
        names.contains(&&*name)
    };
    let kept: Vec<_> = query.split('&').filter(|pair| !is_named(pair)).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_within_the_site() {
        for good in ["/admin", "/admin/users", "/admin?x=1", "/admin/users?search=a%20b&cursor="] {
            assert_eq!(within_site(good), good);
        }
        let noted = "/admin/users?done=deleted&search=a&%75ndo=7";
        assert_eq!(within_site(noted), "/admin/users?search=a");
        assert_eq!(within_site("/admin/users?done=deleted"), "/admin/users");
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "/admin\\..\\..",
            "https://evil.example/admin",
            "/administrator",
            "/admin@evil.example",
            "/api",
            "/admin/a b",
            "/admin/\r\nX: y",
            "admin",
            &format!("/admin/{}", "x".repeat(2000)),
        ] {
            assert_eq!(within_site(bad), HOME, "{bad}");
        }
    }
}
