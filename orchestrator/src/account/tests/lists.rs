//! Lists are read a page at a time, and somebody who stays away is signed out by an owner.

use super::super::session::SESSIONS;
use super::*;

/// Reads a whole list of tokens by pages of `limit`.
fn names(shop: &Shop, limit: usize) -> (Vec<String>, usize) {
    let mut wanted = Wanted { after: None, limit };
    let (mut names, mut pages) = (Vec::new(), 0);
    loop {
        let page = shop.accounts.tokens(&wanted).unwrap();
        pages += 1;
        assert!(page.items.len() <= limit);
        names.extend(page.items.into_iter().map(|one| one.name));
        // As it travels: as a text.
        let Some(next) = page.next else {
            return (names, pages);
        };
        wanted.after = Some(next.to_string().parse().unwrap());
    }
}

#[test]
fn a_list_is_read_page_after_page_each_row_once() {
    let (shop, olga) = Shop::owned();
    let mut made = Vec::new();
    for number in 0..7 {
        // Three at each instant: those of one instant are told apart by their IDs.
        if number % 3 == 0 {
            shop.pass(Duration::from_secs(1));
        }
        let token = NewToken {
            name: format!("program {number}"),
            role: Role::Auditor,
            days: 30,
        };
        let (_, token) = shop.accounts.add_token(&person(&olga), &token).unwrap();
        made.push((token.created_at, token.id, token.name));
    }
    made.sort();
    let made: Vec<String> = made.into_iter().map(|(_, _, name)| name).collect();
    for (limit, pages) in [(1, 7), (2, 4), (3, 3), (6, 2), (7, 1), (100, 1)] {
        assert_eq!(names(&shop, limit), (made.clone(), pages), "{limit}");
    }
    // No page is empty, and none is longer than allowed.
    let none = Wanted {
        after: None,
        limit: 0,
    };
    assert_eq!(shop.accounts.tokens(&none).unwrap().items.len(), 1);
}

#[test]
fn a_place_in_a_list_outlives_the_row_that_it_names() {
    let (shop, olga) = Shop::owned();
    for name in ["kees", "mia", "nora"] {
        shop.pass(Duration::from_secs(1));
        shop.accounts
            .add_account(&person(&olga), new(name, Role::Cashier))
            .unwrap();
    }
    let first = Wanted {
        after: None,
        limit: 2,
    };
    let page = shop.accounts.accounts(&first).unwrap();
    assert_eq!(page.items[1].name, "kees");
    shop.accounts
        .drop_account(&person(&olga), &page.items[1].id)
        .unwrap();
    let second = Wanted {
        after: page.next,
        limit: 2,
    };
    let page = shop.accounts.accounts(&second).unwrap();
    let found: Vec<&str> = page.items.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(found, ["mia", "nora"]);
    assert_eq!(page.next, None);
}

#[test]
fn what_is_no_place_in_a_list_is_refused() {
    for text in [
        "",
        "-",
        "1",
        "1-",
        "1-0123456789abcde",
        "1-0123456789abcdefg",
        "x-0123456789abcdef",
        "+1-0123456789abcdef",
        "99999999999999999999-0123456789abcdef",
        "1-0123456789abcde'",
    ] {
        assert_eq!(text.parse::<Cursor>(), Err(BadCursor), "{text}");
    }
    let place: Cursor = "1732900000000-0123456789abcdef".parse().unwrap();
    assert_eq!(place.to_string(), "1732900000000-0123456789abcdef");
}

#[test]
fn an_owner_sees_where_somebody_is_signed_in_and_signs_them_out() {
    let (shop, olga) = Shop::owned();
    let by = person(&olga);
    let kees = shop
        .accounts
        .add_account(&by, new("kees", Role::Cashier))
        .unwrap();
    let enter = |name, address| {
        let with = with(name, PASSWORD, None);
        shop.accounts.sign_in(&with, &from(address)).unwrap()
    };
    let (till, phone, laptop) = (
        enter("kees", "till"),
        enter("kees", "phone"),
        enter("olga", "laptop"),
    );
    let seen = shop.accounts.sessions_of(&by, &kees.id).unwrap();
    let mut places: Vec<&str> = seen.iter().map(|one| one.from.as_str()).collect();
    places.sort();
    assert_eq!(places, ["phone", "till"]);
    assert_eq!(shop.accounts.drop_sessions_of(&by, &kees.id).unwrap(), 2);
    assert!(!shop.is_in(&till) && !shop.is_in(&phone));
    assert!(shop.is_in(&olga) && shop.is_in(&laptop));
    // The password is still good.
    assert!(shop.is_in(&enter("kees", "till")));
    let row = shop.accounts.audit_log(None, 2).unwrap().pop().unwrap();
    assert_eq!(
        (row.actor.as_str(), row.action.as_str()),
        ("olga", "sessions_ended")
    );
    assert_eq!(row.text, "kees was signed out everywhere (2)");

    // One's own: but for the one that asks.
    let me = &olga.signed_in.account.id;
    let mine = shop.accounts.sessions_of(&by, me).unwrap();
    assert_eq!(mine.iter().filter(|one| one.current).count(), 1);
    assert_eq!(shop.accounts.drop_sessions_of(&by, me).unwrap(), 1);
    assert!(shop.is_in(&olga) && !shop.is_in(&laptop));

    for refused in [
        shop.accounts.sessions_of(&by, "nobody").err(),
        shop.accounts.drop_sessions_of(&by, "nobody").err(),
    ] {
        assert_eq!(code_of(&refused.unwrap()), "not_found");
    }
}

#[test]
fn one_session_too_many_ends_the_idlest() {
    let (shop, olga) = Shop::owned();
    let enter = || {
        shop.pass(Duration::from_secs(1));
        let with = with("olga", PASSWORD, None);
        shop.accounts.sign_in(&with, &from("a")).unwrap()
    };
    let second = enter();
    for _ in 0..SESSIONS - 2 {
        enter();
    }
    // Whose use was just noted is not the idlest, however old it is.
    assert!(shop.is_in(&olga));
    let last = enter();
    assert!(shop.is_in(&olga) && shop.is_in(&last) && !shop.is_in(&second));
    assert_eq!(
        shop.accounts.sessions(&last.signed_in).unwrap().len(),
        SESSIONS
    );
}
