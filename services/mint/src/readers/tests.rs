use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Reader, broken, may_read};

const PASSWORD: &str = "0123456789abcdef";

fn readers(text: &str) -> Result<Vec<Reader>, toml::de::Error> {
    #[derive(serde::Deserialize)]
    struct File {
        readers: Vec<Reader>,
    }
    toml::from_str::<File>(text).map(|file| file.readers)
}

fn two() -> Vec<Reader> {
    readers(&format!(
        "[[readers]]\nname = \"node\"\npassword = \"{PASSWORD}\"\n[[readers]]\nname = \"metrics\"\npassword = \"{PASSWORD}{PASSWORD}\"\n"
    ))
    .unwrap()
}

fn asks(authorization: &str) -> bool {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(authorization).unwrap();
    headers.insert(header::AUTHORIZATION, value);
    may_read(&two(), &headers)
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[test]
fn only_a_name_with_its_own_password_reads() {
    assert!(asks(&basic(&format!("node:{PASSWORD}"))));
    assert!(asks(
        &basic(&format!("node:{PASSWORD}")).replacen("Basic", "basic", 1)
    ));
    for wrong in [
        basic(&format!("metrics:{PASSWORD}")),
        basic(&format!("node:{PASSWORD}{PASSWORD}")),
        basic(&format!("other:{PASSWORD}")),
        basic("node:"),
        basic("node"),
        basic(":"),
        format!("Bearer {PASSWORD}"),
        "Basic".to_owned(),
        "Basic %".to_owned(),
        PASSWORD.to_owned(),
    ] {
        assert!(!asks(&wrong), "{wrong}");
    }
    assert!(!may_read(&two(), &HeaderMap::new()));
}

#[test]
fn without_readers_everybody_reads() {
    assert!(may_read(&[], &HeaderMap::new()));
}

#[test]
fn no_password_is_kept_or_shown() {
    let shown = format!("{:?}", two());
    assert!(
        shown.contains("node") && !shown.contains(PASSWORD),
        "{shown}"
    );
    let short =
        readers("[[readers]]\nname = \"node\"\npassword = \"0123456789abcde\"\n").unwrap_err();
    assert!(short.message().contains("at least 16"), "{short}");
    let bare = readers("[[readers]]\nname = \"node\"\npassword = 1234567890123456\n").unwrap_err();
    let said = bare.message();
    assert!(said.contains("quotes") && !said.contains("1234"), "{said}");
}

#[test]
fn names_are_their_own_and_can_be_sent() {
    assert!(!broken(&two()));
    for names in [["a", "a"], ["", "b"], ["a:b", "c"], ["a\u{7}", "c"]] {
        let text: String = names
            .iter()
            .map(|name| {
                format!("[[readers]]\nname = {name:?}\npassword = \"{PASSWORD}\"\n")
                    .replace("\\u{7}", "\\u0007")
            })
            .collect();
        assert!(broken(&readers(&text).unwrap()), "{names:?}");
    }
}
