use std::sync::Arc;

use super::VaultSeat;
use crate::clock::SystemClock;
use crate::entropy::SystemEntropy;
use crate::node::Unlock;
use crate::secret::SecretBytes;
use crate::store::vault::Kdf;
use crate::store::vault::VaultError;
use crate::store::vault::VaultState;

const PASSPHRASE: &str = "correct horse battery";

fn seat(folder: &tempfile::TempDir, unseals_itself: bool) -> VaultSeat {
    let mut seat = VaultSeat::new(
        folder.path(),
        unseals_itself,
        Arc::new(SystemClock::new()),
        Arc::new(SystemEntropy),
    );
    // Cheap: what a passphrase costs is not what is tested here.
    seat.config.kdf = Kdf::Argon2id {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
    seat.attach().unwrap();
    seat
}

fn facts(seat: &VaultSeat) -> (VaultState, bool, bool) {
    let facts = seat.facts();
    (facts.state, facts.exists, facts.passphrase_set)
}

#[test]
fn without_a_vault_there_is_nothing_to_seal_and_the_first_passphrase_needs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let seat = seat(&folder, false);
    assert_eq!(facts(&seat), (VaultState::Sealed, false, false));
    assert!(matches!(seat.seal(), Err(VaultError::NotCreated { .. })));
    let new = SecretBytes::from(PASSPHRASE.to_owned());
    assert!(
        seat.change_passphrase(None, &new, "machine")
            .unwrap()
            .is_some()
    );
    assert_eq!(facts(&seat), (VaultState::Open, true, true));
    seat.seal().unwrap();
    assert_eq!(facts(&seat), (VaultState::Sealed, true, true));
    seat.unlock(&Unlock::Passphrase(new), "machine").unwrap();
    assert_eq!(facts(&seat), (VaultState::Open, true, true));
}

#[test]
fn a_vault_that_opens_itself_cannot_be_sealed_until_a_passphrase_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let seat = seat(&folder, true);
    seat.create_self_unsealing().unwrap();
    assert_eq!(facts(&seat), (VaultState::SelfUnsealing, true, false));
    let error = seat.seal().unwrap_err();
    assert!(matches!(error, VaultError::OpensItself), "{error}");
    assert!(error.hint().contains("passphrase change"));
    assert_eq!(facts(&seat), (VaultState::SelfUnsealing, true, false));
    let new = SecretBytes::from(PASSPHRASE.to_owned());
    seat.change_passphrase(None, &new, "machine").unwrap();
    seat.seal().unwrap();
    assert_eq!(facts(&seat), (VaultState::Sealed, true, true));
}
