//! The embedded LND manifest's own jobs, over a real LND where it is installed.

use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use super::*;
use crate::manifest::Catalog;
use crate::service::health::Signals;

struct Lnd(Child);

impl Drop for Lnd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts LND on a private chain without peers; its own light client stands in for bitcoind.
#[expect(
    clippy::disallowed_methods,
    reason = "the test starts the program that it asks, without a runtime of ours"
)]
fn start(program: &std::path::Path, folder: &std::path::Path, rest: u16, rpc: u16) -> Lnd {
    let child = Command::new(program)
        .arg(format!("--lnddir={}", folder.display()))
        .args(["--bitcoin.regtest", "--bitcoin.node=neutrino", "--nolisten"])
        .arg(format!("--rpclisten=127.0.0.1:{rpc}"))
        .arg(format!("--restlisten=127.0.0.1:{rest}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Lnd(child)
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// Takes rounds until `ready` has one of `codes`.
async fn until(target: &HealthTarget<'_>, vault: &Vault, codes: &[&str]) -> Signals {
    let prober = Prober::new();
    let rounds = async {
        loop {
            let mut target = target.clone();
            for secret in ["admin_macaroon", "seed"] {
                let key = SecretKey(format!("service/lnd/{secret}"));
                if let Some(newest) = vault.existing(&key).unwrap() {
                    target.secrets.insert(name(secret), newest);
                }
            }
            let signals = prober.signals(&target, vault).await;
            if codes.contains(&signals.ready.code.as_str()) {
                return signals;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), rounds)
        .await
        .unwrap_or_else(|_| panic!("LND becomes one of {codes:?} within two minutes"))
}

#[tokio::test]
async fn lnd_gets_a_wallet_from_its_manifest_and_is_unlocked_again() {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("lnd"))
        .find(|program| program.is_file());
    let Some(lnd) = found else {
        println!("SKIPPED: lnd is not installed");
        return;
    };
    let catalog = Catalog::load(None).unwrap();
    let manifest = catalog
        .get(&crate::id::ManifestId::new("lnd").unwrap())
        .unwrap();
    let service = ServiceId::new("lnd").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (rest, rpc) = (free_port().await, free_port().await);
    let address = SocketAddr::from(([127, 0, 0, 1], rest));
    let mut target = target(&service, manifest, address);
    target
        .volumes
        .insert(name("data"), folder.path().to_owned());
    let vault = Vault::default();
    for (secret, value) in [
        ("wallet_password", "correct-horse-battery"),
        (
            "macaroon_root_key",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        ),
    ] {
        let key = SecretKey(format!("service/lnd/{secret}"));
        let kept = vault
            .store(&key, SecretBytes::from(value.to_owned()))
            .unwrap();
        target.secrets.insert(name(secret), kept);
    }

    let running = start(&lnd, folder.path(), rest, rpc);
    let signals = until(&target, &vault, &["no_wallet"]).await;
    assert_eq!((signals.alive.ok, signals.ready.ok), (Some(true), None));
    assert_eq!(signals.synced.code, "no_wallet");

    let report = run_all(InitWhen::Alive, &target, &vault, &[]).await;
    assert_eq!(codes(&report), ["done"], "{report:?}");
    let words = vault.value("service/lnd/seed").unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<String>>(&words).unwrap().len(),
        24
    );
    assert!(vault.value("service/lnd/admin_macaroon").is_some());
    let report = run_all(InitWhen::EveryStart, &target, &vault, &[]).await;
    assert_eq!(codes(&report), ["not_needed"], "{report:?}");
    drop(running);

    let running = start(&lnd, folder.path(), rest, rpc);
    let signals = until(&target, &vault, &["locked"]).await;
    assert_eq!(signals.ready.ok, None);
    let report = run_all(InitWhen::Alive, &target, &vault, &[]).await;
    assert_eq!(codes(&report), ["not_needed"], "{report:?}");
    let report = run_all(InitWhen::EveryStart, &target, &vault, &[]).await;
    assert_eq!(codes(&report), ["done"], "{report:?}");
    // The macaroon that was captured opens the RPC once it is up; a chain without peers is never caught up with.
    let signals = until(&target, &vault, &["unlocking", "syncing", "ready"]).await;
    assert_ne!(signals.synced.ok, Some(true), "{signals:?}");
    drop(running);
}
