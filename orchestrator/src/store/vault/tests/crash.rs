//! Power cuts: a child process is killed at each failpoint, and this one looks at what it left.

use std::os::unix::process::ExitStatusExt;

use super::*;
use crate::store::surgery::run_child;

const NEW: &str = "a new passphrase";

/// What the child does; the parent arms it.
#[test]
fn child() {
    let Some((act, dir)) = surgery::child_task("vault") else {
        return;
    };
    match act.as_str() {
        "create" => {
            Vault::create(config(&dir, clock()), First::SelfUnsealing).unwrap();
        }
        "passphrase" => {
            let vault = Vault::attach(config(&dir, clock())).unwrap();
            vault.unseal_itself().unwrap();
            vault.change_passphrase(None, &text(NEW), HERE).unwrap();
        }
        "key_file" => {
            let vault = Vault::attach(config(&dir, clock())).unwrap();
            vault.unseal_itself().unwrap();
            let path = dir.parent().unwrap().join("stick.key");
            vault.add_key_file(&path).unwrap();
        }
        "secret" => {
            let vault = Vault::attach(config(&dir, clock())).unwrap();
            vault.unseal_itself().unwrap();
            vault
                .ensure(&key("relay/token"), None, || text("made by the child"))
                .unwrap();
        }
        other => panic!("{other} is no task"),
    }
}

fn killed(act: &str, dir: &Path, point: &str) {
    let status = run_child(
        "store::vault::tests::crash::child",
        "vault",
        act,
        dir,
        point,
    );
    assert_eq!(
        status.signal(),
        Some(9),
        "{act} was not killed at {point}: {status}"
    );
}

fn data() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    (folder, dir)
}

#[test]
fn a_kill_during_creation_leaves_no_vault_or_a_whole_one() {
    for (point, made) in [
        ("vault.create.self_key_written", false),
        ("vault.create.database_built", false),
        ("vault.slots.before_previous", false),
        ("vault.slots.before_rename", false),
        ("vault.create.slots_written", true),
    ] {
        let (_folder, dir) = data();
        killed("create", &dir, point);
        let found = Vault::attach(config(&dir, clock()));
        let vault = match found {
            Ok(vault) => {
                assert!(made, "{point}");
                vault.unseal_itself().unwrap();
                vault
            }
            Err(error) => {
                assert!(!made, "{point}: {error}");
                assert_eq!(error.code(), "vault_not_created", "{point}");
                let created = Vault::create(config(&dir, clock()), First::SelfUnsealing);
                created.unwrap().0
            }
        };
        made_once(&vault);
    }
}

#[test]
fn a_kill_during_the_first_passphrase_leaves_a_vault_that_opens_by_the_old_way_or_the_new_one() {
    for (point, changed) in [
        ("vault.slots.before_previous", false),
        ("vault.slots.before_rename", false),
        ("vault.passphrase.slots_written", true),
        ("vault.passphrase.self_key_removed", true),
    ] {
        let (_folder, dir) = data();
        let (vault, _) = Vault::create(config(&dir, clock()), First::SelfUnsealing).unwrap();
        let secret = made_once(&vault);
        drop(vault);
        killed("passphrase", &dir, point);

        let vault = Vault::attach(config(&dir, clock())).unwrap();
        assert_eq!(vault.has(SlotKind::Passphrase), changed, "{point}");
        assert_eq!(dir.join("vault.selfkey").exists(), !changed, "{point}");
        if changed {
            assert_eq!(vault.unseal_itself().unwrap_err().code(), "no_slot");
            vault.unlock(&passphrase(NEW), HERE).unwrap();
            let copy = std::fs::read(dir.join("vault.slots.old")).unwrap();
            assert_eq!(copy, std::fs::read(dir.join("vault.slots")).unwrap());
            // Nobody saw the recovery key of the killed change: the next change brings one.
            let recovery = vault
                .change_passphrase(Some(&passphrase(NEW)), &text(PASSPHRASE), HERE)
                .unwrap()
                .unwrap();
            vault.seal();
            vault.unlock(&recovery_key(&recovery), HERE).unwrap();
        } else {
            vault.unseal_itself().unwrap();
        }
        assert_eq!(vault.secret(&secret).unwrap(), text("a very secret seed"));
    }
}

#[test]
fn a_kill_while_a_key_file_is_added_leaves_the_vault_as_it_was_or_with_it() {
    for (point, added) in [
        ("vault.key_file.file_written", false),
        ("vault.slots.before_rename", false),
        ("vault.key_file.slots_written", true),
    ] {
        let (folder, dir) = data();
        drop(Vault::create(config(&dir, clock()), First::SelfUnsealing).unwrap());
        killed("key_file", &dir, point);
        let file = std::fs::read(folder.path().join("stick.key")).unwrap();
        let vault = Vault::attach(config(&dir, clock())).unwrap();
        let opened = vault.unlock(&Unlock::KeyFile(SecretBytes::new(file)), HERE);
        assert_eq!(opened.is_ok(), added, "{point}");
        vault.unseal_itself().unwrap();
    }
}

#[test]
fn a_kill_around_the_commit_of_a_secret_loses_nothing_that_was_acknowledged() {
    for (point, kept) in [
        ("vault.secret.before_commit", false),
        ("vault.secret.after_commit", true),
    ] {
        let (_folder, dir) = data();
        drop(Vault::create(config(&dir, clock()), First::SelfUnsealing).unwrap());
        killed("secret", &dir, point);
        let vault = Vault::attach(config(&dir, clock())).unwrap();
        vault.unseal_itself().unwrap();
        let secret = vault
            .ensure(&key("relay/token"), None, || text("made afterwards"))
            .unwrap();
        let expected = if kept {
            "made by the child"
        } else {
            "made afterwards"
        };
        assert_eq!(vault.secret(&secret).unwrap(), text(expected), "{point}");
    }
}
