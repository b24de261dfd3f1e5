use super::*;
use crate::clock::UnixMillis;
use crate::secret::SecretKey;

fn entry(key: &str, generation: u32) -> SecretEntry {
    SecretEntry {
        key: SecretKey(key.to_owned()),
        generation,
        made_at: UnixMillis(u64::from(generation)),
    }
}

#[test]
fn only_the_newest_generation_of_a_secret_has_an_age() {
    let all = [
        entry("edge/a/rpc/b", 2),
        entry("edge/a/rpc/b", 3),
        entry("edge/a/rpc/b", 1),
        entry("service/lnd/seed", 1),
    ];
    let found: Vec<(String, u32)> = newest(&all)
        .into_iter()
        .map(|entry| (entry.key.0.clone(), entry.generation))
        .collect();
    assert_eq!(
        found,
        [
            ("edge/a/rpc/b".to_owned(), 3),
            ("service/lnd/seed".to_owned(), 1)
        ]
    );
}

#[test]
fn days_are_counted_as_a_person_would() {
    assert_eq!(
        [0, 1, 400].map(counted),
        ["less than a day", "1 day", "400 days"]
    );
}
