use std::path::Path;

use super::{Backend, Config, Limits, LogFormat, Network, QuoteTtl, parse};

const MINIMAL: &str = r#"
listen = "127.0.0.1:3338"
data_dir = "/data"
seed_file = "/seed"
network = "demo"
name = "A mint"
url = "http://127.0.0.1:3338"
[backend]
kind = "fake"
"#;

fn accept(text: &str) -> Config {
    parse(Path::new("mint.toml"), text).unwrap()
}

fn refusal(text: &str) -> String {
    parse(Path::new("mint.toml"), text).unwrap_err().to_string()
}

#[test]
fn minimal_configuration_gets_the_documented_defaults() {
    let config = accept(MINIMAL);
    assert_eq!(config.network, Network::Demo);
    assert_eq!(
        config.quote_ttl_seconds,
        QuoteTtl {
            mint: 600,
            melt: 120
        }
    );
    assert_eq!(config.log_format, LogFormat::Text);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(
        config.backend,
        Backend::Fake {
            delay_seconds: 0,
            fee_reserve_min_sat: 1,
            fee_reserve_ppm: 0
        }
    );
    assert!(config.use_keyset_v2 && !config.expect_existing);
    assert_eq!(
        (config.min_mint_sat, config.max_mint_sat, config.max_inputs),
        (1, 500_000, 1_000)
    );
}

#[test]
fn full_configuration_of_the_readme_is_accepted() {
    let readme = include_str!("../../README.md");
    let block = readme
        .split("```toml")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let config = accept(block);
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn unknown_key_names_its_line_and_what_to_do() {
    let text = MINIMAL.replace("name =", "nmae =");
    let message = refusal(&text);
    assert!(
        message.starts_with("mint.toml:6: unknown field `nmae`"),
        "{message}"
    );
    assert!(
        message.ends_with("remove the key or correct its spelling"),
        "{message}"
    );
}

#[test]
fn unknown_key_in_a_table_is_refused_too() {
    let message = refusal(&format!("{MINIMAL}delay = 3\n"));
    assert!(message.contains("unknown field `delay`"), "{message}");
}

#[test]
fn missing_key_and_wrong_value_say_what_to_do() {
    let message = refusal(&MINIMAL.replace("name = \"A mint\"\n", ""));
    assert!(
        message.contains("missing field `name`") && message.ends_with("add the key"),
        "{message}"
    );
    let message = refusal(&MINIMAL.replace("\"demo\"", "\"testnet\""));
    assert!(
        message.starts_with("mint.toml:5: unknown variant `testnet`"),
        "{message}"
    );
}

#[test]
fn each_broken_rule_names_the_line_of_its_key() {
    for (line, words) in [
        ("max_inputs = 0", "max_inputs must be 1 to 1000"),
        ("max_outputs = 1001", "max_outputs must be 1 to 1000"),
        ("input_fee_ppk = 10001", "input_fee_ppk must be 0 to 10000"),
        (
            "quote_ttl_seconds = { mint = 29, melt = 120 }",
            "mint must be 30 to 86400 seconds",
        ),
        (
            "quote_ttl_seconds = { mint = 600, melt = 86401 }",
            "melt must be 30 to 86400 seconds",
        ),
        ("max_mint_sat = 0", "min_mint_sat must be at least 1"),
        (
            "max_melt_sat = 100000001",
            "min_melt_sat must be at least 1",
        ),
        (
            "melt_answer_seconds = 601",
            "melt_answer_seconds must be 1 to 600",
        ),
        ("shutdown_seconds = 0", "shutdown_seconds must be 1 to 600"),
    ] {
        let message = refusal(&MINIMAL.replace("network =", &format!("{line}\nnetwork =")));
        assert!(
            message.starts_with("mint.toml:5: ") && message.contains(words),
            "{line}: {message}"
        );
    }
    let message = refusal(&format!("{MINIMAL}fee_reserve_min_sat = 0\n"));
    assert!(
        message.starts_with("mint.toml:10: fee_reserve_min_sat must be 1 to 1000"),
        "{message}"
    );
    let message = refusal(&MINIMAL.replace("\"A mint\"", "\" \""));
    assert_eq!(message, "mint.toml:6: name needs 1 to 100 characters");
    let message = refusal(&MINIMAL.replace("http://", "ftp://"));
    assert!(
        message.starts_with("mint.toml:7: url must begin with"),
        "{message}"
    );
}
