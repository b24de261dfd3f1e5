//! What passkeys open and what they do not, with an authenticator made of software.

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::account::passkey::MOST;

const ORIGIN: &str = "http://localhost:4420";

fn here() -> Site {
    Site::of("http", "localhost:4420").unwrap()
}

fn elsewhere() -> Site {
    Site::of("https", "shop.local:4443").unwrap()
}

fn authenticator() -> Authenticator {
    Authenticator::at(ORIGIN, "localhost")
}

/// What an authenticator answers to whoever begins to add a passkey.
fn answered(with: &mut Authenticator, begun: Ceremony, label: &str) -> NewPasskey {
    NewPasskey {
        credential: with.create(&begun.options),
        ceremony: begun.id,
        label: label.to_owned(),
    }
}

impl Shop {
    fn add(
        &self,
        entered: &Entered,
        with: &mut Authenticator,
        label: &str,
    ) -> Result<Passkey, AccountError> {
        let begun = self.accounts.begin_passkey(&entered.signed_in, &here())?;
        let new = answered(with, begun, label);
        self.accounts.add_passkey(&entered.signed_in, &here(), new)
    }

    fn begin_entering(&self) -> Ceremony {
        self.accounts
            .begin_passkey_sign_in(&here(), &from("10.0.0.2"))
            .unwrap()
    }

    fn finish_entering(
        &self,
        ceremony: &str,
        credential: Value,
        place: &str,
    ) -> Result<Entered, AccountError> {
        self.accounts
            .sign_in_by_passkey(&here(), ceremony, credential, &from(place))
    }

    fn enter(&self, with: &mut Authenticator) -> Result<Entered, AccountError> {
        let begun = self.begin_entering();
        self.finish_entering(&begun.id, with.get(&begun.options), "10.0.0.2")
    }

    /// The newest rows of the audit log, newest first.
    fn told(&self, rows: usize) -> Vec<(String, String)> {
        let rows = self.accounts.audit_log(None, rows).unwrap();
        rows.into_iter().map(|row| (row.action, row.text)).collect()
    }
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, AccountError>) -> &'static str {
    outcome.unwrap_err().code()
}

#[test]
fn a_passkey_signs_in_without_a_name_and_asks_for_no_code() {
    let (shop, first) = Shop::owned();
    shop.factor(&first);
    let mut mine = authenticator();
    let added = shop.add(&first, &mut mine, "my phone").unwrap();
    assert_eq!(
        (added.label.as_str(), added.site.as_str()),
        ("my phone", "localhost")
    );
    assert_eq!(added.used_at, None);
    shop.pass(Duration::from_secs(60));

    let entered = shop.enter(&mut mine).unwrap();
    assert!(shop.is_in(&entered));
    assert!(shop.accounts.confirmed(&entered.signed_in));
    assert_eq!(entered.signed_in.account.name, "olga");
    assert_eq!(entered.signed_in.account.passkey_names, ["localhost"]);
    // It is a session of its own.
    assert_ne!(entered.signed_in.session, first.signed_in.session);
    assert_ne!(Shop::value(&entered), Shop::value(&first));
    let listed = shop.accounts.passkeys(&entered.signed_in).unwrap();
    assert_eq!(listed[0].used_at, Some(added.created_at + 60_000));
    let told = shop.told(2);
    assert_eq!(told[0].0, "signed_in");
    assert_eq!(
        told[0].1,
        "olga signed in by the passkey my phone from 10.0.0.2"
    );
    assert_eq!(told[1].0, "passkey_added");
    assert!(shop.accounts.verify_audit_log().unwrap().intact);
    // A browser is asked for what can be found without a name, and for its user.
    let asked = shop
        .accounts
        .begin_passkey(&first.signed_in, &here())
        .unwrap()
        .options;
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(
        asked["authenticatorSelection"]["userVerification"],
        "required"
    );
    assert_eq!(asked["rp"]["id"], "localhost");
    assert_eq!(asked["excludeCredentials"].as_array().unwrap().len(), 1);
    let asked = shop.begin_entering().options;
    assert_eq!(asked["userVerification"], "required");
    assert_eq!(asked["allowCredentials"], json!([]));
}

