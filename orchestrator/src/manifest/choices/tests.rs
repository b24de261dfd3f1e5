use serde_json::json;

use super::Choices;
use super::SetError;
use super::default_text;
use super::parse;
use super::set;
use super::validate_text;
use super::value;
use crate::manifest::Catalog;
use crate::manifest::profile;
use crate::manifest::profile::ProfileName;

fn set_text(text: &str, key: &str, value: serde_json::Value) -> String {
    let (service, setting) = key.split_once('.').unwrap();
    set(
        text,
        &service.parse().unwrap(),
        &setting.parse().unwrap(),
        &value,
    )
    .unwrap()
}

#[test]
fn the_default_text_chooses_nothing() {
    for &name in ProfileName::ALL {
        assert_eq!(
            parse(&default_text(name), "node.toml").unwrap(),
            Choices::default()
        );
    }
}

#[test]
fn set_writes_into_an_empty_file_and_reads_back() {
    let text = set_text("", "relay.name", json!("A \"quoted\" name"));
    assert_eq!(
        text,
        "[services.relay.settings]\nname = 'A \"quoted\" name'\n"
    );
    let choices = parse(&text, "node.toml").unwrap();
    let relay = &choices.services[&"relay".parse().unwrap()];
    assert_eq!(
        relay.settings[&"name".parse().unwrap()],
        json!("A \"quoted\" name")
    );
}

#[test]
fn set_keeps_comments_and_what_else_is_written() {
    let text = "# mine\n[services.relay]\nenabled = true # for now\n\n[services.relay.settings]\n# shown to all\nname = \"old\" # why\n";
    let text = set_text(text, "relay.name", json!("new"));
    assert_eq!(
        text,
        "# mine\n[services.relay]\nenabled = true # for now\n\n[services.relay.settings]\n# shown to all\nname = \"new\" # why\n"
    );
    let text = set_text(&text, "relay.map_size_mib", json!(64));
    assert!(
        text.contains("name = \"new\" # why\nmap_size_mib = 64\n"),
        "{text}"
    );
}

#[test]
fn set_works_on_the_default_text_and_on_inline_tables() {
    let text = set_text(
        &default_text(ProfileName::Demo),
        "bitcoind.wallet",
        json!(true),
    );
    assert!(text.contains("# Your choices for this node."));
    assert!(
        text.ends_with("[services.bitcoind.settings]\nwallet = true\n"),
        "{text}"
    );
    let inline = "services = { relay = { settings = { name = \"x\" } } }\n";
    let text = set_text(inline, "relay.map_size_mib", json!(64));
    let choices = parse(&text, "node.toml").unwrap();
    assert_eq!(
        choices.services[&"relay".parse().unwrap()].settings.len(),
        2
    );
}

#[test]
fn set_refuses_a_file_that_cannot_be_read() {
    let error = set(
        "[services",
        &"relay".parse().unwrap(),
        &"name".parse().unwrap(),
        &json!("x"),
    )
    .unwrap_err();
    assert!(matches!(error, SetError::File(_)), "{error}");
}

#[test]
fn values_are_typed_by_their_setting_and_a_refusal_says_the_range() {
    let catalog = Catalog::load(None).unwrap();
    let profile = profile(ProfileName::Regtest);
    let typed = |service: &str, setting: &str, text: &str| {
        let (service, setting) = (service.parse().unwrap(), setting.parse().unwrap());
        value(
            &catalog,
            &profile,
            &Choices::default(),
            &service,
            &setting,
            text,
        )
    };
    assert_eq!(typed("bitcoind", "wallet", "true"), Ok(json!(true)));
    assert_eq!(typed("bitcoind", "dbcache_mib", "1000"), Ok(json!(1000)));
    assert_eq!(typed("relay", "name", "7"), Ok(json!("7")));
    for (service, setting, text, message) in [
        (
            "bitcoind",
            "dbcache_mib",
            "3",
            "`bitcoind.dbcache_mib` takes 4 to 16384 MiB",
        ),
        (
            "bitcoind",
            "dbcache_mib",
            "lots",
            "`bitcoind.dbcache_mib` takes 4 to 16384 MiB",
        ),
        (
            "bitcoind",
            "wallet",
            "yes",
            "`bitcoind.wallet` takes true or false",
        ),
        (
            "relay",
            "name",
            "a\nlisten = 1",
            "`relay.name` takes a text of up to 100 characters",
        ),
        (
            "relay",
            "name",
            "\u{27e6}service/lnd/seed#1:plain\u{27e7}",
            "`relay.name` takes a text of up to 100 characters",
        ),
        (
            "bitcoind",
            "prune",
            "550",
            "`bitcoind.prune` takes one of `off`, `two_weeks`, `three_months`, `six_months`, `one_year`",
        ),
        (
            "bitcoind",
            "dbcash_mib",
            "9",
            "`bitcoind` has no setting `dbcash_mib`; did you mean `dbcache_mib`?",
        ),
        (
            "bitcoin",
            "wallet",
            "true",
            "no service is named `bitcoin`; did you mean `bitcoind`?",
        ),
    ] {
        assert_eq!(
            typed(service, setting, text).unwrap_err().to_string(),
            message
        );
    }
}

#[test]
fn a_text_is_checked_against_a_profile_and_each_mistake_has_its_line() {
    for &name in ProfileName::ALL {
        assert_eq!(validate_text(&default_text(name), name), Ok(()));
    }
    let text = "[services.relay.settings]\nnmae = \"x\"\n\n[services.bitcoind]\nenabled = false\n";
    let said = validate_text(text, ProfileName::Demo)
        .unwrap_err()
        .to_string();
    assert!(said.contains("node.toml:2:1: "), "{said}");
    assert!(said.contains("node.toml:4:11: "), "{said}");
    let said = validate_text(text, ProfileName::Regtest)
        .unwrap_err()
        .to_string();
    assert!(!said.contains("bitcoind"), "{said}");
    let wrong_type = "[services.relay.settings]\nname = 7\n";
    let said = validate_text(wrong_type, ProfileName::Demo)
        .unwrap_err()
        .to_string();
    assert!(said.starts_with("node.toml:2:1: "), "{said}");
}
