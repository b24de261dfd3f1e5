//! The rules of the embedded manifests over answers as the programs give them.

use super::*;
use crate::manifest::Catalog;
use crate::service::probe::Answer;
use crate::service::probe::ProbeError;

const SILENCE: &str = "(silence)";

/// `(probe, status, body)`; [`SILENCE`] as the body is no answer.
type Recorded = (&'static str, Option<u16>, &'static str);

fn recorded(answers: &[Recorded]) -> BTreeMap<Name, Asked> {
    let asked = answers.iter().map(|(probe, status, body)| {
        let answer = if *body == SILENCE {
            Answer::missing(ProbeError::Timeout)
        } else {
            Answer {
                reached: true,
                status: *status,
                json: serde_json::from_str(body).ok(),
                text: (*body).to_owned(),
                error: None,
            }
        };
        (name(probe), Asked::Answer(answer))
    });
    asked.collect()
}

fn embedded(id: &str) -> Manifest {
    let catalog = Catalog::load(None).unwrap();
    let id = crate::id::ManifestId::new(id).unwrap();
    catalog.get(&id).unwrap().clone()
}

/// Checks `ok` and `code` of ready and synced.
fn check(manifest: &Manifest, answers: &[Recorded], ready: Verdict, synced: Verdict) {
    let answers = recorded(answers);
    let judged = |rules: &[Rule]| judge(rules, &answers, &BTreeMap::new());
    let (is_ready, is_synced) = (
        judged(&manifest.health.ready),
        judged(&manifest.health.synced),
    );
    assert_eq!((is_ready.ok, is_ready.code.as_str()), ready, "{answers:?}");
    assert_eq!(
        (is_synced.ok, is_synced.code.as_str()),
        synced,
        "{answers:?}"
    );
    for signal in [is_ready, is_synced] {
        assert!(
            !signal.text.starts_with("The service reports"),
            "{signal:?}"
        );
    }
}