#[test]
fn another_page_another_name_a_frame_and_an_unverified_user_are_refused() {
    let (shop, first) = Shop::owned();
    let mut mine = authenticator();
    let break_it: [fn(&mut Authenticator); 5] = [
        |one| one.origin = "http://localhost:4421".to_owned(),
        |one| one.origin = "https://localhost:4420".to_owned(),
        |one| one.site = "shop.local".to_owned(),
        |one| one.embedded = true,
        |one| one.verifies = false,
    ];
    for spoil in break_it {
        let mut broken = authenticator();
        spoil(&mut broken);
        assert_eq!(refused(shop.add(&first, &mut broken, "x")), "bad_passkey");
    }
    assert_eq!(shop.accounts.passkeys(&first.signed_in).unwrap(), []);
    shop.add(&first, &mut mine, "my phone").unwrap();
    for spoil in break_it {
        spoil(&mut mine);
        assert_eq!(refused(shop.enter(&mut mine)), "wrong_passkey");
        let (action, _) = shop.told(1).remove(0);
        assert_eq!(action, "passkey_refused");
        mine = Authenticator {
            origin: ORIGIN.to_owned(),
            site: "localhost".to_owned(),
            embedded: false,
            verifies: true,
            ..mine
        };
        // What is right afterwards frees the lane.
        shop.enter(&mut mine).unwrap();
    }
}

#[test]
fn a_passkey_of_one_name_opens_nothing_by_another() {
    let (shop, first) = Shop::owned();
    let mut mine = authenticator();
    shop.add(&first, &mut mine, "my phone").unwrap();
    let begun = shop
        .accounts
        .begin_passkey_sign_in(&elsewhere(), &from("10.0.0.2"))
        .unwrap();
    mine.origin = "https://shop.local:4443".to_owned();
    mine.site = "shop.local".to_owned();
    let shown = mine.get(&begun.options);
    // Not where it was begun,
    assert_eq!(
        refused(shop.finish_entering(&begun.id, shown.clone(), "10.0.0.2")),
        "ceremony_over"
    );
    // and there nobody has it.
    let entered =
        shop.accounts
            .sign_in_by_passkey(&elsewhere(), &begun.id, shown, &from("10.0.0.2"));
    assert_eq!(refused(entered), "wrong_passkey");
    let asked = shop
        .accounts
        .begin_passkey_confirmation(&first.signed_in, &elsewhere());
    assert_eq!(refused(asked), "no_passkey");
}

#[test]
fn whoever_was_signed_out_while_the_answer_came_adds_no_passkey() {
    let (shop, first) = Shop::owned();
    let mut mine = authenticator();
    // The request was let in with the session; then somebody ended it.
    shop.accounts.sign_out(&first.signed_in).unwrap();
    assert_eq!(
        refused(shop.add(&first, &mut mine, "a thief's")),
        "signed_out"
    );
}

#[test]
fn a_passkey_that_nobody_has_takes_no_room_in_the_audit_log() {
    let (shop, first) = Shop::owned();
    let mut mine = authenticator();
    shop.add(&first, &mut mine, "my phone").unwrap();
    let before = shop.told(100);
    let mut strange = authenticator();
    strange.user = mine.user.clone();
    assert_eq!(refused(shop.enter(&mut strange)), "wrong_passkey");
    let begun = shop.begin_entering();
    let nothing = shop.finish_entering(&begun.id, json!({}), "10.0.0.7");
    assert_eq!(refused(nothing), "wrong_passkey");
    assert_eq!(shop.told(100), before);
}

