use axum::http::HeaderMap;
use axum::http::Uri;
use axum::http::header;

use super::PAGES;
use super::accepts;
use super::of;
use crate::http::guard::Immutable;

fn asking(encodings: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, encodings.parse().unwrap());
    headers
}

/// The pages are built before the node by `make build` and `make test`; a bare `cargo test` may come first.
fn built() -> bool {
    let built = PAGES.get_file("index.html").is_some();
    if !built {
        println!("SKIPPED: the dashboard's pages were not built: scripts/web build");
    }
    built
}

#[test]
fn an_encoding_is_used_only_where_it_is_wanted() {
    assert!(accepts(&asking("gzip, deflate, br, zstd"), "br"));
    assert!(accepts(&asking("gzip;q=0.5, BR;q=0.1"), "br"));
    assert!(!accepts(&asking("gzip, br;q=0"), "br"));
    assert!(!accepts(&asking("brotli"), "br"));
    assert!(!accepts(&HeaderMap::new(), "gzip"));
}

#[test]
fn every_address_of_a_page_is_the_page_under_its_own_policy() {
    if !built() {
        return;
    }
    for path in ["/", "/services/lnd", "/nowhere/at/all", "/index.html"] {
        let answer = of(&Uri::from_static(path), &HeaderMap::new()).unwrap();
        let headers = answer.headers();
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains("script-src 'self' 'sha256-"), "{policy}");
        assert!(policy.ends_with("; frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe-inline"), "{policy}");
        assert!(answer.extensions().get::<Immutable>().is_none());
    }
}

#[test]
fn a_file_that_is_not_there_is_no_page() {
    for path in [
        "/_app/immutable/gone.js",
        "/.env",
        "/x.php",
        "/.gitkeep",
        "/index.html.br",
    ] {
        let path: Uri = path.parse().unwrap();
        assert!(of(&path, &HeaderMap::new()).is_err(), "{path}");
    }
}

#[test]
fn files_with_their_content_in_their_name_are_kept_and_come_compressed() {
    if !built() {
        return;
    }
    let entries = PAGES.get_dir("_app/immutable/entry").unwrap().files();
    let mut seen = 0;
    for entry in entries.filter(|one| one.path().extension().is_some_and(|end| end == "js")) {
        let path = format!("/{}", entry.path().display());
        for (wish, answer) in [
            ("br, gzip", Some("br")),
            ("gzip", Some("gzip")),
            ("zstd", None),
        ] {
            let got = of(&path.parse().unwrap(), &asking(wish)).unwrap();
            let encoding = got.headers().get(header::CONTENT_ENCODING);
            assert_eq!(encoding.map(|one| one.to_str().unwrap()), answer, "{path}");
            assert_eq!(got.headers()[header::VARY], "accept-encoding");
            assert!(got.extensions().get::<Immutable>().is_some(), "{path}");
        }
        seen += 1;
    }
    assert!(seen >= 2);
}
