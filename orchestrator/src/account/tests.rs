mod crash;
mod lists;
mod passkey;

use std::sync::Arc;
use std::time::Duration;

use super::fixture::Hands;
use super::*;
use crate::node::Unlock;
use crate::secret::SecretBytes;
use crate::store::vault::First;
use crate::store::vault::Kdf;
use crate::store::vault::Vault;
use crate::store::vault::VaultConfig;

const PASSWORD: &str = "four plain old words";
const OTHER: &str = "another set of words";

struct Shop {
    accounts: Accounts,
    vault: Vault,
    hands: Arc<Hands>,
    _folder: tempfile::TempDir,
}

fn secret(text: &str) -> SecretBytes {
    SecretBytes::from(text.to_owned())
}

fn from(address: &str) -> Origin {
    Origin {
        address: address.to_owned(),
        agent: "a browser".to_owned(),
        mark: None,
    }
}

fn new(name: &str, role: Role) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        role,
        password: secret(PASSWORD),
        language: "en".to_owned(),
    }
}

fn owner(code: &str) -> NewOwner {
    NewOwner {
        code: secret(code),
        name: "olga".to_owned(),
        password: secret(PASSWORD),
        language: "en".to_owned(),
    }
}

fn with(name: &str, password: &str, second_factor: Option<&str>) -> Credentials {
    Credentials {
        name: name.to_owned(),
        password: secret(password),
        second_factor: second_factor.map(secret),
    }
}

fn person(entered: &Entered) -> Principal {
    Principal::Person(entered.signed_in.clone())
}

fn code_of(error: &AccountError) -> &'static str {
    error.code()
}

impl Shop {
    /// A node that nobody owns yet.
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hands = Arc::new(Hands::default());
        let config = VaultConfig {
            dir: folder.path().to_owned(),
            kdf: Kdf::Argon2id {
                memory_kib: 8,
                passes: 1,
                lanes: 1,
            },
            unseals_itself: false,
            clock: Arc::clone(&hands) as Arc<dyn Clock>,
            entropy: Arc::new(crate::entropy::SystemEntropy),
        };
        let first = First::Passphrase(secret("open sesame now"));
        let (vault, _) = Vault::create(config, first).unwrap();
        let accounts = Accounts::new(
            Arc::new(vault.clone()),
            Arc::clone(&hands) as Arc<dyn Clock>,
            Arc::new(crate::entropy::SystemEntropy),
            Some(Cost::TRIVIAL),
        );
        Self {
            accounts,
            vault,
            hands,
            _folder: folder,
        }
    }

    /// A node that `olga` owns, and her session.
    fn owned() -> (Self, Entered) {
        let shop = Self::empty();
        let code = shop.accounts.set_up_code().unwrap();
        let entered = shop
            .accounts
            .set_up(owner(&code), &from("10.0.0.2"))
            .unwrap();
        (shop, entered)
    }

    fn pass(&self, span: Duration) {
        self.hands.pass(span);
    }

    fn write(&self, statement: &str) {
        let database = self.vault.database().unwrap();
        database
            .write(POINTS, |tx| {
                tx.execute_batch(statement)
                    .map_err(|source| database.sql("testing", source))
            })
            .unwrap();
    }

    fn value(entered: &Entered) -> &str {
        entered.value.expose_text().unwrap()
    }

    fn is_in(&self, entered: &Entered) -> bool {
        let found = self.accounts.person(Self::value(entered)).unwrap();
        found.is_some()
    }

    fn factor(&self, entered: &Entered) -> (String, Vec<String>) {
        let made = self.accounts.begin_factor(&entered.signed_in).unwrap();
        let key = made.secret.expose_text().unwrap().to_owned();
        let code = code_at(&key, self.hands.wall());
        let codes = self
            .accounts
            .confirm_factor(&entered.signed_in, &code)
            .unwrap();
        (key, codes)
    }
}

