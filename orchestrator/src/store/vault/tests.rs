use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::entropy::SystemEntropy;
use crate::store::surgery;

mod crash;
mod damage;

/// Where it is tried.
const HERE: &str = crate::node::MACHINE;
const PASSPHRASE: &str = "correct horse battery";

/// A clock that stands until it is moved.
#[derive(Debug)]
struct Standing(AtomicU64);

impl Standing {
    fn set(&self, seconds: u64) {
        self.0.store(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Standing {
    fn wall(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

fn clock() -> Arc<Standing> {
    Arc::new(Standing(AtomicU64::new(1_700_000_000_000)))
}

fn config(dir: &Path, clock: Arc<Standing>) -> VaultConfig {
    VaultConfig {
        dir: dir.to_owned(),
        kdf: Kdf::Argon2id {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        },
        unseals_itself: true,
        clock,
        entropy: Arc::new(SystemEntropy),
    }
}

fn by_itself() -> (TempDir, Vault) {
    let folder = tempfile::tempdir().unwrap();
    let (vault, recovery) =
        Vault::create(config(folder.path(), clock()), First::SelfUnsealing).unwrap();
    assert_eq!(recovery, None);
    (folder, vault)
}

fn by_passphrase() -> (TempDir, Vault, RecoveryKey) {
    let folder = tempfile::tempdir().unwrap();
    let first = First::Passphrase(text(PASSPHRASE));
    let (vault, recovery) = Vault::create(config(folder.path(), clock()), first).unwrap();
    (folder, vault, recovery.unwrap())
}

fn again(folder: &TempDir) -> Vault {
    Vault::attach(config(folder.path(), clock())).unwrap()
}

fn text(text: &str) -> SecretBytes {
    SecretBytes::from(text.to_owned())
}

fn passphrase(text: &str) -> Unlock {
    Unlock::Passphrase(SecretBytes::from(text.to_owned()))
}

fn recovery_key(key: &RecoveryKey) -> Unlock {
    Unlock::RecoveryKey(key.expose().clone())
}

fn key(name: &str) -> SecretKey {
    SecretKey(format!("service/{name}"))
}

fn made_once(vault: &Vault) -> SecretRef {
    vault
        .ensure(&key("mint/seed"), None, || text("a very secret seed"))
        .unwrap()
}

#[test]
fn a_vault_of_its_own_opens_itself_until_a_passphrase_is_set() {
    let (folder, vault) = by_itself();
    assert_eq!(vault.state(), VaultState::SelfUnsealing);
    let secret = made_once(&vault);
    drop(vault);

    let vault = again(&folder);
    assert_eq!(vault.state(), VaultState::Sealed);
    assert_eq!(vault.secret(&secret), Err(SecretUnavailable::Sealed));
    vault.unseal_itself().unwrap();
    assert_eq!(vault.state(), VaultState::SelfUnsealing);
    assert_eq!(vault.secret(&secret).unwrap(), text("a very secret seed"));

    let recovery = vault
        .change_passphrase(None, &text(PASSPHRASE), HERE)
        .unwrap()
        .unwrap();
    assert_eq!(vault.state(), VaultState::Open);
    assert!(!folder.path().join("vault.selfkey").exists());
    drop(vault);

    let vault = again(&folder);
    let error = vault.unseal_itself().unwrap_err();
    assert!(matches!(error, VaultError::NoSlot { .. }), "{error}");
    vault.unlock(&passphrase(PASSPHRASE), HERE).unwrap();
    assert_eq!(vault.secret(&secret).unwrap(), text("a very secret seed"));
    vault.seal();
    vault.unlock(&recovery_key(&recovery), HERE).unwrap();
    assert_eq!(vault.secret(&secret).unwrap(), text("a very secret seed"));
}

#[test]
fn a_profile_with_money_does_not_let_the_vault_open_itself() {
    let (folder, vault) = by_itself();
    drop(vault);
    let strict = VaultConfig {
        unseals_itself: false,
        ..config(folder.path(), clock())
    };
    let vault = Vault::attach(strict.clone()).unwrap();
    let error = vault.unseal_itself().unwrap_err();
    assert!(matches!(error, VaultError::NotItself), "{error}");
    assert_eq!(vault.state(), VaultState::Sealed);
    let elsewhere = tempfile::tempdir().unwrap();
    let strict = VaultConfig {
        dir: elsewhere.path().to_owned(),
        ..strict
    };
    let error = Vault::create(strict, First::SelfUnsealing).unwrap_err();
    assert!(matches!(error, VaultError::NotItself), "{error}");
    assert!(surgery::contents(elsewhere.path()).is_empty());
}

#[test]
fn each_wrong_way_in_has_an_error_of_its_own_and_opens_nothing() {
    let (folder, vault, recovery) = by_passphrase();
    let stick = tempfile::tempdir().unwrap();
    vault.add_key_file(&stick.path().join("mine.key")).unwrap();
    let (_other_folder, other, other_recovery) = by_passphrase();
    other.add_key_file(&stick.path().join("other.key")).unwrap();
    vault.seal();

    let file = |name: &str| {
        Unlock::KeyFile(SecretBytes::new(
            std::fs::read(stick.path().join(name)).unwrap(),
        ))
    };
    let mistyped = recovery
        .expose()
        .expose_text()
        .unwrap()
        .replacen('-', "", 1);
    let mistyped = format!("{}{}", &mistyped[1..2], &mistyped[1..]);
    let refusals = [
        (passphrase("correct horse batterz"), "wrong_passphrase"),
        (Unlock::RecoveryKey(text(PASSPHRASE)), "not_a_recovery_key"),
        (recovery_key(&other_recovery), "wrong_recovery_key"),
        (Unlock::KeyFile(text("hello")), "not_a_key_file"),
        (file("other.key"), "wrong_key_file"),
    ];
    for (with, code) in refusals {
        assert_eq!(vault.unlock(&with, HERE).unwrap_err().code(), code);
        assert_eq!(vault.state(), VaultState::Sealed);
    }
    if mistyped
        != recovery
            .expose()
            .expose_text()
            .unwrap()
            .replacen('-', "", 1)
    {
        let with = Unlock::RecoveryKey(text(&mistyped));
        assert_eq!(
            vault.unlock(&with, HERE).unwrap_err().code(),
            "not_a_recovery_key"
        );
    }
    for with in [
        passphrase(PASSPHRASE),
        recovery_key(&recovery),
        file("mine.key"),
    ] {
        vault.unlock(&with, HERE).unwrap();
        assert_eq!(vault.state(), VaultState::Open);
        vault.seal();
    }
    drop(vault);
    assert_eq!(again(&folder).state(), VaultState::Sealed);
}

#[test]
fn a_damaged_key_file_is_not_taken_for_a_wrong_one() {
    let (folder, vault, _) = by_passphrase();
    let stick = tempfile::tempdir().unwrap();
    let path = stick.path().join("node.key");
    vault.add_key_file(&path).unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    assert!(whole.contains("opens the vault without a"), "{whole}");
    let cut = Unlock::KeyFile(text(&whole[..whole.len() - 10]));
    assert_eq!(
        vault.unlock(&cut, HERE).unwrap_err().code(),
        "not_a_key_file"
    );
    let error = vault.add_key_file(&path).unwrap_err();
    assert!(matches!(error, VaultError::KeyFileExists { .. }), "{error}");
    let error = vault
        .add_key_file(Path::new("/nonexistent/folder/k"))
        .unwrap_err();
    assert!(matches!(error, VaultError::KeyFileFolder { .. }), "{error}");
    assert!(error.hint().contains("a folder that exists"));
    let error = vault.add_key_file(&folder.path().join("k")).unwrap_err();
    assert!(matches!(error, VaultError::KeyFileInside), "{error}");
    vault.seal();
    let error = vault
        .add_key_file(&stick.path().join("second.key"))
        .unwrap_err();
    assert!(matches!(error, VaultError::Sealed), "{error}");
    assert!(!stick.path().join("second.key").exists());
}

#[test]
fn after_a_change_of_passphrase_the_old_one_opens_neither_copy_of_the_slots() {
    let (folder, vault, recovery) = by_passphrase();
    vault.recovery_key_shown().unwrap();
    let secret = made_once(&vault);
    let error = vault
        .change_passphrase(None, &text("another passphrase"), HERE)
        .unwrap_err();
    assert!(matches!(error, VaultError::UnlockNeeded), "{error}");
    let wrong = passphrase("not the passphrase");
    let error = vault
        .change_passphrase(Some(&wrong), &text("another passphrase"), HERE)
        .unwrap_err();
    assert!(matches!(error, VaultError::WrongPassphrase), "{error}");
    let short = vault.change_passphrase(Some(&passphrase(PASSPHRASE)), &text("short"), HERE);
    assert!(matches!(
        short,
        Err(VaultError::PassphraseTooShort { least: 8 })
    ));

    let again_printed = vault
        .change_passphrase(
            Some(&passphrase(PASSPHRASE)),
            &text("another passphrase"),
            HERE,
        )
        .unwrap();
    assert_eq!(again_printed, None, "the printed recovery key stays");
    drop(vault);
    let path = folder.path().join("vault.slots");
    for _copy in 0..2 {
        let vault = again(&folder);
        let error = vault.unlock(&passphrase(PASSPHRASE), HERE).unwrap_err();
        assert!(matches!(error, VaultError::WrongPassphrase), "{error}");
        vault
            .unlock(&passphrase("another passphrase"), HERE)
            .unwrap();
        assert_eq!(vault.secret(&secret).unwrap(), text("a very secret seed"));
        vault.seal();
        vault.unlock(&recovery_key(&recovery), HERE).unwrap();
        drop(vault);
        // The second round uses the second copy.
        let _ = std::fs::remove_file(&path);
    }
}

#[test]
fn a_recovery_key_that_nobody_saw_is_made_anew_with_the_next_passphrase() {
    let (_folder, vault, unseen) = by_passphrase();
    let seen = vault
        .change_passphrase(
            Some(&passphrase(PASSPHRASE)),
            &text("second passphrase"),
            HERE,
        )
        .unwrap()
        .unwrap();
    vault.seal();
    assert_eq!(
        vault
            .unlock(&recovery_key(&unseen), HERE)
            .unwrap_err()
            .code(),
        "wrong_recovery_key"
    );
    vault.unlock(&recovery_key(&seen), HERE).unwrap();
    vault.recovery_key_shown().unwrap();
    let third = vault
        .change_passphrase(Some(&recovery_key(&seen)), &text("third passphrase"), HERE)
        .unwrap();
    assert_eq!(third, None);
}

#[test]
fn a_sealed_vault_gives_nothing_and_who_holds_a_value_keeps_it() {
    let (_folder, vault, _) = by_passphrase();
    let secret = made_once(&vault);
    let held = vault.secret(&secret).unwrap();
    let clone = vault.clone();
    vault.seal();
    assert_eq!(clone.state(), VaultState::Sealed);
    assert_eq!(clone.secret(&secret), Err(SecretUnavailable::Sealed));
    assert!(matches!(clone.list(), Err(VaultError::Sealed)));
    assert!(matches!(
        clone.subkey(Purpose::Audit),
        Err(VaultError::Sealed)
    ));
    let made = clone.ensure(&key("relay/token"), None, || panic!("nothing is made"));
    assert!(matches!(made, Err(VaultError::Sealed)));
    let captured = clone.store_captured(&key("lnd/macaroon"), &text("x"));
    assert!(matches!(captured, Err(VaultError::Sealed)));
    assert_eq!(held, text("a very secret seed"));
    vault.unlock(&passphrase(PASSPHRASE), HERE).unwrap();
    assert_eq!(clone.secret(&secret).unwrap(), held);
}

#[test]
fn a_secret_is_made_once_and_a_promised_one_is_never_made_again() {
    let (_folder, vault) = by_itself();
    let first = made_once(&vault);
    assert_eq!(first.generation, 1);
    let again = vault
        .ensure(&first.key, None, || panic!("it is there"))
        .unwrap();
    let promised = vault
        .ensure(&first.key, Some(1), || panic!("it is there"))
        .unwrap();
    assert_eq!((&again, &promised), (&first, &first));
    for (name, generation) in [("mint/seed", 2), ("relay/token", 1)] {
        let error = vault
            .ensure(&key(name), Some(generation), || panic!("nothing is made"))
            .unwrap_err();
        assert_eq!(error.code(), "secret_missing");
    }
    let absent = SecretRef {
        key: key("relay/token"),
        generation: 1,
    };
    assert_eq!(
        vault.secret(&absent),
        Err(SecretUnavailable::Missing(key("relay/token")))
    );
    assert_eq!(vault.list().unwrap().len(), 1);
}

#[test]
fn a_captured_value_is_a_new_generation_only_where_it_differs() {
    let (_folder, vault) = by_itself();
    let name = key("lnd/admin_macaroon");
    let generation = |value: &str| {
        vault
            .store_captured(&name, &text(value))
            .unwrap()
            .generation
    };
    assert_eq!(
        [
            generation("a"),
            generation("a"),
            generation("b"),
            generation("a")
        ],
        [1, 1, 2, 3]
    );
    let second = SecretRef {
        key: name.clone(),
        generation: 2,
    };
    assert_eq!(vault.secret(&second).unwrap(), text("b"));
    let listed: Vec<u32> = vault.list().unwrap().iter().map(|e| e.generation).collect();
    assert_eq!(listed, [1, 2, 3]);
}

#[test]
fn no_secret_lies_in_the_folder_as_it_is() {
    let (folder, vault, recovery) = by_passphrase();
    made_once(&vault);
    vault
        .store_captured(&key("lnd/macaroon"), &text("a captured macaroon"))
        .unwrap();
    vault
        .unlock(&passphrase("a wrong passphrase"), HERE)
        .unwrap_err();
    let printed = recovery.expose().expose_text().unwrap();
    let seek = |when: &str| {
        let needles = [
            PASSPHRASE,
            "a wrong passphrase",
            "a very secret seed",
            "a captured macaroon",
            printed,
            &printed.replace('-', ""),
            "mint/seed",
            "SQLite format 3",
        ];
        for needle in needles {
            assert!(
                !surgery::holds(folder.path(), needle.as_bytes()),
                "{needle} {when}"
            );
        }
    };
    seek("while it is open");
    vault.seal();
    seek("after it was sealed");
    assert!(
        surgery::holds(folder.path(), b"passphrase"),
        "the search finds what is there"
    );
}

#[test]
fn wrong_passphrases_wait_longer_and_longer_even_over_a_restart_but_other_ways_never_do() {
    let (folder, vault, recovery) = by_passphrase();
    vault.seal();
    drop(vault);
    let clock = clock();
    clock.set(1000);
    let attach = || Vault::attach(config(folder.path(), clock.clone())).unwrap();
    let vault = attach();
    let wait = |vault: &Vault| match vault.unlock(&passphrase("wrong wrong"), HERE).unwrap_err() {
        VaultError::WrongPassphrase => 0,
        VaultError::TooSoon { wait, .. } => wait.as_secs(),
        other => panic!("{other}"),
    };
    assert_eq!(
        [wait(&vault), wait(&vault), wait(&vault), wait(&vault)],
        [0, 0, 0, 1]
    );
    clock.set(1001);
    assert_eq!([wait(&vault), wait(&vault)], [0, 2]);
    drop(vault);
    let vault = attach();
    assert_eq!(wait(&vault), 2, "a restart does not make it free");
    let right = vault.unlock(&passphrase(PASSPHRASE), HERE).unwrap_err();
    assert_eq!(right.code(), "too_soon");
    clock.set(1);
    assert_eq!(
        wait(&vault),
        2,
        "a clock that went back arms the wait anew, no longer"
    );
    clock.set(3);
    assert_eq!(wait(&vault), 0);
    vault.unlock(&recovery_key(&recovery), HERE).unwrap();
    vault.seal();
    clock.set(7);
    vault.unlock(&passphrase(PASSPHRASE), HERE).unwrap();
    vault.seal();
    assert_eq!(wait(&vault), 0, "the right passphrase forgets the count");
}

#[test]
fn the_wait_has_a_bound_and_a_damaged_count_does_not_lock_the_owner_out() {
    let (folder, vault, _) = by_passphrase();
    drop(vault);
    let path = folder.path().join("vault.attempts");
    std::fs::write(
        &path,
        r#"{"machine":{"failed":4000000000,"last_at":1700000000000}}"#,
    )
    .unwrap();
    match again(&folder)
        .unlock(&passphrase(PASSPHRASE), HERE)
        .unwrap_err()
    {
        VaultError::TooSoon { wait, .. } => assert_eq!(wait, Duration::from_secs(300)),
        other => panic!("{other}"),
    }
    std::fs::write(&path, r#"{"failed":40"#).unwrap();
    again(&folder)
        .unlock(&passphrase(PASSPHRASE), HERE)
        .unwrap();
}

#[test]
fn the_real_cost_of_a_passphrase_is_64_mib_and_three_passes() {
    assert_eq!(
        Kdf::PASSPHRASE,
        Kdf::Argon2id {
            memory_kib: 65_536,
            passes: 3,
            lanes: 1
        }
    );
    let folder = tempfile::tempdir().unwrap();
    let config = VaultConfig {
        kdf: Kdf::PASSPHRASE,
        ..config(folder.path(), clock())
    };
    let (vault, _) = Vault::create(config, First::Passphrase(text(PASSPHRASE))).unwrap();
    vault.seal();
    vault.unlock(&passphrase(PASSPHRASE), HERE).unwrap();
    assert!(surgery::holds(folder.path(), b"\"memory_kib\": 65536"));
}

#[test]
fn keys_for_different_purposes_differ_and_stay_the_same() {
    let (folder, vault) = by_itself();
    let backup = vault.subkey(Purpose::Backup).unwrap();
    assert_ne!(backup, vault.subkey(Purpose::Audit).unwrap());
    assert_ne!(backup, vault.subkey(Purpose::Database).unwrap());
    drop(vault);
    let vault = again(&folder);
    vault.unseal_itself().unwrap();
    assert_eq!(backup, vault.subkey(Purpose::Backup).unwrap());
}

#[test]
fn a_vault_prints_where_it_lies_and_nothing_else() {
    let (_folder, vault) = by_itself();
    let printed = format!("{vault:?}");
    assert!(
        printed.contains("SelfUnsealing") && printed.ends_with(".. }"),
        "{printed}"
    );
}
