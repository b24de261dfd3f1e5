use super::difference;
use crate::secret::SecretKey;
use crate::service::desired::Wanted;
use crate::service::resolve::fixture::Node;
use crate::service::resolve::fixture::id;

fn changed(service: &str, choices: &str) -> Vec<String> {
    let old = Node::new();
    let new = old.clone().choosing(choices);
    difference(&old.service(service), &new.service(service))
}

#[test]
fn equal_services_differ_in_nothing() {
    assert_eq!(changed("chain", ""), Vec::<String>::new());
}

#[test]
fn one_changed_setting_is_the_only_thing_named() {
    let words = changed("chain", "[services.chain.settings]\ndbcache_mib = 1000\n");
    assert_eq!(words, ["setting dbcache_mib 450 → 1000"]);
    let words = changed("index", "[services.index.settings]\nlevel = \"debug\"\n");
    assert_eq!(words, ["setting level \"info\" → \"debug\""]);
}

#[test]
fn a_rotated_credential_is_named_on_both_sides() {
    let old = Node::new();
    let mut new = old.clone();
    new.generations
        .insert(SecretKey("edge/index/rpc/chain".to_owned()), 2);
    for service in ["chain", "index"] {
        assert_eq!(
            difference(&old.service(service), &new.service(service)),
            ["credential edge/index/rpc/chain generation 1 → 2"]
        );
    }
}

#[test]
fn a_port_is_named_by_its_owner_and_its_effect_by_the_consumer() {
    let choices = "[services.chain.ports]\nrpc = 19000\n";
    let owner = changed("chain", choices);
    assert_eq!(owner, ["port rpc 127.0.0.1:18443 → 127.0.0.1:19000"]);
    assert_eq!(changed("index", choices), ["file index.toml"]);
}

#[test]
fn a_new_consumer_is_named_by_its_provider() {
    let words = changed("chain", "[services.second]\nmanifest = \"index\"\n");
    assert_eq!(words, ["consumer second/rpc/chain added"]);
}

#[test]
fn a_moved_volume_is_named_with_both_places() {
    let words = changed(
        "chain",
        "[storage.big]\npath = \"/mnt/big\"\n[services.chain.volumes]\ndata = \"big\"\n",
    );
    assert_eq!(
        words,
        ["volume data /data/volumes/chain/data → /mnt/big/volumes/chain/data"]
    );
}

#[test]
fn a_changed_template_is_named_by_argument_and_file() {
    let old = Node::new().service("index");
    let mut new = old.clone();
    if let Wanted::Run { spec, .. } = &mut new.wanted {
        spec.program.args[0] = "--config".to_owned();
        spec.files
            .insert("index.toml".to_owned(), "other".to_owned());
    }
    assert_eq!(
        difference(&old, &new),
        ["argument --conf → --config", "file index.toml"]
    );
}

#[test]
fn a_service_that_can_no_longer_run_says_so() {
    let words = changed("index", "[services.chain.settings]\nprune_mib = 1000\n");
    assert_eq!(words, ["run by this node → held back (check_failed)"]);
    let old = Node::new().desired();
    assert!(old.services.contains_key(&id("index")));
}