#[test]
fn a_ceremony_is_finished_once_and_in_time() {
    let (shop, first) = Shop::owned();
    let mut mine = authenticator();
    shop.add(&first, &mut mine, "my phone").unwrap();
    let begun = shop.begin_entering();
    let shown = mine.get(&begun.options);
    shop.finish_entering(&begun.id, shown.clone(), "10.0.0.2")
        .unwrap();
    let again = shop.finish_entering(&begun.id, shown.clone(), "10.0.0.2");
    assert_eq!(refused(again), "ceremony_over");
    // What was signed for one is nothing for the next.
    let next = shop.begin_entering();
    let replayed = shop.finish_entering(&next.id, shown, "10.0.0.2");
    assert_eq!(refused(replayed), "wrong_passkey");

    let late = shop.begin_entering();
    shop.pass(Duration::from_secs(5 * 60));
    let shown = mine.get(&late.options);
    let late = shop.finish_entering(&late.id, shown, "10.0.0.2");
    assert_eq!(refused(late), "ceremony_over");
    let adding = shop
        .accounts
        .begin_passkey(&first.signed_in, &here())
        .unwrap();
    shop.pass(Duration::from_secs(5 * 60));
    let new = answered(&mut authenticator(), adding, "late");
    let late = shop.accounts.add_passkey(&first.signed_in, &here(), new);
    assert_eq!(refused(late), "ceremony_over");
}

#[test]
fn a_ceremony_belongs_to_the_session_that_began_it() {
    let (shop, first) = Shop::owned();
    let mut mine = authenticator();
    shop.add(&first, &mut mine, "my phone").unwrap();
    let second = shop.enter(&mut mine).unwrap();
    let begun = shop
        .accounts
        .begin_passkey(&first.signed_in, &here())
        .unwrap();
    let new = answered(&mut authenticator(), begun, "theirs");
    let theirs = shop
        .accounts
        .add_passkey(&second.signed_in, &here(), new.clone());
    assert_eq!(refused(theirs), "ceremony_over");
    // Nothing was taken from whoever began it.
    shop.accounts
        .add_passkey(&first.signed_in, &here(), new)
        .unwrap();

    let begun = shop
        .accounts
        .begin_passkey_confirmation(&first.signed_in, &here())
        .unwrap();
    let shown = mine.get(&begun.options);
    let entered = shop.finish_entering(&begun.id, shown.clone(), "10.0.0.2");
    assert_eq!(refused(entered), "ceremony_over");
    let theirs = shop
        .accounts
        .confirm_by_passkey(&second.signed_in, &here(), &begun.id, shown);
    assert_eq!(refused(theirs), "ceremony_over");
}

#[test]
fn a_person_is_asked_again_by_an_own_passkey_and_by_nobody_elses() {
    let (shop, olga) = Shop::owned();
    shop.accounts
        .add_account(&person(&olga), new("kees", Role::Cashier))
        .unwrap();
    let kees = shop
        .accounts
        .sign_in(&with("kees", PASSWORD, None), &from("10.0.0.3"))
        .unwrap();
    let (mut hers, mut his) = (authenticator(), authenticator());
    shop.add(&olga, &mut hers, "hers").unwrap();
    shop.add(&kees, &mut his, "his").unwrap();
    shop.pass(CONFIRMED);
    assert!(!shop.accounts.confirmed(&olga.signed_in));
    let confirm = |with: &mut Authenticator| {
        let begun = shop
            .accounts
            .begin_passkey_confirmation(&olga.signed_in, &here())
            .unwrap();
        let listed = begun.options["allowCredentials"].as_array().unwrap();
        assert_eq!(listed.len(), 1, "hers alone");
        let shown = with.get(&begun.options);
        shop.accounts
            .confirm_by_passkey(&olga.signed_in, &here(), &begun.id, shown)
    };
    assert_eq!(refused(confirm(&mut his)), "wrong_passkey");
    let again = confirm(&mut hers).unwrap();
    assert!(shop.accounts.confirmed(&again.signed_in));
    assert_eq!(again.signed_in.session, olga.signed_in.session);
    // Its value is another: who stole the old one has nothing.
    assert!(!shop.is_in(&olga));
    assert!(shop.is_in(&again));

    // Nobody signs in with one's own key under another's name, nor adds another's.
    his.user = hers.user.clone();
    assert_eq!(refused(shop.enter(&mut his)), "wrong_passkey");
    let begun = shop
        .accounts
        .begin_passkey(&again.signed_in, &here())
        .unwrap();
    let stolen = NewPasskey {
        credential: his.create(&begun.options),
        ceremony: begun.id,
        label: "not mine".to_owned(),
    };
    let stolen = shop.accounts.add_passkey(&again.signed_in, &here(), stolen);
    assert_eq!(refused(stolen), "passkey_known");
    // Whose are deleted is said by whom they belong to.
    let id = shop.accounts.passkeys(&again.signed_in).unwrap()[0]
        .id
        .clone();
    let dropped = shop.accounts.drop_passkey(&kees.signed_in, &id);
    assert_eq!(refused(dropped), "not_found");
}

