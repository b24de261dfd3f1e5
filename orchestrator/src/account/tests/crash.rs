//! Kills the process around a commit that changes people.

use std::os::unix::process::ExitStatusExt;

use super::fixture;
use super::*;
use crate::store::surgery;

fn hands() -> Arc<dyn Clock> {
    Arc::new(Hands::default())
}

/// What the child of the kill test does; its parent arms it.
#[test]
fn child() {
    let Some((act, dir)) = surgery::child_task("account") else {
        return;
    };
    assert_eq!(act, "add");
    let people = fixture::accounts_again(&dir, hands());
    let carla = new("carla", Role::Cashier);
    people.add_account(&Principal::Machine, carla).unwrap();
}

#[test]
fn a_kill_around_a_commit_leaves_a_person_with_the_row_that_tells_of_it_or_neither() {
    for (point, added) in [("account.before_commit", 0), ("account.after_commit", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let rows = {
            let people = fixture::accounts(folder.path(), hands());
            let code = people.set_up_code().unwrap();
            people.set_up(owner(&code), &from("10.0.0.2")).unwrap();
            people.verify_audit_log().unwrap().rows
        };
        let test = "account::tests::crash::child";
        let status = surgery::run_child(test, "account", "add", folder.path(), point);
        assert_eq!(status.signal(), Some(9), "not killed at {point}: {status}");
        let people = fixture::accounts_again(folder.path(), hands());
        let there = people.accounts(&Wanted::default()).unwrap().items;
        let carla = there.iter().filter(|one| one.name == "carla").count();
        let verdict = people.verify_audit_log().unwrap();
        assert_eq!((verdict.intact, verdict.first_bad), (true, None), "{point}");
        let told = verdict.rows - rows;
        assert_eq!((carla as u64, told), (added, added), "{point}");
    }
}
