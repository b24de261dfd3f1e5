//! Owns what was begun with an authenticator and not finished yet: in memory, each good once and for five minutes.
//!
//! Strangers begin ceremonies too. Each place holds a few and the newest count; where there are too many of all together,
//! the place that holds the most gives way. Browsers that are known have room of their own, which no stranger takes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::site::Site;

/// How long a person has for it.
pub(super) const LIVES: Duration = Duration::from_secs(5 * 60);
/// How many one place may have begun: a few windows at once.
const OF_ONE_PLACE: usize = 4;
/// How many are held of whom nobody knows.
const OF_STRANGERS: usize = 1024;
/// How many are held of whoever is signed in, or signed in with the same browser before.
const OF_KNOWN: usize = 256;

/// Where a ceremony was begun: whether that is known, and what it is told apart by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) known: bool,
    pub(super) name: String,
}

/// Who alone may finish a ceremony, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    /// The session that began it; nothing where nobody was signed in.
    pub(super) session: Option<String>,
    /// The name of the node by which it was begun.
    pub(super) site: Site,
}

struct Held<T> {
    state: T,
    bound: Bound,
    place: Place,
    at: Duration,
    /// How many were begun before: of two in one instant the first is the older.
    turn: u64,
}

/// The ceremonies of one kind.
pub(super) struct Ceremonies<T> {
    held: BTreeMap<String, Held<T>>,
    turns: u64,
}

impl<T> Default for Ceremonies<T> {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            turns: 0,
        }
    }
}

impl<T> Ceremonies<T> {
    /// Holds a ceremony under `id`, which nobody guesses. `now` is monotonic.
    pub(super) fn begin(
        &mut self,
        id: String,
        state: T,
        bound: Bound,
        place: Place,
        now: Duration,
    ) {
        self.held
            .retain(|_, one| now.saturating_sub(one.at) < LIVES);
        let here = self.held.values().filter(|one| one.place == place).count();
        if here >= OF_ONE_PLACE {
            self.drop_oldest_of(&place);
        }
        let limit = if place.known { OF_KNOWN } else { OF_STRANGERS };
        if let Some(most) = self.most_of(place.known, limit) {
            self.drop_oldest_of(&most);
        }
        let (at, turn) = (now, self.turns);
        self.turns += 1;
        let held = Held {
            state,
            bound,
            place,
            at,
            turn,
        };
        self.held.insert(id, held);
    }

    /// Gives a ceremony out, once; nothing where it is over, is another's, or never was.
    pub(super) fn take(&mut self, id: &str, bound: &Bound, now: Duration) -> Option<T> {
        // Who guesses another's takes nothing from them.
        self.held.get(id).filter(|one| one.bound == *bound)?;
        let one = self.held.remove(id)?;
        (now.saturating_sub(one.at) < LIVES).then_some(one.state)
    }

    fn drop_oldest_of(&mut self, place: &Place) {
        let of_place = self.held.iter().filter(|(_, one)| one.place == *place);
        let oldest = of_place.min_by_key(|(_, one)| one.turn);
        if let Some(id) = oldest.map(|(id, _)| id.clone()) {
            self.held.remove(&id);
        }
    }

    /// Finds the place that holds the most, and of several the one that waits longest; nothing where there is room.
    fn most_of(&self, known: bool, limit: usize) -> Option<Place> {
        let all = self.held.values().filter(|one| one.place.known == known);
        let mut places: BTreeMap<&Place, (usize, u64)> = BTreeMap::new();
        let mut count = 0;
        for one in all {
            count += 1;
            let (held, oldest) = places.entry(&one.place).or_insert((0, one.turn));
            *held += 1;
            *oldest = one.turn.min(*oldest);
        }
        if count < limit {
            return None;
        }
        let most = places
            .into_iter()
            .max_by_key(|(_, (held, oldest))| (*held, std::cmp::Reverse(*oldest)));
        most.map(|(place, _)| place.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(known: bool, name: &str) -> Place {
        Place {
            known,
            name: name.to_owned(),
        }
    }

    fn bound(session: Option<&str>) -> Bound {
        Bound {
            session: session.map(ToOwned::to_owned),
            site: Site::of("http", "localhost:4420").unwrap(),
        }
    }

    fn begin(all: &mut Ceremonies<u32>, id: &str, place: Place, at: u64) {
        let now = Duration::from_millis(at);
        all.begin(id.to_owned(), 7, bound(None), place, now);
    }

    #[test]
    fn a_ceremony_is_good_once_for_whoever_began_it_and_for_five_minutes() {
        let mut all = Ceremonies::default();
        let now = Duration::from_secs(1000);
        all.begin(
            "a".to_owned(),
            7,
            bound(Some("mine")),
            place(true, "x"),
            now,
        );
        assert_eq!(all.take("a", &bound(Some("theirs")), now), None);
        assert_eq!(all.take("a", &bound(None), now), None);
        assert_eq!(all.take("b", &bound(Some("mine")), now), None);
        assert_eq!(all.take("a", &bound(Some("mine")), now), Some(7));
        assert_eq!(all.take("a", &bound(Some("mine")), now), None);

        begin(&mut all, "late", place(false, "x"), 0);
        assert_eq!(all.take("late", &bound(None), LIVES), None);
    }

    #[test]
    fn a_flood_from_one_place_pushes_its_own_out_and_nobody_elses() {
        let mut all = Ceremonies::default();
        begin(&mut all, "owner", place(false, "10.0.0.2"), 0);
        for number in 0..5000_u64 {
            begin(&mut all, &format!("n{number}"), place(false, "x"), number);
        }
        assert_eq!(all.held.len(), OF_ONE_PLACE + 1);
        assert_eq!(
            all.take("owner", &bound(None), Duration::from_secs(5)),
            Some(7)
        );
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_and_takes_no_room_of_whom_we_know() {
        let mut all = Ceremonies::default();
        begin(&mut all, "known", place(true, "mark 1"), 0);
        for number in 0..3000_u64 {
            let from = place(false, &number.to_string());
            begin(&mut all, &format!("n{number}"), from, number);
        }
        assert_eq!(all.held.len(), OF_STRANGERS + 1);
        assert_eq!(
            all.take("known", &bound(None), Duration::from_secs(5)),
            Some(7)
        );
        // The oldest of strangers went, the newest stays.
        assert_eq!(
            all.take("n2999", &bound(None), Duration::from_secs(5)),
            Some(7)
        );
        assert_eq!(all.take("n0", &bound(None), Duration::from_secs(5)), None);
    }
}