#[test]
fn a_counter_that_goes_back_is_refused_and_told() {
    let (shop, first) = Shop::owned();
    let mut mine = authenticator();
    shop.add(&first, &mut mine, "my phone").unwrap();
    mine.counter = 7;
    // It counts before it signs: this is its eighth.
    shop.enter(&mut mine).unwrap();
    for before in [7, 2] {
        mine.counter = before;
        assert_eq!(refused(shop.enter(&mut mine)), "passkey_copied");
    }
    let (action, text) = shop.told(1).remove(0);
    assert_eq!(action, "passkey_refused");
    assert!(text.contains("my phone") && text.contains("olga"), "{text}");
    mine.counter = 20;
    shop.enter(&mut mine).unwrap();
}

#[test]
fn a_deleted_passkey_opens_nothing_even_where_it_was_asked_for_before() {
    let (shop, first) = Shop::owned();
    let mut mine = authenticator();
    let added = shop.add(&first, &mut mine, "my phone").unwrap();
    let entering = shop.begin_entering();
    let confirming = shop
        .accounts
        .begin_passkey_confirmation(&first.signed_in, &here())
        .unwrap();
    shop.accounts
        .drop_passkey(&first.signed_in, &added.id)
        .unwrap();
    assert_eq!(shop.told(1)[0].1, "olga deleted the passkey my phone");
    let shown = mine.get(&entering.options);
    assert_eq!(
        refused(shop.finish_entering(&entering.id, shown, "10.0.0.2")),
        "wrong_passkey"
    );
    let shown = mine.get(&confirming.options);
    let confirmed =
        shop.accounts
            .confirm_by_passkey(&first.signed_in, &here(), &confirming.id, shown);
    assert_eq!(refused(confirmed), "wrong_passkey");
    let again = shop.accounts.drop_passkey(&first.signed_in, &added.id);
    assert_eq!(refused(again), "not_found");
}

#[test]
fn whoever_is_reset_given_another_password_or_deleted_has_no_passkey_any_more() {
    let (shop, olga) = Shop::owned();
    for act in ["reset", "password", "delete"] {
        let added = shop
            .accounts
            .add_account(&person(&olga), new("kees", Role::Cashier))
            .unwrap();
        let kees = shop
            .accounts
            .sign_in(&with("kees", PASSWORD, None), &from("10.0.0.3"))
            .unwrap();
        let mut his = authenticator();
        shop.add(&kees, &mut his, "his").unwrap();
        shop.enter(&mut his).unwrap();
        match act {
            "reset" => drop(shop.accounts.reset("kees", &secret(OTHER)).unwrap()),
            "password" => {
                let changes = Changes {
                    password: Some(secret(OTHER)),
                    ..Changes::default()
                };
                let by = person(&olga);
                shop.accounts
                    .change_account(&by, &added.id, &changes)
                    .unwrap();
            }
            _ => {}
        }
        if act != "delete" {
            assert_eq!(refused(shop.enter(&mut his)), "wrong_passkey", "{act}");
        }
        shop.accounts
            .drop_account(&person(&olga), &added.id)
            .unwrap();
        assert_eq!(refused(shop.enter(&mut his)), "wrong_passkey", "{act}");
    }
}