#[test]
fn only_the_code_of_the_machine_makes_the_first_owner_and_only_once() {
    let shop = Shop::empty();
    assert_eq!(shop.accounts.stage(), Stage::SetUp);
    let code = shop.accounts.set_up_code().unwrap();
    assert_eq!(
        shop.accounts.set_up_code().unwrap(),
        code,
        "it is shown again"
    );
    let refused = shop
        .accounts
        .set_up(owner("0000-0000-0000"), &from("10.0.0.9"));
    assert_eq!(code_of(&refused.unwrap_err()), "wrong_setup_code");
    assert_eq!(shop.accounts.stage(), Stage::SetUp);
    // As people type it.
    let typed = code.to_lowercase().replace('-', " ");
    let entered = shop
        .accounts
        .set_up(owner(&typed), &from("10.0.0.2"))
        .unwrap();
    assert_eq!(entered.signed_in.account.role, Role::Owner);
    assert_eq!(shop.accounts.stage(), Stage::SignIn);
    let second = shop.accounts.set_up(owner(&code), &from("10.0.0.9"));
    assert_eq!(code_of(&second.unwrap_err()), "already_set_up");
    assert_eq!(
        code_of(&shop.accounts.set_up_code().unwrap_err()),
        "already_set_up"
    );
}

#[test]
fn a_stranger_who_races_the_set_up_wins_nothing() {
    let shop = Shop::empty();
    let code = shop.accounts.set_up_code().unwrap();
    let owners: Vec<bool> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|number| {
                let (accounts, code) = (&shop.accounts, &code);
                scope.spawn(move || {
                    let owner = NewOwner {
                        // Half of them are strangers, who guess.
                        code: secret(if number % 2 == 0 {
                            code
                        } else {
                            "1111-1111-1111"
                        }),
                        name: format!("owner {number}"),
                        password: secret(PASSWORD),
                        language: "en".to_owned(),
                    };
                    let origin = from(&format!("10.0.0.{number}"));
                    accounts.set_up(owner, &origin).is_ok()
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(owners.iter().filter(|made| **made).count(), 1);
    assert!(
        owners.iter().skip(1).step_by(2).all(|made| !made),
        "a stranger owns the node"
    );
    assert_eq!(
        shop.accounts
            .accounts(&Wanted::default())
            .unwrap()
            .items
            .len(),
        1
    );
}

#[test]
fn guessing_the_set_up_code_is_slowed_down_by_place() {
    let shop = Shop::empty();
    let code = shop.accounts.set_up_code().unwrap();
    let owner = |code: &str| NewOwner {
        code: secret(code),
        name: "olga".to_owned(),
        password: secret(PASSWORD),
        language: "en".to_owned(),
    };
    let codes: Vec<_> = (0..6)
        .map(|_| {
            code_of(
                &shop
                    .accounts
                    .set_up(owner("1111-1111-1111"), &from("10.0.0.9"))
                    .unwrap_err(),
            )
        })
        .collect();
    assert_eq!(codes[3], "wrong_setup_code");
    assert_eq!(codes[4], "too_many_attempts");
    shop.accounts
        .set_up(owner(&code), &from("10.0.0.2"))
        .unwrap();
}

#[test]
fn a_session_is_known_by_its_value_and_ends() {
    let (shop, entered) = Shop::owned();
    assert!(shop.is_in(&entered));
    assert!(shop.accounts.person("0000").unwrap().is_none());
    shop.accounts.sign_out(&entered.signed_in).unwrap();
    assert!(!shop.is_in(&entered));
}

#[test]
fn a_session_ends_by_itself_idle_and_old() {
    let (shop, entered) = Shop::owned();
    shop.pass(IDLE - Duration::from_secs(1));
    assert!(shop.is_in(&entered), "used in time");
    shop.pass(IDLE + Duration::from_secs(1));
    assert!(!shop.is_in(&entered), "idle");
    let entered = shop
        .accounts
        .sign_in(&with("olga", PASSWORD, None), &from("10.0.0.2"))
        .unwrap();
    for _ in 0..(LONGEST_SESSION.as_secs() / (IDLE.as_secs() / 2)) {
        assert!(shop.is_in(&entered));
        shop.pass(IDLE / 2);
    }
    shop.pass(Duration::from_secs(1));
    assert!(!shop.is_in(&entered), "old");
}

#[test]
fn wrong_name_and_wrong_password_are_told_alike() {
    let (shop, _) = Shop::owned();
    let name = shop
        .accounts
        .sign_in(&with("nina", PASSWORD, None), &from("10.0.0.3"))
        .unwrap_err();
    let password = shop
        .accounts
        .sign_in(&with("olga", OTHER, None), &from("10.0.0.3"))
        .unwrap_err();
    assert_eq!(name.to_string(), password.to_string());
    assert_eq!(code_of(&name), code_of(&password));
}

#[test]
fn guessing_a_password_waits_and_does_not_lock_the_owner_out() {
    let (shop, entered) = Shop::owned();
    let guess = |place: &str| {
        let refused = shop
            .accounts
            .sign_in(&with("olga", OTHER, None), &from(place));
        code_of(&refused.unwrap_err())
    };
    let codes: Vec<_> = (0..20).map(|_| guess("10.0.0.9")).collect();
    assert_eq!(
        codes
            .iter()
            .filter(|code| **code == "wrong_credentials")
            .count(),
        4
    );
    assert!(codes[4..].iter().all(|code| *code == "too_many_attempts"));
    // Even the right password waits in that lane,
    let right = shop
        .accounts
        .sign_in(&with("olga", PASSWORD, None), &from("10.0.0.9"));
    assert_eq!(code_of(&right.unwrap_err()), "too_many_attempts");
    // but not where the thief's lane is shared and the browser is known,
    let mark = entered.mark;
    let marked = Origin {
        mark: Some(mark.clone()),
        ..from("10.0.0.9")
    };
    shop.accounts
        .sign_in(&with("olga", PASSWORD, None), &marked)
        .unwrap();
    // nor from elsewhere. A mark that somebody made up, or spells otherwise, is none.
    shop.accounts
        .sign_in(&with("olga", PASSWORD, None), &from("10.0.0.2"))
        .unwrap();
    let (random, shown) = mark.split_once('.').unwrap();
    for forged in [
        format!("0123456789abcdef.{}", "0".repeat(64)),
        format!("{random}.{}", shown.to_uppercase()),
    ] {
        assert_ne!(forged, mark);
        let forged = Origin {
            mark: Some(forged),
            ..from("10.0.0.9")
        };
        let refused = shop
            .accounts
            .sign_in(&with("olga", PASSWORD, None), &forged);
        assert_eq!(code_of(&refused.unwrap_err()), "too_many_attempts");
    }
}

#[test]
fn second_factor_is_asked_for_and_its_code_is_good_once() {
    let (shop, entered) = Shop::owned();
    let (key, _) = shop.factor(&entered);
    shop.pass(Duration::from_secs(60));
    let without = shop
        .accounts
        .sign_in(&with("olga", PASSWORD, None), &from("a"));
    assert_eq!(code_of(&without.unwrap_err()), "second_factor_needed");
    let code = code_at(&key, shop.hands.wall());
    shop.accounts
        .sign_in(&with("olga", PASSWORD, Some(&code)), &from("a"))
        .unwrap();
    let again = shop
        .accounts
        .sign_in(&with("olga", PASSWORD, Some(&code)), &from("a"));
    assert_eq!(
        code_of(&again.unwrap_err()),
        "wrong_second_factor",
        "replayed"
    );
    shop.pass(Duration::from_secs(30));
    let code = code_at(&key, shop.hands.wall());
    shop.accounts
        .sign_in(&with("olga", PASSWORD, Some(&code)), &from("a"))
        .unwrap();
}

#[test]
fn second_factor_counts_only_after_its_first_code() {
    let (shop, entered) = Shop::owned();
    let made = shop.accounts.begin_factor(&entered.signed_in).unwrap();
    assert!(made.uri.expose_text().unwrap().contains("olga"));
    let refused = shop.accounts.confirm_factor(&entered.signed_in, "000000");
    assert_eq!(code_of(&refused.unwrap_err()), "wrong_second_factor");
    shop.accounts
        .sign_in(&with("olga", PASSWORD, None), &from("a"))
        .unwrap();
    let nothing = shop.accounts.drop_factor(&entered.signed_in);
    assert_eq!(code_of(&nothing.unwrap_err()), "no_second_factor");
}

#[test]
fn a_recovery_code_stands_in_once_and_new_ones_end_the_old() {
    let (shop, entered) = Shop::owned();
    let (_, codes) = shop.factor(&entered);
    assert_eq!(codes.len(), 10);
    let typed = codes[0].to_lowercase();
    shop.accounts
        .sign_in(&with("olga", PASSWORD, Some(&typed)), &from("a"))
        .unwrap();
    let again = shop
        .accounts
        .sign_in(&with("olga", PASSWORD, Some(&typed)), &from("a"));
    assert_eq!(code_of(&again.unwrap_err()), "wrong_second_factor");
    assert_eq!(
        shop.accounts.accounts(&Wanted::default()).unwrap().items[0].recovery_codes_left,
        9
    );
    let newer = shop
        .accounts
        .replace_recovery_codes(&entered.signed_in)
        .unwrap();
    let old = shop
        .accounts
        .sign_in(&with("olga", PASSWORD, Some(&codes[1])), &from("b"));
    assert_eq!(code_of(&old.unwrap_err()), "wrong_second_factor");
    shop.accounts
        .sign_in(&with("olga", PASSWORD, Some(&newer[1])), &from("b"))
        .unwrap();
}

#[test]
fn guessing_codes_from_many_places_shares_one_wait() {
    let (shop, entered) = Shop::owned();
    shop.factor(&entered);
    shop.pass(Duration::from_secs(60));
    let codes: Vec<_> = (0..10)
        .map(|number| {
            let place = from(&format!("10.0.1.{number}"));
            let refused = shop
                .accounts
                .sign_in(&with("olga", PASSWORD, Some("123456")), &place);
            code_of(&refused.unwrap_err())
        })
        .collect();
    assert_eq!(
        codes
            .iter()
            .filter(|code| **code == "wrong_second_factor")
            .count(),
        4,
        "{codes:?}"
    );
}

#[test]
fn confirming_renews_the_session_and_lasts_five_minutes() {
    let (shop, entered) = Shop::owned();
    assert!(
        shop.accounts.confirmed(&entered.signed_in),
        "just signed in"
    );
    shop.pass(CONFIRMED);
    assert!(!shop.accounts.confirmed(&entered.signed_in));
    let wrong = shop
        .accounts
        .confirm(&entered.signed_in, &secret(OTHER), None);
    assert_eq!(code_of(&wrong.unwrap_err()), "wrong_credentials");
    let renewed = shop
        .accounts
        .confirm(&entered.signed_in, &secret(PASSWORD), None)
        .unwrap();
    assert!(shop.accounts.confirmed(&renewed.signed_in));
    assert!(!shop.is_in(&entered), "the old value is worth nothing");
    assert!(shop.is_in(&renewed));
}

#[test]
fn a_person_sees_and_ends_only_own_sessions() {
    let (shop, olga) = Shop::owned();
    let by = person(&olga);
    shop.accounts
        .add_account(&by, new("till", Role::Cashier))
        .unwrap();
    let till = shop
        .accounts
        .sign_in(&with("till", PASSWORD, None), &from("c"))
        .unwrap();
    let refused = shop
        .accounts
        .drop_session(&till.signed_in, &olga.signed_in.session);
    assert_eq!(code_of(&refused.unwrap_err()), "not_found");
    assert!(shop.is_in(&olga));
    let phone = shop
        .accounts
        .sign_in(&with("olga", PASSWORD, None), &from("b"))
        .unwrap();
    let list = shop.accounts.sessions(&olga.signed_in).unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list.iter().filter(|one| one.current).count(), 1);
    shop.accounts.drop_other_sessions(&olga.signed_in).unwrap();
    assert!(!shop.is_in(&phone));
    assert!(shop.is_in(&olga) && shop.is_in(&till));
}

#[test]
fn one_of_many_who_set_the_node_up_at_once_owns_it() {
    let shop = Shop::empty();
    let code = shop.accounts.set_up_code().unwrap();
    let together = std::sync::Barrier::new(12);
    // Each from a place of its own, so that nobody is told to wait.
    let answers: Vec<(usize, Result<(), &'static str>)> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..12)
            .map(|number| {
                let (accounts, together) = (&shop.accounts, &together);
                let wrong = "0000-0000-0000";
                let typed = if number % 3 == 0 { &code } else { wrong };
                let new = NewOwner {
                    name: format!("owner {number}"),
                    ..owner(typed)
                };
                scope.spawn(move || {
                    together.wait();
                    let entered = accounts.set_up(new, &from(&format!("10.0.0.{number}")));
                    (number, entered.map(|_| ()).map_err(|error| code_of(&error)))
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let made: Vec<usize> = answers
        .iter()
        .filter(|(_, answer)| answer.is_ok())
        .map(|(number, _)| *number)
        .collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    assert_eq!(made[0] % 3, 0, "{answers:?}");
    for (number, answer) in &answers {
        let Err(code) = answer else { continue };
        // Whose code was right came too late; the code is spent with the first.
        let expected: &[&str] = &["already_set_up", "wrong_setup_code"];
        assert!(expected.contains(code), "{number}: {code}");
    }
    let known = shop.accounts.accounts(&Wanted::default()).unwrap().items;
    assert_eq!(known.len(), 1);
    assert!(shop.accounts.verify_audit_log().unwrap().intact);
}

#[test]
fn a_new_password_ends_sessions_and_tokens() {
    let (shop, olga) = Shop::owned();
    let by = person(&olga);
    let mia = shop
        .accounts
        .add_account(&by, new("mia", Role::Manager))
        .unwrap();
    let entered = shop
        .accounts
        .sign_in(&with("mia", PASSWORD, None), &from("c"))
        .unwrap();
    let token = NewToken {
        name: "metrics".to_owned(),
        role: Role::Auditor,
        days: 30,
    };
    let (value, _) = shop.accounts.add_token(&person(&entered), &token).unwrap();
    assert!(
        shop.accounts
            .program(value.expose_text().unwrap())
            .unwrap()
            .is_some()
    );
    let changes = Changes {
        password: Some(secret(OTHER)),
        role: None,
    };
    shop.accounts
        .change_account(&by, &mia.id, &changes)
        .unwrap();
    assert!(!shop.is_in(&entered));
    assert!(
        shop.accounts
            .program(value.expose_text().unwrap())
            .unwrap()
            .is_none()
    );
    assert!(
        shop.accounts
            .sign_in(&with("mia", PASSWORD, None), &from("d"))
            .is_err()
    );
    shop.accounts
        .sign_in(&with("mia", OTHER, None), &from("d"))
        .unwrap();
}

#[test]
fn own_password_needs_the_old_one_and_keeps_this_session_and_no_token() {
    let (shop, olga) = Shop::owned();
    let phone = shop
        .accounts
        .sign_in(&with("olga", PASSWORD, None), &from("b"))
        .unwrap();
    let wrong = shop
        .accounts
        .change_password(&olga.signed_in, &secret(OTHER), &secret(OTHER));
    assert_eq!(code_of(&wrong.unwrap_err()), "wrong_credentials");
    for (bad, code) in [
        ("short", "password_too_short"),
        ("OLGA", "password_too_short"),
    ] {
        let refused =
            shop.accounts
                .change_password(&olga.signed_in, &secret(PASSWORD), &secret(bad));
        assert_eq!(code_of(&refused.unwrap_err()), code);
    }
    let token = NewToken {
        name: "metrics".to_owned(),
        role: Role::Owner,
        days: 365,
    };
    let (value, _) = shop.accounts.add_token(&person(&phone), &token).unwrap();
    let program = || {
        let value = value.expose_text().unwrap();
        shop.accounts.program(value).unwrap()
    };
    assert!(program().is_some());
    shop.accounts
        .change_password(&olga.signed_in, &secret(PASSWORD), &secret(OTHER))
        .unwrap();
    assert!(shop.is_in(&olga) && !shop.is_in(&phone));
    assert!(program().is_none());
}

#[test]
fn the_last_owner_stays() {
    let (shop, olga) = Shop::owned();
    let by = person(&olga);
    let id = olga.signed_in.account.id;
    let demoted = Changes {
        role: Some(Role::Auditor),
        password: None,
    };
    assert_eq!(
        code_of(&shop.accounts.drop_account(&by, &id).unwrap_err()),
        "last_owner"
    );
    assert_eq!(
        code_of(
            &shop
                .accounts
                .change_account(&by, &id, &demoted)
                .unwrap_err()
        ),
        "last_owner"
    );
    shop.accounts
        .add_account(&by, new("otto", Role::Owner))
        .unwrap();
    shop.accounts.change_account(&by, &id, &demoted).unwrap();
    assert_eq!(shop.accounts.stage(), Stage::SignIn);
}

#[test]
fn names_are_unique_whatever_their_case_and_plain() {
    let (shop, olga) = Shop::owned();
    let by = person(&olga);
    let taken = shop.accounts.add_account(&by, new("OLGA", Role::Cashier));
    assert_eq!(code_of(&taken.unwrap_err()), "name_taken");
    for name in [
        "",
        " till",
        "till\n",
        "machine",
        "Nobody",
        "Token metrics",
        "somebody at 1.2.3.4",
        &"x".repeat(65),
    ] {
        let refused = shop.accounts.add_account(&by, new(name, Role::Cashier));
        assert_eq!(code_of(&refused.unwrap_err()), "bad_name", "{name:?}");
    }
}

#[test]
fn a_token_never_does_more_than_its_maker_and_ends() {
    let (shop, olga) = Shop::owned();
    let by = person(&olga);
    shop.accounts
        .add_account(&by, new("mia", Role::Manager))
        .unwrap();
    let mia = shop
        .accounts
        .sign_in(&with("mia", PASSWORD, None), &from("c"))
        .unwrap();
    let token = |role, days| NewToken {
        name: "till app".to_owned(),
        role,
        days,
    };
    let more = shop
        .accounts
        .add_token(&person(&mia), &token(Role::Owner, 30));
    assert_eq!(code_of(&more.unwrap_err()), "not_allowed");
    for days in [0, 366] {
        let bad = shop
            .accounts
            .add_token(&person(&mia), &token(Role::Cashier, days));
        assert_eq!(code_of(&bad.unwrap_err()), "bad_token");
    }
    let (value, shown) = shop
        .accounts
        .add_token(&person(&mia), &token(Role::Manager, 1))
        .unwrap();
    let value = value.expose_text().unwrap();
    let program = shop.accounts.program(value).unwrap().unwrap();
    assert!(program.may(Right::Run) && !program.may(Right::Own) && !program.may(Right::Self_));
    shop.pass(Duration::from_secs(24 * 60 * 60));
    assert!(shop.accounts.program(value).unwrap().is_none(), "over");
    shop.accounts.drop_token(&by, &shown.id).unwrap();
    assert_eq!(
        code_of(&shop.accounts.drop_token(&by, &shown.id).unwrap_err()),
        "not_found"
    );
}

#[test]
fn a_token_of_the_machine_ends_with_the_oldest_owner() {
    let token = NewToken {
        name: "metrics".to_owned(),
        role: Role::Owner,
        days: 9,
    };
    let early = Shop::empty()
        .accounts
        .add_token(&Principal::Machine, &token);
    assert_eq!(code_of(&early.unwrap_err()), "not_set_up");
    let (shop, olga) = Shop::owned();
    let (value, _) = shop
        .accounts
        .add_token(&Principal::Machine, &token)
        .unwrap();
    let value = value.expose_text().unwrap();
    let program = shop.accounts.program(value).unwrap().unwrap();
    let copied = shop.accounts.add_token(&program, &token);
    assert_eq!(code_of(&copied.unwrap_err()), "not_allowed");
    shop.pass(Duration::from_secs(1));
    shop.accounts
        .add_account(&person(&olga), new("otto", Role::Owner))
        .unwrap();
    let id = &olga.signed_in.account.id;
    shop.accounts.drop_account(&Principal::Machine, id).unwrap();
    assert!(shop.accounts.program(value).unwrap().is_none());
}

#[test]
fn uses_that_come_at_once_are_all_written_down() {
    let (shop, _) = Shop::owned();
    let values: Vec<_> = (0..24)
        .map(|number| {
            let token = NewToken {
                name: format!("program {number}"),
                role: Role::Auditor,
                days: 9,
            };
            shop.accounts
                .add_token(&Principal::Machine, &token)
                .unwrap()
                .0
        })
        .collect();
    let together = std::sync::Barrier::new(values.len());
    std::thread::scope(|scope| {
        for value in &values {
            let (accounts, together) = (&shop.accounts, &together);
            scope.spawn(move || {
                together.wait();
                let value = value.expose_text().unwrap();
                assert!(accounts.program(value).unwrap().is_some());
            });
        }
    });
    let tokens = shop.accounts.tokens(&Wanted::default()).unwrap().items;
    assert_eq!(tokens.len(), values.len());
    assert!(
        tokens.iter().all(|token| token.used_at.is_some()),
        "{tokens:?}"
    );
    // A disk that took nothing once is asked again.
    fixture::fail_writes(&shop.accounts, true);
    shop.pass(Duration::from_secs(61));
    let value = values[0].expose_text().unwrap();
    assert!(shop.accounts.program(value).unwrap().is_some());
    let used_at = || {
        let mut tokens = shop
            .accounts
            .tokens(&Wanted::default())
            .unwrap()
            .items
            .into_iter();
        tokens.find(|one| one.name == "program 0").unwrap().used_at
    };
    let before = used_at();
    fixture::fail_writes(&shop.accounts, false);
    assert!(shop.accounts.program(value).unwrap().is_some());
    assert!(used_at() > before);
}

#[test]
fn who_loses_a_role_loses_the_tokens_made_with_it() {
    let (shop, olga) = Shop::owned();
    let by = person(&olga);
    let mia = shop
        .accounts
        .add_account(&by, new("mia", Role::Manager))
        .unwrap();
    let entered = shop
        .accounts
        .sign_in(&with("mia", PASSWORD, None), &from("c"))
        .unwrap();
    let token = NewToken {
        name: "app".to_owned(),
        role: Role::Manager,
        days: 9,
    };
    let (value, _) = shop.accounts.add_token(&person(&entered), &token).unwrap();
    let changes = Changes {
        role: Some(Role::Cashier),
        password: None,
    };
    shop.accounts
        .change_account(&by, &mia.id, &changes)
        .unwrap();
    assert!(
        shop.accounts
            .program(value.expose_text().unwrap())
            .unwrap()
            .is_none()
    );
    let Some(Principal::Person(now)) = shop.accounts.person(Shop::value(&entered)).unwrap() else {
        panic!("the session goes on, with the new role");
    };
    assert_eq!(now.account.role, Role::Cashier);
}

#[test]
fn reset_at_the_machine_lets_the_owner_in_again() {
    let (shop, olga) = Shop::owned();
    shop.factor(&olga);
    let unknown = shop.accounts.reset("nina", &secret(OTHER));
    assert_eq!(code_of(&unknown.unwrap_err()), "not_found");
    shop.accounts.reset("olga", &secret(OTHER)).unwrap();
    assert!(!shop.is_in(&olga));
    shop.accounts
        .sign_in(&with("olga", OTHER, None), &from("a"))
        .unwrap();
}

#[test]
fn while_it_is_sealed_nobody_is_known_and_afterwards_everybody_is() {
    let (shop, olga) = Shop::owned();
    shop.vault.seal();
    assert_eq!(shop.accounts.stage(), Stage::Sealed);
    assert_eq!(
        code_of(&shop.accounts.person(Shop::value(&olga)).unwrap_err()),
        "vault_sealed"
    );
    let refused = shop
        .accounts
        .sign_in(&with("olga", PASSWORD, None), &from("a"));
    assert_eq!(code_of(&refused.unwrap_err()), "vault_sealed");
    assert!(!shop.accounts.record("machine", "seal", "sealed").unwrap());
    shop.vault
        .unlock(&Unlock::Passphrase(secret("open sesame now")), "machine")
        .unwrap();
    assert!(shop.is_in(&olga));
}

#[test]
fn audit_log_names_the_first_row_that_was_touched() {
    for (statement, bad) in [
        (
            "UPDATE audit SET text = 'nothing happened' WHERE seq = 2",
            2,
        ),
        ("UPDATE audit SET actor = 'otto' WHERE seq = 1", 1),
        ("UPDATE audit SET at = at + 1 WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("DELETE FROM audit", 1),
        ("DELETE FROM meta WHERE name = 'audit'", 5),
        // By who knows how the end is kept, and has not the key.
        (
            "DELETE FROM audit WHERE seq > 2;
             UPDATE meta SET value = '2:' || lower(hex((SELECT hash FROM audit WHERE seq = 2))) WHERE name = 'audit'",
            3,
        ),
        (
            "DELETE FROM audit WHERE seq > 2;
             UPDATE meta SET value = '2:' || substr(value, 3) WHERE name = 'audit'",
            3,
        ),
        ("DELETE FROM audit; DELETE FROM meta WHERE name = 'audit'", 1),
        (
            "INSERT INTO audit VALUES (5, 1, 'otto', 'x', 'x', x'00')",
            5,
        ),
    ] {
        let (shop, _) = Shop::owned();
        for number in 0..3 {
            assert!(
                shop.accounts
                    .record("olga", "apply", &format!("plan {number}"))
                    .unwrap()
            );
        }
        let fine = shop.accounts.verify_audit_log().unwrap();
        assert_eq!(
            fine,
            Verdict {
                intact: true,
                rows: 4,
                first_bad: None
            }
        );
        shop.write(statement);
        let verdict = shop.accounts.verify_audit_log().unwrap();
        assert_eq!(
            (verdict.intact, verdict.first_bad),
            (false, Some(bad)),
            "{statement}"
        );
        // Nor does what is written later make it whole.
        assert!(shop.accounts.record("olga", "apply", "a plan").unwrap());
        let verdict = shop.accounts.verify_audit_log().unwrap();
        assert!(!verdict.intact, "{statement}: {verdict:?}");
    }
}

#[test]
fn audit_log_pages_from_the_newest_to_the_oldest() {
    let (shop, _) = Shop::owned();
    for number in 0..9 {
        shop.accounts
            .record("olga", "apply", &number.to_string())
            .unwrap();
    }
    let first = shop.accounts.audit_log(None, 4).unwrap();
    let second = shop
        .accounts
        .audit_log(first.last().map(|row| row.seq), 4)
        .unwrap();
    let third = shop
        .accounts
        .audit_log(second.last().map(|row| row.seq), 4)
        .unwrap();
    let seqs: Vec<u64> = first
        .iter()
        .chain(&second)
        .chain(&third)
        .map(|row| row.seq)
        .collect();
    assert_eq!(seqs, (1..=10).rev().collect::<Vec<_>>());
    assert_eq!(third.last().unwrap().action, "set_up");
}

#[test]
fn roles_cover_only_what_they_may() {
    assert!(Role::Owner.covers(Role::Owner) && Role::Owner.covers(Role::Manager));
    assert!(Role::Manager.covers(Role::Auditor) && Role::Manager.covers(Role::Cashier));
    assert!(!Role::Manager.covers(Role::Owner) && !Role::Auditor.covers(Role::Manager));
    assert!(Role::Cashier.covers(Role::Cashier) && !Role::Cashier.covers(Role::Auditor));
}
