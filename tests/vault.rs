//! The vault of a running node: every way in, a sealed start, and no secret anywhere it does not belong.

mod node;
#[path = "node/redis.rs"]
mod redis;

use std::path::Path;
use std::process::Output;

use base64::Engine;
use node::TestNode;
use node::files_under;
use node::program;
use node::send;
use node::skip;
use serde_json::Value;

const FIRST: &str = "correct horse battery staple";
const SECOND: &str = "another long sentence of words";

fn vault(node: &TestNode) -> String {
    let status = node.status();
    status["vault"]["state"]
        .as_str()
        .expect("a state")
        .to_owned()
}

/// Who a service is, beyond doubt: its process, and since when it runs.
fn identity(node: &TestNode, service: &str) -> (u32, Value) {
    let pid = node.service_pid(service).expect("it runs");
    (pid, node.service(service)["started_at"].clone())
}

/// A demo whose vault has a passphrase, and its recovery key.
fn with_passphrase(node: &TestNode) -> String {
    assert_eq!(
        vault(node),
        "self_unsealing",
        "the demo needs no passphrase at first"
    );
    let said = done(&node.cli_with_input(&["passphrase", "change"], &format!("{FIRST}\n")));
    let shown = said.lines().find_map(|line| line.strip_prefix("  "));
    let recovery = shown.unwrap_or_else(|| panic!("no recovery key in\n{said}"));
    node.wait("the vault to be open", |node| vault(node) == "open");
    recovery.to_owned()
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// Asserts that a way in is refused, and that the vault stays as it was.
fn refused(node: &TestNode, args: &[&str], input: &str) {
    let output = node.cli_with_input(args, input);
    assert_eq!(output.status.code(), Some(77), "{args:?}: {output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("error:") && said.contains("next:"), "{said}");
    assert_eq!(vault(node), "sealed");
}

fn opens(node: &TestNode, args: &[&str], input: &str) {
    done(&node.cli_with_input(args, input));
    node.wait("the vault to be open", |node| vault(node) == "open");
}

fn seal(node: &TestNode) {
    node.ok(&["seal"]);
    node.wait("the vault to be sealed", |node| vault(node) == "sealed");
}

#[test]
fn a_sealed_start_adopts_what_runs_and_starts_only_what_needs_no_secret() {
    let mut demo = TestNode::started("demo");
    demo.wait_ready("relay");
    demo.wait_ready("mint");
    with_passphrase(&demo);
    let before = (identity(&demo, "relay"), identity(&demo, "mint"));

    demo.kill_daemon();
    demo.up();
    assert_eq!(vault(&demo), "sealed");
    demo.wait_ready("relay");
    demo.wait_ready("mint");
    let after = (identity(&demo, "relay"), identity(&demo, "mint"));
    assert_eq!(before, after, "what ran is adopted, not restarted");

    send(before.0.0, "-KILL");
    send(before.1.0, "-KILL");
    demo.wait("the mint to wait for its seed", |node| {
        let mint = node.service("mint");
        mint["ready"]["code"] == "sealed" && node.service_pid("mint").is_none()
    });
    demo.wait("the relay, which needs no secret, to be back", |node| {
        node.service_pid("relay")
            .is_some_and(|pid| pid != before.0.0)
    });
    demo.wait_ready("relay");
    assert_eq!(demo.service("mint")["ready"]["code"], "sealed");
    assert_eq!(demo.cli(&["status", "--wait=30"]).status.code(), Some(76));

    refused(&demo, &["unlock"], "correct horse battery stable\n");
    assert!(
        demo.service_pid("mint").is_none(),
        "a wrong passphrase starts nothing"
    );
    opens(&demo, &["unlock"], &format!("{FIRST}\n"));
    demo.wait_ready("mint");
    assert_ne!(identity(&demo, "mint").0, before.1.0);
}

#[test]
fn every_way_in_opens_and_every_wrong_one_is_refused() {
    let demo = TestNode::started("demo");
    demo.wait_ready("relay");
    demo.wait_ready("mint");
    let recovery = with_passphrase(&demo);
    let before = (identity(&demo, "relay"), identity(&demo, "mint"));
    let stick = tempfile::tempdir().expect("a folder");
    let key = stick.path().join("flash.key");
    let key_path = key.to_str().expect("a path");

    demo.ok(&["key-file", "add", key_path]);
    seal(&demo);
    refused(&demo, &["unlock"], "not the passphrase at all\n");
    opens(&demo, &["unlock"], &format!("{FIRST}\n"));

    seal(&demo);
    let mut wrong = recovery.clone().into_bytes();
    let at = wrong
        .iter()
        .rposition(u8::is_ascii_alphanumeric)
        .expect("a letter");
    wrong[at] = if wrong[at] == b'A' || wrong[at] == b'a' {
        b'B'
    } else {
        b'A'
    };
    let wrong = String::from_utf8(wrong).expect("text");
    refused(&demo, &["unlock", "--recovery-key"], &format!("{wrong}\n"));
    opens(
        &demo,
        &["unlock", "--recovery-key"],
        &format!("{recovery}\n"),
    );

    seal(&demo);
    let other = stick.path().join("other.key");
    let mut content = std::fs::read(&key).expect("the key file");
    let last = content
        .iter()
        .rposition(u8::is_ascii_alphanumeric)
        .expect("content");
    content[last] = if content[last] == b'0' { b'1' } else { b'0' };
    std::fs::write(&other, content).expect("a file");
    refused(
        &demo,
        &["unlock", "--key-file", other.to_str().expect("a path")],
        "",
    );
    opens(&demo, &["unlock", "--key-file", key_path], "");

    let mistaken = demo.cli_with_input(
        &["passphrase", "change"],
        &format!("wrong wrong wrong wrong\n{SECOND}\n"),
    );
    assert_eq!(mistaken.status.code(), Some(77), "{mistaken:?}");
    done(&demo.cli_with_input(&["passphrase", "change"], &format!("{FIRST}\n{SECOND}\n")));
    seal(&demo);
    refused(&demo, &["unlock"], &format!("{FIRST}\n"));
    opens(&demo, &["unlock"], &format!("{SECOND}\n"));
    seal(&demo);
    opens(
        &demo,
        &["unlock", "--recovery-key"],
        &format!("{recovery}\n"),
    );
    seal(&demo);
    opens(&demo, &["unlock", "--key-file", key_path], "");

    seal(&demo);
    assert_eq!(
        demo.wait_ready("mint")["ready"]["ok"],
        true,
        "services go on"
    );
    assert_eq!(demo.wait_ready("relay")["ready"]["ok"], true);
    let after = (identity(&demo, "relay"), identity(&demo, "mint"));
    assert_eq!(before, after, "nothing was restarted by any of it");
}

/// A secret, and every form in which it could have been written down.
struct Secret {
    what: &'static str,
    forms: Vec<Vec<u8>>,
}

impl Secret {
    fn new(what: &'static str, text: &str) -> Self {
        let text = text.trim();
        assert!(text.len() >= 8, "{what} is long enough to be recognised");
        let base64 = base64::engine::general_purpose::STANDARD.encode(text);
        let mut forms = vec![text.as_bytes().to_vec(), base64.into_bytes()];
        if let Ok(raw) = hex::decode(text) {
            forms.push(text.to_ascii_uppercase().into_bytes());
            forms.push(raw);
        }
        Self { what, forms }
    }

    fn lies_in(&self, bytes: &[u8]) -> bool {
        let holds = |form: &Vec<u8>| bytes.windows(form.len()).any(|window| window == form);
        self.forms.iter().any(holds)
    }
}

/// Names every secret that lies in a file, with the file.
fn found(secrets: &[Secret], files: &[std::path::PathBuf]) -> Vec<String> {
    let mut places = Vec::new();
    for file in files {
        // A process or a file may be gone by now; what cannot be read any more leaks no more.
        let Ok(bytes) = std::fs::read(file) else {
            continue;
        };
        let lying = secrets.iter().filter(|secret| secret.lies_in(&bytes));
        places.extend(lying.map(|secret| format!("{} in {}", secret.what, file.display())));
    }
    places
}

/// The command lines and environments of every process of the machine.
fn of_processes() -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir("/proc").expect("proc").flatten();
    let numbered = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.chars().all(|c| c.is_ascii_digit())
    });
    numbered
        .flat_map(|entry| ["cmdline", "environ"].map(|name| entry.path().join(name)))
        .collect()
}

