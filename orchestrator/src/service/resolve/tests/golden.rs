//! What the nine manifests become on each network: arguments, environment and files, markers in place of secrets.
//!
//! After a change that is meant: `INSTA_UPDATE=always cargo test golden`, and read the difference.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::manifest::Catalog;
use crate::manifest::choices::Choices;
use crate::manifest::profile;
use crate::manifest::profile::ProfileName;
use crate::runtime::RuntimeKind;
use crate::service::desired::DesiredService;
use crate::service::desired::Wanted;
use crate::service::marker::holds_marker;
use crate::service::places::Places;
use crate::service::ports;
use crate::service::ports::PortTable;
use crate::service::programs::Programs;
use crate::service::resolve::fixture::Node;
use crate::service::resolve::fixture::id;
use crate::service::spec::ServiceSpec;

fn node(name: ProfileName, choices: &str) -> Node {
    let catalog = Catalog::load(None).expect("embedded manifests are legal");
    let mut programs = Programs::default();
    for (manifest, entry) in catalog.iter() {
        let command = &entry.manifest.program.command;
        programs = programs.with(manifest, command, PathBuf::from(format!("/opt/{command}")));
    }
    let choices: Choices = toml::from_str(choices).expect("choices are legal");
    let profile = profile(name);
    let kind = RuntimeKind::Process;
    let requests = ports::requests(&profile, &choices, &catalog, kind);
    let ports = ports::assign(&requests, &PortTable::default(), false, &|_| true)
        .expect("no two ports of a profile are equal");
    Node {
        profile,
        choices,
        catalog,
        ports,
        subnets: None,
        generations: BTreeMap::new(),
        places: Places {
            kind,
            data: PathBuf::from("/data"),
            files: PathBuf::from("/run/files"),
        },
        programs,
    }
}

fn written(service: &DesiredService) -> String {
    let mut text = String::new();
    match &service.wanted {
        Wanted::Run { spec, .. } => {
            writeln!(
                text,
                "{} {}",
                spec.program.command,
                spec.program.args.join(" ")
            )
            .unwrap();
            for (name, value) in &spec.program.env {
                writeln!(text, "{name}={value}").unwrap();
            }
            for (name, secret) in &spec.secrets {
                writeln!(text, "secret {name}: {}", secret.key).unwrap();
            }
            for edge in &spec.edges {
                writeln!(text, "edge {}: {}", edge.id, edge.allow.join(" ")).unwrap();
            }
            for consumer in &spec.consumers {
                writeln!(text, "consumer {}", consumer.id).unwrap();
            }
            write_network(&mut text, spec);
            for endpoint in &service.endpoints {
                writeln!(text, "endpoint {}: {}", endpoint.name, endpoint.url()).unwrap();
            }
            for (name, file) in &spec.files {
                write!(text, "--- {name}\n{file}").unwrap();
            }
        }
        Wanted::HeldBack { code, text: why } => {
            writeln!(text, "held back ({code}): {why}").unwrap();
        }
        Wanted::External => unreachable!("no profile has an external service"),
    }
    text
}

fn check(profile: ProfileName, choices: &str) {
    let node = node(profile, choices);
    compare(&profile.to_string(), &node);
    if profile != ProfileName::Demo {
        compare(&format!("{profile}-docker"), &node.in_containers());
    }
}

fn compare(name: &str, node: &Node) {
    for (service, desired) in node.desired().services {
        insta::with_settings!({
            snapshot_path => "../../golden",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(format!("{name}-{service}"), written(&desired));
        });
    }
}

