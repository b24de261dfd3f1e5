//! Real programs, where they are installed. A missing one is said aloud.

use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::json;

use super::*;

/// Finds a program on the PATH.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file());
    if found.is_none() {
        println!("SKIPPED: {name} is not installed");
    }
    found
}

/// Reserves a port for a program that cannot be handed an open socket.
pub(super) async fn free_port() -> u16 {
    nobody().await.port()
}

/// A program that dies with the test.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds a command that inherits and prints nothing.
#[expect(
    clippy::disallowed_methods,
    reason = "the test starts the servers that it asks, without a runtime of ours"
)]
pub(super) fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

pub(super) fn start(command: &mut Command) -> Running {
    Running(command.spawn().unwrap())
}

/// Asks again until `wanted` holds, for at most 60 seconds.
pub(super) async fn ask_until(question: &Question, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let asking = async {
        loop {
            let answer = ask(question).await;
            if wanted(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asking)
        .await
        .expect("the program answers within a minute")
}

#[tokio::test]
async fn redis_answers_over_tcp_and_refuses_a_wrong_password() {
    let Some(redis) = program("redis-server") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().await;
    let config = folder.path().join("redis.conf");
    let text = format!(
        "bind 127.0.0.1\nport {port}\ndir {}\nsave \"\"\nrequirepass hunter2\n",
        folder.path().display()
    );
    std::fs::write(&config, text).unwrap();
    let _redis = start(quiet(&redis).arg(&config));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let tcp = |send: &str, until: &str| {
        let ask = Asking::Tcp {
            send: Some(SecretBytes::from(send.to_owned())),
            until: Some(until.to_owned()),
        };
        question(address, ask)
    };
    let right = tcp("AUTH hunter2\r\nPING\r\n", "+PONG\r\n");
    let answer = ask_until(&right, |answer| answer.reached).await;
    assert!(answer.succeeded(&right.ask), "{answer:?}");
    assert!(answer.text.contains("+PONG"));

    let wrong = ask(&tcp("AUTH wrong\r\n", "\r\n")).await;
    assert!(wrong.text.starts_with("-WRONGPASS"), "{}", wrong.text);
    let without = ask(&tcp("PING\r\n", "\r\n")).await;
    assert!(without.text.starts_with("-NOAUTH"), "{}", without.text);
}

#[tokio::test]
async fn bitcoind_answers_over_jsonrpc_warms_up_and_refuses() {
    let Some(bitcoind) = program("bitcoind") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let rpc = free_port().await;
    // Salt and proof of the password "hunter2", as bitcoin's share/rpcauth/rpcauth.py writes them.
    let proof = rpcauth_proof("00112233445566778899aabbccddeeff", "hunter2");
    let text = format!(
        "regtest=1\nserver=1\nlisten=0\ndisablewallet=1\nrpcwhitelist=node:getblockchaininfo,uptime\n\
         rpcauth=node:00112233445566778899aabbccddeeff${proof}\n\
         [regtest]\nrpcport={rpc}\nrpcbind=127.0.0.1\nrpcallowip=127.0.0.1\n"
    );
    std::fs::write(folder.path().join("bitcoin.conf"), text).unwrap();
    let _bitcoind = start(quiet(&bitcoind).arg(format!("-datadir={}", folder.path().display())));
    let address = SocketAddr::from(([127, 0, 0, 1], rpc));
    let asked = |method: &str, password: &str| Question {
        credential: credential("node", password),
        ..question(
            address,
            Asking::Jsonrpc {
                method: method.to_owned(),
                params: json!([]),
            },
        )
    };
    let right = asked("getblockchaininfo", "hunter2");
    let answer = ask_until(&right, |answer| answer.reached).await;
    if answer.status == Some(500) {
        assert_eq!(answer.json.unwrap()["error"]["code"], -28);
    }
    let answer = ask_until(&right, |answer| answer.succeeded(&right.ask)).await;
    let json = answer.json.unwrap();
    assert_eq!(json["result"]["chain"], "regtest");
    assert_eq!(json["result"]["initialblockdownload"], true);

    let wrong = ask(&asked("getblockchaininfo", "wrong")).await;
    assert_eq!(
        (wrong.status, wrong.error),
        (Some(401), Some(ProbeError::Denied))
    );
    let unlisted = ask(&asked("stop", "hunter2")).await;
    assert_eq!(
        (unlisted.status, unlisted.error),
        (Some(403), Some(ProbeError::Denied))
    );
}

fn rpcauth_proof(salt: &str, password: &str) -> String {
    use hmac::KeyInit;
    use hmac::Mac;
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(salt.as_bytes()).unwrap();
    mac.update(password.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn lnd_answers_over_its_own_certificate_that_it_has_no_wallet() {
    let Some(lnd) = program("lnd") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (rest, rpc) = (free_port().await, free_port().await);
    let args = [
        format!("--lnddir={}", folder.path().display()),
        "--bitcoin.regtest".to_owned(),
        "--bitcoin.node=neutrino".to_owned(),
        "--nolisten".to_owned(),
        format!("--rpclisten=127.0.0.1:{rpc}"),
        format!("--restlisten=127.0.0.1:{rest}"),
    ];
    let _lnd = start(quiet(&lnd).args(args));
    let certificate = folder.path().join("tls.cert");
    let address = SocketAddr::from(([127, 0, 0, 1], rest));
    let asked = async {
        loop {
            if let Ok(bytes) = std::fs::read(&certificate)
                && let Ok(pin) = PinnedCertificate::read(&bytes)
            {
                return question(
                    address,
                    Asking::Http {
                        post: false,
                        path: SecretBytes::from("/v1/state".to_owned()),
                        headers: Vec::new(),
                        body: None,
                        pinned: Some(pin),
                    },
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let asked = tokio::time::timeout(Duration::from_secs(60), asked)
        .await
        .expect("LND writes its certificate within a minute");
    let without_wallet = |answer: &Answer| {
        answer
            .json
            .as_ref()
            .is_some_and(|json| json["state"] == "NON_EXISTING")
    };
    let answer = ask_until(&asked, without_wallet).await;
    assert!(answer.succeeded(&asked.ask));
}
