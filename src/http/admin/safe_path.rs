//! Where a page may lead to after a form: only to a path of the site itself.

/// The page that everything else leads to.
pub(super) const HOME: &str = "/admin";
/// The longest path that is kept, in bytes.
const LENGTH_MAX: usize = 2000;

/// Returns a path with its query if it is one of the site, and else the overview. A path that begins with `/admin` cannot
/// name another host.
pub(super) fn within_site(path: &str) -> &str {
    let rest = path.strip_prefix(HOME).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let is_plain = |path: &str| path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    match rest {
        Some(_) if path.len() <= LENGTH_MAX && is_plain(path) => path,
        _ => HOME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_within_the_site() {
        for good in ["/admin", "/admin/users", "/admin?x=1", "/admin/users?search=a%20b&cursor="] {
            assert_eq!(within_site(good), good);
        }
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