type Verdict = (Option<bool>, &'static str);

#[test]
fn bitcoind_says_how_far_it_is_while_it_downloads_and_only_then() {
    let manifest = embedded("bitcoind");
    let share = |progress: &str, downloads: bool| {
        let answer = format!(
            r#"{{"result":{{"blocks":100,"headers":900,"verificationprogress":{progress},"initialblockdownload":{downloads}}},"error":null}}"#
        );
        let answers = recorded(&[("chain", Some(200), answer.leak())]);
        judge(&manifest.health.synced, &answers, &BTreeMap::new()).share
    };
    assert_eq!(share("0.1234567", true), Some(123_456));
    assert_eq!(share("0", true), Some(0));
    assert_eq!(share("1", true), Some(1_000_000));
    // What is no share is none.
    for odd in ["1.5", "-0.1", "null", "\"much\""] {
        assert_eq!(share(odd, true), None, "{odd}");
    }
    assert_eq!(share("0.9999", false), None);
    let silent = recorded(&[("chain", None, SILENCE)]);
    let signal = judge(&manifest.health.synced, &silent, &BTreeMap::new());
    assert_eq!(signal.share, None);
}

#[test]
fn bitcoind_is_read_through_its_whole_start() {
    let manifest = embedded("bitcoind");
    let warming = r#"{"result":null,"error":{"code":-28,"message":"Loading block index…"},"id":"flash-node"}"#;
    let downloading = r#"{"result":{"chain":"main","blocks":100,"headers":900000,"verificationprogress":0.1234,"initialblockdownload":true},"error":null,"id":"flash-node"}"#;
    let behind = r#"{"result":{"chain":"main","blocks":899998,"headers":900000,"verificationprogress":0.9999,"initialblockdownload":false},"error":null,"id":"flash-node"}"#;
    let tip = r#"{"result":{"chain":"main","blocks":900000,"headers":900000,"verificationprogress":1,"initialblockdownload":false},"error":null,"id":"flash-node"}"#;
    let no = Some(false);
    check(
        &manifest,
        &[("chain", None, SILENCE)],
        (no, "starting"),
        (None, "starting"),
    );
    check(
        &manifest,
        &[("chain", Some(500), warming)],
        (no, "starting"),
        (None, "starting"),
    );
    check(
        &manifest,
        &[("chain", Some(401), "")],
        (no, "refused"),
        (None, "starting"),
    );
    check(
        &manifest,
        &[("chain", Some(200), downloading)],
        (no, "syncing"),
        (no, "syncing"),
    );
    check(
        &manifest,
        &[("chain", Some(200), behind)],
        (Some(true), "ready"),
        (no, "syncing"),
    );
    check(
        &manifest,
        &[("chain", Some(200), tip)],
        (Some(true), "ready"),
        (Some(true), "synced"),
    );
    let alive = judge(
        &manifest.health.alive,
        &recorded(&[("chain", Some(500), warming)]),
        &BTreeMap::new(),
    );
    assert_eq!(alive.text, "Bitcoin Core is starting: Loading block index…");
    let synced = judge(
        &manifest.health.synced,
        &recorded(&[("chain", Some(200), downloading)]),
        &BTreeMap::new(),
    );
    assert_eq!(
        synced.text,
        "Bitcoin Core is at block 100 of 900000 (12.3 %)."
    );
}

#[test]
fn electrs_is_never_ready_while_it_builds() {
    let manifest = embedded("electrs");
    let building = r#"{"error":{"code":-32603,"message":"unavailable index"},"id":"flash-node","jsonrpc":"2.0"}"#;
    let banner = r#"{"id":"flash-node","jsonrpc":"2.0","result":"Flash Node"}"#;
    let tip = r#"{"id":"flash-node","jsonrpc":"2.0","result":{"height":101,"hex":"00"}}"#;
    let same = r#"{"result":101,"error":null,"id":"flash-node"}"#;
    let ahead = r#"{"result":105,"error":null,"id":"flash-node"}"#;
    let silence = [
        ("banner", None, SILENCE),
        ("tip", None, SILENCE),
        ("blocks", None, SILENCE),
    ];
    let no = Some(false);
    check(&manifest, &silence, (no, "starting"), (None, "starting"));
    let answers = [
        ("banner", None, building),
        ("tip", None, building),
        ("blocks", Some(200), same),
    ];
    check(&manifest, &answers, (no, "syncing"), (no, "syncing"));
    let answers = [
        ("banner", None, SILENCE),
        ("tip", None, SILENCE),
        ("blocks", Some(200), same),
    ];
    check(&manifest, &answers, (no, "starting"), (None, "starting"));
    let answers = [
        ("banner", None, banner),
        ("tip", None, tip),
        ("blocks", Some(200), ahead),
    ];
    check(&manifest, &answers, (Some(true), "ready"), (no, "syncing"));
    let answers = [
        ("banner", None, banner),
        ("tip", None, tip),
        ("blocks", Some(200), same),
    ];
    check(
        &manifest,
        &answers,
        (Some(true), "ready"),
        (Some(true), "synced"),
    );
}

#[test]
fn lnd_is_read_through_every_state() {
    let manifest = embedded("lnd");
    let state = |state: &str| -> &'static str {
        match state {
            "WAITING_TO_START" => r#"{"state":"WAITING_TO_START"}"#,
            "NON_EXISTING" => r#"{"state":"NON_EXISTING"}"#,
            "LOCKED" => r#"{"state":"LOCKED"}"#,
            "UNLOCKED" => r#"{"state":"UNLOCKED"}"#,
            "RPC_ACTIVE" => r#"{"state":"RPC_ACTIVE"}"#,
            _ => r#"{"state":"SERVER_ACTIVE"}"#,
        }
    };
    let refused =
        r#"{"code":2,"message":"wallet locked, unlock it to enable full RPC access","details":[]}"#;
    let behind = r#"{"synced_to_chain":false,"synced_to_graph":false,"block_height":90,"num_peers":0,"num_active_channels":0}"#;
    let tip = r#"{"synced_to_chain":true,"synced_to_graph":false,"block_height":101,"num_peers":2,"num_active_channels":1}"#;
    let no = Some(false);
    let silence = [("state", None, SILENCE), ("info", None, SILENCE)];
    check(&manifest, &silence, (no, "starting"), (None, "starting"));
    let table: [(&str, &'static str, Verdict, Verdict); 8] = [
        (
            "WAITING_TO_START",
            refused,
            (no, "starting"),
            (None, "starting"),
        ),
        (
            "NON_EXISTING",
            refused,
            (None, "no_wallet"),
            (None, "no_wallet"),
        ),
        ("LOCKED", refused, (None, "locked"), (None, "locked")),
        ("UNLOCKED", refused, (no, "unlocking"), (None, "starting")),
        ("RPC_ACTIVE", refused, (no, "unlocking"), (None, "starting")),
        (
            "SERVER_ACTIVE",
            refused,
            (None, "no_macaroon"),
            (None, "starting"),
        ),
        ("SERVER_ACTIVE", behind, (no, "syncing"), (no, "syncing")),
        (
            "SERVER_ACTIVE",
            tip,
            (Some(true), "ready"),
            (Some(true), "synced"),
        ),
    ];
    for (name, info, ready, synced) in table {
        let status = if info == refused { 500 } else { 200 };
        let answers = [
            ("state", Some(200), state(name)),
            ("info", Some(status), info),
        ];
        check(&manifest, &answers, ready, synced);
    }
}

#[test]
fn without_a_macaroon_lnd_still_tells_that_it_has_no_wallet() {
    let manifest = embedded("lnd");
    let mut answers = recorded(&[("state", Some(200), r#"{"state":"NON_EXISTING"}"#)]);
    answers.insert(name("info"), Asked::Withheld(Withheld::SecretMissing));
    let signal = judge(&manifest.health.ready, &answers, &BTreeMap::new());
    assert_eq!(signal.code, "no_wallet");
    answers.extend(recorded(&[(
        "state",
        Some(200),
        r#"{"state":"SERVER_ACTIVE"}"#,
    )]));
    let signal = judge(&manifest.health.ready, &answers, &BTreeMap::new());
    assert_eq!((signal.ok, signal.code.as_str()), (None, "secret_missing"));
}

/// Whatever a service is, silence on every probe and a sealed vault make none of them ready or synced.
#[test]
fn no_embedded_manifest_takes_silence_for_readiness() {
    let catalog = Catalog::load(None).unwrap();
    let mut seen = 0;
    for id in [
        "bitcoind",
        "electrs",
        "lnd",
        "postgres",
        "nbxplorer",
        "btcpay",
        "relay",
        "mint",
        "tor",
    ] {
        let manifest = catalog
            .get(&crate::id::ManifestId::new(id).unwrap())
            .unwrap();
        for asked in [
            Asked::Answer(Answer::missing(ProbeError::Timeout)),
            Asked::Withheld(Withheld::Sealed),
        ] {
            let answers: BTreeMap<Name, Asked> = manifest
                .probes
                .keys()
                .map(|probe| (probe.clone(), asked.clone()))
                .collect();
            for rules in [&manifest.health.ready, &manifest.health.synced] {
                let signal = judge(rules, &answers, &BTreeMap::new());
                assert_ne!(signal.ok, Some(true), "{id}: {asked:?}");
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 9);
}