fn write_network(text: &mut String, spec: &ServiceSpec) {
    if let Some(image) = &spec.program.image {
        writeln!(text, "image {image}").unwrap();
    }
    if let Some(folder) = &spec.program.folder {
        writeln!(text, "folder {folder}").unwrap();
    }
    for one in &spec.network.attachments {
        writeln!(
            text,
            "{:?} {}: {} in {}{}",
            one.kind,
            one.edge,
            one.address,
            one.subnet,
            if one.may_reach.is_empty() {
                String::new()
            } else {
                format!(", may reach {:?}", one.may_reach)
            }
        )
        .unwrap();
    }
    for (name, address) in &spec.network.hosts {
        writeln!(text, "host {name}: {address}").unwrap();
    }
    for one in &spec.network.publish {
        writeln!(text, "publish {} on {}: {}", one.port, one.on, one.number).unwrap();
    }
    for (name, file) in &spec.provided {
        writeln!(text, "copy {name}: {} of {}", file.below, file.provider).unwrap();
    }
}

#[test]
fn demo_renders_as_it_was_agreed() {
    check(ProfileName::Demo, "");
}

#[test]
fn regtest_renders_as_it_was_agreed() {
    check(ProfileName::Regtest, "");
}

#[test]
fn signet_renders_as_it_was_agreed() {
    check(
        ProfileName::Signet,
        "[services.mint]\nmanifest = \"mint\"\n",
    );
}

#[test]
fn mainnet_renders_as_it_was_agreed() {
    check(
        ProfileName::Mainnet,
        "[services.mint]\nmanifest = \"mint\"\n",
    );
}

#[test]
fn play_money_does_not_start_on_signet_and_mainnet() {
    for profile in [ProfileName::Signet, ProfileName::Mainnet] {
        let node = node(profile, "[services.mint]\nmanifest = \"mint\"\n");
        let (code, text) = node.held("mint");
        assert_eq!(code, "not_on_this_network");
        assert!(text.contains("backed by nothing"), "{text}");
    }
    node(ProfileName::Demo, "").spec("mint");
}

#[test]
fn electrs_is_held_back_by_a_pruned_bitcoind() {
    let node = node(
        ProfileName::Mainnet,
        "[services.bitcoind.settings]\nprune = \"two_weeks\"\n",
    );
    let (code, text) = node.held("electrs");
    assert_eq!(code, "check_failed");
    assert!(text.contains("unpruned"), "{text}");
    node.spec("lnd");
}

#[test]
fn no_argument_and_no_variable_of_the_nine_ever_holds_a_marker() {
    for profile in ProfileName::ALL {
        for (service, desired) in node(*profile, "").desired().services {
            let Wanted::Run { spec, .. } = desired.wanted else {
                panic!("{service} does not run");
            };
            for text in spec.program.args.iter().chain(spec.program.env.values()) {
                assert!(!holds_marker(text), "{profile} {service}: {text}");
            }
        }
    }
}

#[test]
fn every_consumer_of_bitcoind_has_its_own_user_and_whitelist() {
    let conf = &node(ProfileName::Regtest, "").spec("bitcoind").files["bitcoin.conf"];
    for user in ["electrs", "lnd", "nbxplorer", "node"] {
        assert_eq!(
            conf.matches(&format!("rpcauth={user}:")).count(),
            1,
            "{user}"
        );
        assert_eq!(
            conf.matches(&format!("rpcwhitelist={user}:")).count(),
            1,
            "{user}"
        );
    }
    assert!(!conf.contains("rpcwhitelistdefault"));
    assert!(
        node(ProfileName::Regtest, "")
            .desired()
            .services
            .contains_key(&id("tor"))
    );
}

#[test]
fn every_rendered_file_that_calls_itself_toml_is_toml() {
    for profile in ProfileName::ALL {
        for (service, desired) in node(*profile, "").desired().services {
            let Wanted::Run { spec, .. } = desired.wanted else {
                panic!("{service} does not run");
            };
            for (name, text) in spec
                .files
                .iter()
                .filter(|(name, _)| name.ends_with(".toml"))
            {
                let read = toml::from_str::<toml::Table>(text);
                assert!(read.is_ok(), "{profile} {service} {name}: {read:?}");
            }
        }
    }
}
