//! Owns the search for secret values where none may lie: the data folder, the daemon's output, and the command line and
//! environment of every process.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flash_node::clock::SystemClock;
use flash_node::entropy::SystemEntropy;
use flash_node::node::Unlock;
use flash_node::secret::SecretBytes;
use flash_node::secret::SecretRef;
use flash_node::secret::SecretSource;
use flash_node::store::vault::Kdf;
use flash_node::store::vault::Vault;
use flash_node::store::vault::VaultConfig;

use crate::node::TestNode;
use crate::node::files_under;

/// A secret, and every form in which it could have been written down.
pub(crate) struct Secret {
    /// What it is, for the message.
    pub(crate) what: String,
    forms: Vec<Vec<u8>>,
}

impl Secret {
    /// Takes a secret as text, such as a password or a key in hexadecimal digits or base64.
    pub(crate) fn new(what: impl Into<String>, text: &str) -> Self {
        let (what, text) = (what.into(), text.trim());
        assert!(text.len() >= 8, "{what} is long enough to be recognised");
        let mut forms = vec![text.as_bytes().to_vec(), STANDARD.encode(text).into_bytes()];
        if let Ok(raw) = hex::decode(text) {
            forms.push(text.to_ascii_uppercase().into_bytes());
            forms.push(raw);
        } else if let Ok(raw) = STANDARD.decode(text)
            && raw.len() >= 16
        {
            forms.push(hex::encode(&raw).into_bytes());
            forms.push(raw);
        }
        // A seed of words is kept as a list; elsewhere its words stand in a row.
        if let Ok(words) = serde_json::from_str::<Vec<String>>(text) {
            forms.push(words.join(" ").into_bytes());
        }
        Self { what, forms }
    }
}

/// Every value that the vault of a node holds, by its key, read from a copy of it.
pub(crate) fn kept(node: &TestNode, passphrase: &str) -> Vec<(String, String)> {
    let copy = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(node.data())
        .expect("the data folder")
        .flatten()
    {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("vault.") {
            std::fs::copy(entry.path(), copy.path().join(name)).expect("copied");
        }
    }
    let config = VaultConfig {
        dir: copy.path().to_owned(),
        kdf: Kdf::PASSPHRASE,
        unseals_itself: false,
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(SystemEntropy),
    };
    let vault = Vault::attach(config).expect("a vault");
    let passphrase = SecretBytes::new(passphrase.as_bytes().to_vec());
    vault
        .unlock(&Unlock::Passphrase(passphrase), "machine")
        .expect("it opens");
    let entries = vault.list().expect("it is open").into_iter();
    entries
        .map(|entry| {
            let name = entry.key.0.clone();
            let which = SecretRef {
                key: entry.key,
                generation: entry.generation,
            };
            let value = vault.secret(&which).expect("it holds it");
            let text = value.expose_text().expect("a text").trim().to_owned();
            (name, text)
        })
        .collect()
}

/// Every form of every secret by its first two bytes: a chain and its index are read once, not once for each form.
struct Search<'a> {
    by_start: Vec<Vec<(&'a Secret, &'a [u8])>>,
}

impl<'a> Search<'a> {
    fn new(secrets: &'a [Secret]) -> Self {
        let mut by_start = vec![Vec::new(); 1 << 16];
        for secret in secrets {
            for form in &secret.forms {
                by_start[start(form)].push((secret, form.as_slice()));
            }
        }
        Self { by_start }
    }

    /// The secrets that lie in `bytes`.
    fn in_bytes(&self, bytes: &[u8]) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for (at, pair) in bytes.windows(2).enumerate() {
            for (secret, form) in &self.by_start[start(pair)] {
                if bytes[at..].starts_with(form) && !names.contains(&secret.what.as_str()) {
                    names.push(&secret.what);
                }
            }
        }
        names
    }

    /// Names every secret that lies in a file, with the file.
    fn in_files(&self, files: &[PathBuf]) -> Vec<String> {
        let mut places = Vec::new();
        for file in files {
            // A process or a file may be gone by now; what cannot be read any more leaks no more.
            let Ok(bytes) = std::fs::read(file) else {
                continue;
            };
            let names = self.in_bytes(&bytes).into_iter();
            places.extend(names.map(|what| format!("{what} in {}", file.display())));
        }
        places
    }
}

fn start(bytes: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// The command lines and environments of every process of the machine.
fn of_processes() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").expect("proc").flatten();
    let numbered = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.chars().all(|c| c.is_ascii_digit())
    });
    numbered
        .flat_map(|entry| ["cmdline", "environ"].map(|name| entry.path().join(name)))
        .collect()
}

/// Asserts that each secret lies in memory, where the runtime put it: the search is one that finds.
pub(crate) fn assert_rendered(node: &TestNode, secrets: &[Secret]) {
    let folders = node.run_folders();
    let in_memory: Vec<_> = folders
        .iter()
        .flat_map(|folder| files_under(folder))
        .collect();
    let seen = Search::new(secrets).in_files(&in_memory);
    for secret in secrets {
        assert!(
            seen.iter().any(|place| place.starts_with(&secret.what)),
            "{} in {seen:?}",
            secret.what
        );
    }
}

/// Asserts that no secret lies in `state.db`, a log, any other file of the data folder, an argument or an environment
/// variable, while the node runs. A process of this node whose environment cannot be searched fails the test.
pub(crate) fn assert_none(node: &TestNode, secrets: &[Secret]) {
    let data = files_under(&node.data());
    assert!(
        data.contains(&node.data().join("state.db")),
        "state.db is searched"
    );
    let logs = node.data().join("logs");
    assert!(
        data.iter().any(|file| file.starts_with(&logs)),
        "logs are searched"
    );
    let search = Search::new(secrets);
    assert_eq!(search.in_files(&data), Vec::<String>::new());

    for (pid, line) in node.processes() {
        let environ = PathBuf::from(format!("/proc/{pid}/environ"));
        let read = std::fs::read(&environ);
        let gone = !Path::new(&format!("/proc/{pid}")).exists();
        assert!(
            read.is_ok() || gone,
            "{} of `{line}` was not searched: {read:?}",
            environ.display()
        );
    }
    let own = format!("/proc/{}/environ", node.daemon_pid());
    assert!(
        !std::fs::read(own).expect("readable").is_empty(),
        "environments are searched"
    );
    assert_eq!(search.in_files(&of_processes()), Vec::<String>::new());

    let log = node.daemon_log();
    assert_eq!(search.in_bytes(log.as_bytes()), Vec::<&str>::new());
}