#[test]
fn no_secret_lies_where_it_does_not_belong() {
    let mut demo = TestNode::new("demo");
    let with_redis = program("redis-server").is_some();
    if with_redis {
        redis::prepare(&demo);
    } else {
        skip("the secrets of edges: redis-server is not installed: apt install redis-server");
    }
    // All that our own code can be made to log, in one file that is never put aside in a test this short.
    demo.env("FLASH_NODE_LOG", Some("info,flash_node=trace"));
    demo.up();
    demo.wait_ready("relay");
    demo.wait_ready("mint");
    let seed = demo.rendered("mint", "seed");
    assert!(
        hex::decode(seed.trim()).is_ok_and(|raw| raw.len() == 64),
        "a seed of 64 bytes"
    );
    let mut rendered = vec![Secret::new("the mint's seed", &seed)];
    if with_redis {
        demo.wait_ready("redis");
        demo.wait_ready("redis-replica");
        let password = |service, user| redis::password(&demo, service, user);
        rendered.push(Secret::new(
            "the replica's token",
            &password("redis", "redis_replica"),
        ));
        rendered.push(Secret::new("the node's token", &password("redis", "node")));
        rendered.push(Secret::new(
            "the node's other token",
            &password("redis-replica", "node"),
        ));
    }
    // The search is one that finds: each secret lies in memory, where the runtime put it.
    let folders = demo.run_folders();
    let in_memory: Vec<_> = folders
        .iter()
        .flat_map(|folder| files_under(folder))
        .collect();
    let seen = found(&rendered, &in_memory);
    for secret in &rendered {
        assert!(
            seen.iter().any(|place| place.starts_with(secret.what)),
            "{} in {seen:?}",
            secret.what
        );
    }

    let recovery = with_passphrase(&demo);
    let stick = tempfile::tempdir().expect("a folder");
    let key = stick.path().join("flash.key");
    let key_path = key.to_str().expect("a path");
    demo.ok(&["key-file", "add", key_path]);
    seal(&demo);
    opens(
        &demo,
        &["unlock", "--recovery-key"],
        &format!("{recovery}\n"),
    );
    seal(&demo);
    opens(&demo, &["unlock", "--key-file", key_path], "");
    done(&demo.cli_with_input(&["passphrase", "change"], &format!("{FIRST}\n{SECOND}\n")));
    demo.kill_daemon();
    demo.up();
    opens(&demo, &["unlock"], &format!("{SECOND}\n"));
    demo.wait_ready("mint");

    let mut secrets = rendered;
    secrets.push(Secret::new("the first passphrase", FIRST));
    secrets.push(Secret::new("the second passphrase", SECOND));
    secrets.push(Secret::new("the recovery key", &recovery));
    secrets.push(Secret::new(
        "the bare recovery key",
        &recovery.replace('-', ""),
    ));
    let content = std::fs::read_to_string(&key).expect("the key file");
    let digits = content.lines().find_map(|line| line.strip_prefix("key "));
    let digits = digits.expect("the key file holds a key");
    assert!(
        hex::decode(digits).is_ok_and(|raw| raw.len() == 32),
        "a key of 32 bytes"
    );
    secrets.push(Secret::new("the key of the key file", digits));
    let data = files_under(&demo.data());
    let state = demo.data().join("state.db");
    assert!(data.contains(&state), "state.db is searched");
    assert!(
        data.iter()
            .any(|file| file.starts_with(demo.data().join("logs"))),
        "logs are searched"
    );
    assert_eq!(found(&secrets, &data), Vec::<String>::new());
    let processes = of_processes();
    let own = format!("/proc/{}/environ", demo.daemon_pid());
    assert!(
        !std::fs::read(Path::new(&own)).expect("readable").is_empty(),
        "environments are searched"
    );
    assert_eq!(found(&secrets, &processes), Vec::<String>::new());
    let log = std::fs::read(demo.data().join("logs/flash-node.log")).expect("the daemon logs");
    assert!(
        log.len() > 500,
        "much was logged, and searched above: {}",
        String::from_utf8_lossy(&log)
    );
    let log = demo.daemon_log();
    let leaked = secrets
        .iter()
        .filter(|secret| secret.lies_in(log.as_bytes()));
    assert_eq!(
        leaked.map(|secret| secret.what).collect::<Vec<_>>(),
        Vec::<&str>::new()
    );
}
