//! Who a database belongs to.
//!
//! Owns the public fingerprint that binds a database to its seed, network and unit. Deliberately knows nothing of where it is kept.

use bitcoin::{bip32::Xpriv, key::Secp256k1};
use serde::{Deserialize, Serialize};

use crate::{
    config::{Network, Unit},
    seed::Seed,
};

/// The public identity of a mint. Shape: JSON, in the database and in the identity file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The public key of the seed's master key, in hexadecimal; wallets see it in `/v1/info`.
    pub pubkey: String,
    /// The network whose money is behind the ecash.
    pub network: Network,
    /// The currency unit.
    pub unit: Unit,
}

impl Identity {
    /// Derives the identity of `seed` on `network`.
    ///
    /// Source: cdk-signatory 0.18.3 `db_signatory.rs`, which names the mint by the BIP-32 master public key.
    #[must_use]
    pub fn derive(seed: &Seed, network: Network, unit: Unit) -> Self {
        let master = Xpriv::new_master(bitcoin::Network::Bitcoin, seed.expose())
            .expect("64 bytes of entropy give a master key but for a chance of 2^-127");
        let pubkey = master.to_keypair(&Secp256k1::new()).public_key();
        Self {
            pubkey: pubkey.to_string(),
            network,
            unit,
        }
    }
}
