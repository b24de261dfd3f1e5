//! Which back end a network allows, and what a play-money mint must say about itself.
//!
//! Pure functions. Deliberately knows nothing of files, databases or servers.

use crate::config::{Backend, Config, Network};

/// What a mint without money behind it is called behind its own name.
const PLAY_MONEY_NAME: &str = " (play money)";
/// What a mint without money behind it says before its own message.
const PLAY_MONEY_MOTD: &str = "This eCash is play money: nothing is behind it.";

/// Why a mint must not run as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The back end only pretends to be paid, and the network has real users.
    #[error(
        "network \"{}\" refuses backend kind \"fake\": it only pretends that invoices are paid, so its ecash would be \
         backed by nothing; the fake backend runs on demo and regtest alone",
        network.as_str()
    )]
    PlayMoneyBackend {
        /// The configured network.
        network: Network,
    },
}

/// How a mint introduces itself to wallets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The name that wallets show.
    pub name: String,
    /// What the mint is.
    pub description: String,
    /// The message of the day, where there is one.
    pub motd: Option<String>,
    /// Whether there is no money behind the ecash.
    pub play_money: bool,
}

/// Refuses a back end that `network` does not allow.
///
/// Errors: the fake back end on a network with real users.
pub fn validate_backend(network: Network, backend: &Backend) -> Result<(), PolicyError> {
    match (network, backend) {
        (Network::Demo | Network::Regtest, Backend::Fake { .. }) => Ok(()),
        (Network::Signet | Network::Mainnet, Backend::Fake { .. }) => {
            Err(PolicyError::PlayMoneyBackend { network })
        }
    }
}

/// Says what the configured mint calls itself: on demo and regtest "play money" stands in name and message, whatever
/// the configuration says. Only our own words count: other ones with "play money" in them may well deny it.
#[must_use]
pub fn introduce(config: &Config) -> Introduction {
    let play_money = matches!(config.network, Network::Demo | Network::Regtest);
    let mut introduction = Introduction {
        name: config.name.clone(),
        description: config.description.clone(),
        motd: config.motd.clone(),
        play_money,
    };
    if play_money {
        if !introduction.name.ends_with(PLAY_MONEY_NAME) {
            introduction.name.push_str(PLAY_MONEY_NAME);
        }
        let motd = introduction.motd.take().unwrap_or_default();
        introduction.motd = Some(if motd.starts_with(PLAY_MONEY_MOTD) {
            motd
        } else if motd.is_empty() {
            PLAY_MONEY_MOTD.to_owned()
        } else {
            format!("{PLAY_MONEY_MOTD} {motd}")
        });
    }
    introduction
}

#[cfg(test)]
mod tests;
