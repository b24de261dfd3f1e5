use super::*;

fn misread(text: &str) -> Misread {
    read(text).expect_err(text)
}

#[test]
fn each_message_of_a_client_is_read() {
    assert!(
        matches!(read(r#"["REQ","a",{},{"limit":1}]"#), Ok(Request::Subscribe(_, f)) if f.len() == 2)
    );
    assert!(matches!(read(r#"["COUNT","a",{}]"#), Ok(Request::Count(_, f)) if f.len() == 1));
    assert!(matches!(read(r#"["CLOSE","a"]"#), Ok(Request::Close(name)) if name == Name::new("a")));
    assert!(
        matches!(read(r#"["NEG-OPEN","a",{},"6100ff"]"#), Ok(Request::NegOpen(_, _, m)) if m == [0x61, 0, 0xff])
    );
    assert!(
        matches!(read(r#"["NEG-MSG","a","61"]"#), Ok(Request::NegMessage(_, m)) if m == [0x61])
    );
    assert!(matches!(
        read(r#"["NEG-CLOSE","a"]"#),
        Ok(Request::NegClose(_))
    ));
}

#[test]
fn a_refusal_names_as_much_as_could_be_read() {
    let id = "ab".repeat(32);
    let event = format!(r#"["EVENT",{{"id":"{id}","kind":99999}}]"#);
    assert!(matches!(misread(&event), Misread::Event(found, _) if found.to_hex() == id));
    assert!(matches!(
        misread(r#"["EVENT",{"id":"short"}]"#),
        Misread::Notice(_)
    ));
    assert!(
        matches!(misread(r#"["REQ","a"]"#), Misread::Request(name, _) if name == Name::new("a"))
    );
    assert!(matches!(
        misread(r#"["NEG-MSG","a","f"]"#),
        Misread::Negentropy(..)
    ));
    assert!(matches!(misread("]"), Misread::Notice(_)));
}

#[test]
fn a_filter_with_a_key_that_is_not_understood_is_refused() {
    for filter in [
        r#"{"kind":[1]}"#,
        r##"{"#pp":["x"]}"##,
        r##"{"#1":["x"]}"##,
        r##"{"&p":["x"]}"##,
    ] {
        let text = format!(r#"["REQ","a",{filter}]"#);
        assert!(matches!(misread(&text), Misread::Request(..)), "{filter}");
    }
}

#[test]
fn names_have_1_to_64_characters() {
    let name = |length: usize| format!(r#"["CLOSE","{}"]"#, "é".repeat(length));
    assert!(read(&name(1)).is_ok() && read(&name(64)).is_ok());
    assert!(read(&name(0)).is_err() && read(&name(65)).is_err());
}

#[test]
fn frames_are_json_whatever_the_name_and_the_text() {
    let name = Name::new("a\"\\\n\u{1}");
    for frame in [
        closed(&name, "x\"y"),
        end_of_stored(&name),
        neg_error(&name, "\u{7}"),
        count(&name, 3),
        event(&name.json(), "{}"),
    ] {
        let value: serde_json::Value = serde_json::from_str(&frame).expect("JSON");
        assert_eq!(value[1], "a\"\\\n\u{1}");
    }
    assert_eq!(
        neg_message(&Name::new("n"), &[0, 0x61, 0xff]),
        r#"["NEG-MSG","n","0061ff"]"#
    );
}
