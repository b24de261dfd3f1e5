use super::*;

const LEAST: &str = "listen = \"127.0.0.1:7777\"\ndata_dir = \"/data\"\n";

fn parse(extra: &str) -> Result<Config, String> {
    let config: Config = toml::from_str(&format!("{LEAST}{extra}")).map_err(|e| e.to_string())?;
    config.validate().map_err(|e| e.to_string())?;
    Ok(config)
}

#[test]
fn two_keys_are_enough() {
    let config = parse("").expect("the least configuration");
    assert_eq!(config.map_size_mib, 4096);
    assert_eq!(config.limits.max_limit, 500);
    assert_eq!(config.operator_access, OperatorAccess::Private);
}

#[test]
fn unknown_keys_are_refused_with_their_line() {
    let failure = parse("naem = \"x\"").expect_err("a misspelt key");
    assert!(
        failure.contains("line 3") && failure.contains("naem"),
        "{failure}"
    );
    let failure = parse("[limits]\nmax_limits = 3").expect_err("a misspelt limit");
    assert!(
        failure.contains("line 4") && failure.contains("max_limits"),
        "{failure}"
    );
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    for (extra, key) in [
        ("map_size_mib = 1", "map_size_mib"),
        ("log_level = \"a=b=c\"", "log_level"),
        ("[limits]\nmax_limit = 0", "limits.max_limit"),
        (
            "[limits]\nevents_per_minute_per_key = 0",
            "limits.events_per_minute_per_key",
        ),
        ("[limits]\noutgoing_bytes = 10", "limits.outgoing_bytes"),
        ("public_urls = [\"relay.example.com\"]", "public_urls"),
    ] {
        let failure = parse(extra).expect_err(extra);
        assert!(failure.contains(key), "{extra}: {failure}");
    }
}

#[test]
fn every_default_limit_is_in_its_range() {
    Limits::default().validate().expect("the defaults");
}
