use std::path::Path;

use super::{PLAY_MONEY, PolicyError, introduce, validate_backend};
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
            ("Play Money shop", "all play money here"),
        ] {
            let introduction = introduce(&config(network, name, motd));
            let said = introduction.motd.unwrap();
            assert!(introduction.play_money);
            assert_eq!(
                introduction.name.to_lowercase().matches(PLAY_MONEY).count(),
                1,
                "{}",
                introduction.name
            );
            assert_eq!(said.to_lowercase().matches(PLAY_MONEY).count(), 1, "{said}");
            assert!(said.contains(motd));
        }
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
