//! Kills the process around a commit that changes people.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use super::*;
use crate::entropy::SystemEntropy;
use crate::store::surgery;

/// Opens the people kept in `dir`; makes them first where `first`.
fn people(dir: &Path, first: bool) -> Accounts {
    let hands: Arc<Hands> = Arc::default();
    let config = VaultConfig {
        dir: dir.to_owned(),
        kdf: Kdf::HmacSha256,
        unseals_itself: true,
        clock: Arc::clone(&hands) as Arc<dyn Clock>,
        entropy: Arc::new(SystemEntropy),
    };
    let vault = if first {
        Vault::create(config, First::SelfUnsealing).unwrap().0
    } else {
        let vault = Vault::attach(config).unwrap();
        vault.unseal_itself().unwrap();
        vault
    };
    Accounts::new(
        Arc::new(vault),
        hands,
        Arc::new(SystemEntropy),
        Some(Cost::TRIVIAL),
    )
}

/// What the child of the kill test does; its parent arms it.
#[test]
fn child() {
    let Some((act, dir)) = surgery::child_task("account") else {
        return;
    };
    assert_eq!(act, "add");
    let people = people(&dir, false);
    let carla = new("carla", Role::Cashier);
    people.add_account(&Principal::Machine, carla).unwrap();
}

#[test]
fn a_kill_around_a_commit_leaves_a_person_with_the_row_that_tells_of_it_or_neither() {
    for (point, added) in [("account.before_commit", 0), ("account.after_commit", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let rows = {
            let people = people(folder.path(), true);
            let owner = NewOwner {
                code: secret(&people.set_up_code().unwrap()),
                name: "olga".to_owned(),
                password: secret(PASSWORD),
                language: "en".to_owned(),
            };
            people.set_up(owner, &from("10.0.0.2")).unwrap();
            people.verify_audit_log().unwrap().rows
        };
        let test = "account::tests::crash::child";
        let status = surgery::run_child(test, "account", "add", folder.path(), point);
        assert_eq!(status.signal(), Some(9), "not killed at {point}: {status}");
        let people = people(folder.path(), false);
        let there = people.accounts().unwrap();
        let carla = there.iter().filter(|one| one.name == "carla").count();
        let verdict = people.verify_audit_log().unwrap();
        assert_eq!((verdict.intact, verdict.first_bad), (true, None), "{point}");
        let told = verdict.rows - rows;
        assert_eq!((carla as u64, told), (added, added), "{point}");
    }
}
