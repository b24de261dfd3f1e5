//! Damage: what disks and people do to the vault's files.

use super::*;

fn slots_path(folder: &TempDir) -> PathBuf {
    folder.path().join("vault.slots")
}

fn attach_error(folder: &TempDir) -> VaultError {
    Vault::attach(config(folder.path(), clock())).unwrap_err()
}

#[test]
fn a_folder_without_a_vault_is_told_from_one_that_lost_it() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(attach_error(&folder).code(), "vault_not_created");

    let (folder, vault, _) = by_passphrase();
    drop(vault);
    std::fs::remove_file(folder.path().join("vault.db")).unwrap();
    let error = attach_error(&folder);
    assert_eq!(error.code(), "vault_missing");
    assert!(!folder.path().join("vault.db").exists());
    let first = First::Passphrase(text(PASSPHRASE));
    let error = Vault::create(config(folder.path(), clock()), first).unwrap_err();
    assert_eq!(error.code(), "store_exists");

    let (folder, vault, _) = by_passphrase();
    drop(vault);
    std::fs::remove_file(slots_path(&folder)).unwrap();
    std::fs::remove_file(slots::second(&slots_path(&folder))).unwrap();
    assert_eq!(attach_error(&folder).code(), "vault_slots_missing");
    let error = Vault::create(config(folder.path(), clock()), First::SelfUnsealing).unwrap_err();
    assert_eq!(error.code(), "store_exists");
}

#[test]
fn damaged_slots_fall_back_to_their_second_copy_with_a_warning() {
    type Damage = fn(&Path);
    let damages: [Damage; 4] = [
        |path| surgery::truncate(path, 0),
        |path| surgery::truncate(path, 300),
        |path| surgery::flip(path, 400, 1),
        |path| std::fs::remove_file(path).unwrap(),
    ];
    for damage in damages {
        let (folder, vault, recovery) = by_passphrase();
        assert_eq!(vault.warning(), None);
        let secret = made_once(&vault);
        drop(vault);
        damage(&slots_path(&folder));
        let vault = again(&folder);
        assert!(vault.warning().unwrap().contains("second copy"));
        vault.unlock(&passphrase(PASSPHRASE), HERE).unwrap();
        assert_eq!(vault.secret(&secret).unwrap(), text("a very secret seed"));
        vault.seal();
        vault.unlock(&recovery_key(&recovery), HERE).unwrap();
    }
}

#[test]
fn one_changed_digit_in_both_copies_is_damage_and_not_a_wrong_passphrase() {
    let (folder, vault, _) = by_passphrase();
    drop(vault);
    let path = slots_path(&folder);
    let whole = std::fs::read_to_string(&path).unwrap();
    let at = whole.find("\"wrapped\": \"").unwrap() + 12;
    let digit = if &whole[at..=at] == "0" { "1" } else { "0" };
    let changed = format!("{}{digit}{}", &whole[..at], &whole[at + 1..]);
    std::fs::write(&path, &changed).unwrap();
    std::fs::write(slots::second(&path), &changed).unwrap();
    let error = attach_error(&folder);
    assert_eq!(error.code(), "vault_slots_corrupt");
    assert!(error.to_string().contains("checksum"), "{error}");
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        changed,
        "left as it was"
    );
}

#[test]
fn slots_that_ask_for_all_memory_or_come_from_a_newer_release_are_refused() {
    let (folder, vault, _) = by_passphrase();
    drop(vault);
    let path = slots_path(&folder);
    let whole: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();

    let mut newer = whole.clone();
    newer["version"] = 2.into();
    std::fs::write(&path, newer.to_string()).unwrap();
    assert_eq!(attach_error(&folder).code(), "vault_slots_newer");

    let mut greedy = whole;
    greedy["vault"]["slots"][0]["kdf"]["argon2id"]["memory_kib"] = u32::MAX.into();
    greedy["sha256"] = slots::sum(&greedy["vault"]).into();
    std::fs::write(&path, greedy.to_string()).unwrap();
    std::fs::write(slots::second(&path), greedy.to_string()).unwrap();
    assert_eq!(attach_error(&folder).code(), "vault_slots_corrupt");
}

#[test]
fn the_slots_of_another_vault_do_not_open_this_one() {
    let (mine, vault, _) = by_passphrase();
    drop(vault);
    let (other, vault, _) = by_passphrase();
    drop(vault);
    std::fs::copy(slots_path(&other), slots_path(&mine)).unwrap();
    let vault = again(&mine);
    let error = vault.unlock(&passphrase(PASSPHRASE), HERE).unwrap_err();
    assert_eq!(error.code(), "vault_corrupt");
    assert_eq!(vault.state(), VaultState::Sealed);
}

#[test]
fn a_damaged_page_is_found_at_the_unlock_and_the_file_is_left_as_it_was() {
    let (folder, vault, _) = by_passphrase();
    for n in 0..200 {
        vault
            .ensure(&key(&format!("s{n}")), None, || text(&"x".repeat(200)))
            .unwrap();
    }
    drop(vault);
    let path = folder.path().join("vault.db");
    let pages = std::fs::metadata(&path).unwrap().len() / 4096;
    assert!(pages > 5, "{pages} pages");
    for page in [0, 1, pages / 2, pages - 1] {
        surgery::flip(&path, page * 4096 + 2000, 1);
        let before = surgery::contents(folder.path());
        let vault = again(&folder);
        let error = vault.unlock(&passphrase(PASSPHRASE), HERE).unwrap_err();
        assert_eq!(error.code(), "vault_corrupt", "page {page}: {error}");
        assert_eq!(vault.state(), VaultState::Sealed);
        drop(vault);
        let database = |files: Vec<(PathBuf, Vec<u8>)>| {
            files.into_iter().find(|(name, _)| name == &path).unwrap()
        };
        assert_eq!(database(before), database(surgery::contents(folder.path())));
        surgery::flip(&path, page * 4096 + 2000, 1);
    }
    again(&folder)
        .unlock(&passphrase(PASSPHRASE), HERE)
        .unwrap();
}

#[test]
fn a_truncated_or_empty_database_is_refused() {
    for length in [0, 100, 4096, 6000] {
        let (folder, vault, _) = by_passphrase();
        made_once(&vault);
        drop(vault);
        let path = folder.path().join("vault.db");
        surgery::truncate(&path, length);
        let vault = again(&folder);
        let error = vault.unlock(&passphrase(PASSPHRASE), HERE).unwrap_err();
        assert_eq!(error.code(), "vault_corrupt", "{length} bytes: {error}");
        drop(vault);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
    }
}

#[test]
fn a_missing_or_damaged_key_of_its_own_is_refused_and_not_made_anew() {
    let (folder, vault) = by_itself();
    drop(vault);
    let path = folder.path().join("vault.selfkey");
    let whole = std::fs::read(&path).unwrap();
    for (content, code) in [
        (Some(&b""[..]), "vault_corrupt"),
        (Some(&whole[..20]), "vault_corrupt"),
        (Some(&[b'0'; 64]), "vault_corrupt"),
        (None, "vault_missing"),
    ] {
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let vault = again(&folder);
        assert_eq!(vault.unseal_itself().unwrap_err().code(), code);
        assert_eq!(vault.state(), VaultState::Sealed);
    }
    assert!(!path.exists());
    std::fs::write(&path, &whole).unwrap();
    again(&folder).unseal_itself().unwrap();
}
