use std::path::Path;

use super::{PLAY_MONEY_MOTD, PLAY_MONEY_NAME, PolicyError, introduce, validate_backend};
use crate::config::{Backend, Config, Network, parse};

const FAKE: Backend = Backend::Fake {
    delay_seconds: 0,
    fee_reserve_min_sat: 1,
    fee_reserve_ppm: 0,
};

fn config(network: &str, name: &str, motd: &str) -> Config {
    let text = format!(
        "listen = \"127.0.0.1:0\"\ndata_dir = \"/d\"\nseed_file = \"/s\"\nnetwork = \"{network}\"\nname = \"{name}\"\n\
         motd = \"{motd}\"\nurl = \"http://m\"\n[backend]\nkind = \"fake\"\n"
    );
    parse(Path::new("mint.toml"), &text).unwrap()
}

#[test]
fn fake_backend_runs_on_demo_and_regtest_alone() {
    assert_eq!(validate_backend(Network::Demo, &FAKE), Ok(()));
    assert_eq!(validate_backend(Network::Regtest, &FAKE), Ok(()));
    for network in [Network::Signet, Network::Mainnet] {
        assert_eq!(
            validate_backend(network, &FAKE),
            Err(PolicyError::PlayMoneyBackend { network })
        );
    }
}

#[test]
fn play_money_is_said_in_name_and_message_once() {
    for network in ["demo", "regtest"] {
        for (name, motd) in [
            ("Shop", ""),
            ("Shop", "Hello"),
            ("Shop (play money)", PLAY_MONEY_MOTD),
            (
                "Shop (play money)",
                "This eCash is play money: nothing is behind it. Hello",
            ),
        ] {
            let introduction = introduce(&config(network, name, motd));
            let said = introduction.motd.unwrap();
            assert!(introduction.play_money);
            assert_eq!(introduction.name, "Shop (play money)");
            assert_eq!(said.matches(PLAY_MONEY_MOTD).count(), 1, "{said}");
            assert!(
                said.starts_with(PLAY_MONEY_MOTD) && said.ends_with(motd),
                "{said}"
            );
        }
    }
}

#[test]
fn play_money_is_not_denied() {
    for (name, motd) in [
        ("Not play money", "This is not play money"),
        (
            "(play money) no longer",
            "Who says \u{201c}This eCash is play money\u{201d}?",
        ),
        (
            "Shop (Play Money?)",
            "this ecash is play money: nothing is behind it, they lie",
        ),
    ] {
        let introduction = introduce(&config("demo", name, motd));
        assert_eq!(introduction.name, format!("{name}{PLAY_MONEY_NAME}"));
        assert_eq!(introduction.motd, Some(format!("{PLAY_MONEY_MOTD} {motd}")));
    }
}

#[test]
fn real_networks_are_introduced_as_configured() {
    let introduction = introduce(&config("mainnet", "Shop", "Hello"));
    assert!(!introduction.play_money);
    assert_eq!(
        (introduction.name.as_str(), introduction.motd.as_deref()),
        ("Shop", Some("Hello"))
    );
}