#[test]
fn guesses_at_a_password_keep_no_passkey_out_and_refused_passkeys_wait_in_their_own_lane() {
    let (shop, first) = Shop::owned();
    let mut mine = authenticator();
    shop.add(&first, &mut mine, "my phone").unwrap();
    for _ in 0..20 {
        let guess = shop
            .accounts
            .sign_in(&with("olga", OTHER, None), &from("10.0.0.2"));
        assert!(guess.is_err());
    }
    shop.enter(&mut mine).unwrap();

    let mut strange = authenticator();
    strange.user = mine.user.clone();
    let codes: Vec<_> = (0..6).map(|_| refused(shop.enter(&mut strange))).collect();
    assert_eq!(codes[..4], ["wrong_passkey"; 4]);
    assert_eq!(codes[4..], ["too_many_attempts"; 2]);
    // Neither another place, nor a browser that is known, nor the password waits for that.
    let begun = shop.begin_entering();
    let shown = mine.get(&begun.options);
    let entered = shop.finish_entering(&begun.id, shown, "10.0.0.7").unwrap();
    let begun = shop.begin_entering();
    let known = Origin {
        mark: Some(entered.mark),
        ..from("10.0.0.2")
    };
    let shown = mine.get(&begun.options);
    shop.accounts
        .sign_in_by_passkey(&here(), &begun.id, shown, &known)
        .unwrap();
}

#[test]
fn an_account_has_so_many_passkeys_each_called_by_something() {
    let (shop, first) = Shop::owned();
    for label in ["", " x", "a\nb", &"x".repeat(65)] {
        let named = shop.add(&first, &mut authenticator(), label);
        assert_eq!(refused(named), "bad_label");
    }
    let early = shop
        .accounts
        .begin_passkey(&first.signed_in, &here())
        .unwrap();
    for number in 0..MOST {
        let label = format!("number {number}");
        shop.add(&first, &mut authenticator(), &label).unwrap();
    }
    assert_eq!(
        refused(shop.add(&first, &mut authenticator(), "one more")),
        "too_many_passkeys"
    );
    let new = answered(&mut authenticator(), early, "one more");
    // It was begun while there was room.
    let late = shop.accounts.add_passkey(&first.signed_in, &here(), new);
    assert_eq!(refused(late), "too_many_passkeys");
}

#[test]
fn while_the_vault_is_sealed_nobody_signs_in_by_a_passkey() {
    let (shop, first) = Shop::owned();
    let mut mine = authenticator();
    shop.add(&first, &mut mine, "my phone").unwrap();
    let begun = shop.begin_entering();
    let shown = mine.get(&begun.options);
    shop.vault.seal();
    let entered = shop.finish_entering(&begun.id, shown, "10.0.0.2");
    assert_eq!(refused(entered), "vault_sealed");
    let begun = shop
        .accounts
        .begin_passkey_sign_in(&here(), &from("10.0.0.2"));
    assert_eq!(refused(begun), "vault_sealed");
}

#[test]
fn what_is_no_answer_of_an_authenticator_is_refused() {
    let (shop, first) = Shop::owned();
    for credential in [json!(null), json!({}), json!({"id": "x", "rawId": "!"})] {
        let begun = shop.begin_entering();
        let entered = shop.accounts.sign_in_by_passkey(
            &here(),
            &begun.id,
            credential.clone(),
            &from("10.0.0.8"),
        );
        assert_eq!(refused(entered), "wrong_passkey");
        let begun = shop
            .accounts
            .begin_passkey(&first.signed_in, &here())
            .unwrap();
        let new = NewPasskey {
            ceremony: begun.id,
            label: "x".to_owned(),
            credential,
        };
        let added = shop.accounts.add_passkey(&first.signed_in, &here(), new);
        assert_eq!(refused(added), "bad_passkey");
    }
}
