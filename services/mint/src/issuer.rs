//! cdk's mint, built and started the way the configuration says.
//!
//! Owns what wallets read in `/v1/info`. Deliberately knows nothing of HTTP.

use std::sync::Arc;

use cdk::{
    mint::{Mint, MintBuilder, MintMeltLimits, UnitConfig},
    nuts::{
        CurrencyUnit, MintVersion, PaymentMethod,
        nut00::KnownMethod,
        nut17::SupportedMethods,
        nut19::{CachedEndpoint, Method, Path},
    },
};
use cdk_common::{common::QuoteTTL, database, mint::OperationKind};

use crate::{
    backend,
    config::{Config, Unit},
    database::{CDK_VERSION, IDENTITY_KEY, MintDatabase, VERSION_KEY},
    identity::Identity,
    policy,
    seed::Seed,
};

/// How long an answer to a repeated request is remembered. Units: seconds.
pub const ANSWER_CACHE_SECONDS: u64 = 60;
/// The most quotes of one batch.
const MAX_BATCH: u64 = 100;
const BOLT11: &str = "bolt11";

/// Why cdk's mint was not built, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The mint could not be made from its parts.
    #[error("cdk could not build the mint")]
    Build(#[source] cdk::Error),
    /// The background work could not be started.
    #[error("cdk could not start the mint")]
    Start(#[source] cdk::Error),
    /// The database refused a question.
    #[error("the mint's database did not answer")]
    Database(#[source] database::Error),
    /// The keys that cdk derived are not those of our identity.
    #[error(
        "cdk derived mint key {derived} from the seed and {expected} was expected; nothing was served"
    )]
    WrongKey {
        /// cdk's.
        derived: String,
        /// Ours.
        expected: String,
    },
}

/// Operations that recovery at start could not bring to an end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unresolved {
    /// Swaps: their proofs stay reserved. Should not happen; an operator must look.
    pub swaps: Vec<String>,
    /// Melts whose payment the back end does not know the end of.
    pub melts: Vec<String>,
}

/// Claims `database` for `identity`, builds the mint on it and starts it.
///
/// Errors: cdk or the database refused.
pub async fn start(
    config: &Config,
    seed: &Seed,
    identity: &Identity,
    database: MintDatabase,
) -> Result<Arc<Mint>, IssuerError> {
    claim(&database, identity)
        .await
        .map_err(IssuerError::Database)?;
    let store = Arc::new(database);
    let mut builder = describe(MintBuilder::new(store.clone()), config);
    let unit = currency(config.unit);
    let unit_config = UnitConfig {
        input_fee_ppk: config.input_fee_ppk,
        ..UnitConfig::default()
    };
    builder
        .configure_unit(unit.clone(), unit_config)
        .map_err(IssuerError::Build)?;
    let limits = MintMeltLimits {
        mint_min: config.min_mint_sat.into(),
        mint_max: config.max_mint_sat.into(),
        melt_min: config.min_melt_sat.into(),
        melt_max: config.max_melt_sat.into(),
    };
    builder
        .add_payment_processor(
            unit,
            PaymentMethod::Known(KnownMethod::Bolt11),
            limits,
            backend::make(&config.backend),
        )
        .await
        .map_err(IssuerError::Build)?;
    let mut info = builder.current_mint_info();
    let mint = builder
        .build_with_seed(store, seed.expose())
        .await
        .map_err(IssuerError::Build)?;

    let stored = mint.mint_info().await.map_err(IssuerError::Build)?;
    let derived = stored.pubkey.map(|key| key.to_string()).unwrap_or_default();
    if derived != identity.pubkey {
        return Err(IssuerError::WrongKey {
            derived,
            expected: identity.pubkey.clone(),
        });
    }
    // cdk keeps the first introduction for ever; the configuration is the truth here, so it is written at each start.
    info.pubkey = stored.pubkey;
    let ttl = QuoteTTL::new(config.quote_ttl_seconds.mint, config.quote_ttl_seconds.melt);
    mint.set_mint_info_and_quote_ttl(info, ttl)
        .await
        .map_err(IssuerError::Build)?;

    let mint = Arc::new(mint);
    mint.start().await.map_err(IssuerError::Start)?;
    Ok(mint)
}

/// Writes the owner, once, and the version of cdk that now writes, in one transaction.
async fn claim(database: &MintDatabase, identity: &Identity) -> Result<(), database::Error> {
    let owner = serde_json::to_vec(identity).expect("an identity is plain JSON");
    let version = serde_json::to_vec(&CDK_VERSION).expect("three numbers are plain JSON");
    let mut transaction = database::MintDatabase::begin_transaction(database).await?;
    for ([primary, secondary, key], value) in [(IDENTITY_KEY, owner), (VERSION_KEY, version)] {
        transaction
            .kv_write(primary, secondary, key, &value)
            .await?;
    }
    transaction.commit().await
}

fn describe(builder: MintBuilder, config: &Config) -> MintBuilder {
    let introduction = policy::introduce(config);
    let unit = currency(config.unit);
    let cached = [
        Path::Swap,
        Path::custom_mint(BOLT11),
        Path::custom_melt(BOLT11),
    ]
    .map(|path| CachedEndpoint::new(Method::Post, path))
    .to_vec();
    let builder = builder
        .with_name(introduction.name)
        .with_description(introduction.description)
        .with_urls(vec![config.url.clone()])
        .with_version(MintVersion::new(
            env!("CARGO_PKG_NAME").to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        ))
        .with_limits(config.max_inputs, config.max_outputs)
        .with_keyset_v2(Some(config.use_keyset_v2))
        .with_supported_websockets(SupportedMethods::default_bolt11(unit))
        .with_cache(Some(ANSWER_CACHE_SECONDS), cached)
        .with_batch_minting(Some(MAX_BATCH), Some(vec![BOLT11.to_owned()]));
    match introduction.motd {
        Some(motd) => builder.with_motd(motd),
        None => builder,
    }
}

fn currency(unit: Unit) -> CurrencyUnit {
    match unit {
        Unit::Sat => CurrencyUnit::Sat,
    }
}

/// Lists the operations that are still open. Asked right after the start, before any request is served, it is what
/// recovery left behind: cdk logs such failures and starts all the same.
///
/// Errors: the database did not answer.
pub async fn list_open(mint: &Mint) -> Result<Unresolved, IssuerError> {
    let store = mint.localstore();
    let open = async |kind| -> Result<Vec<String>, IssuerError> {
        let sagas = store
            .get_incomplete_sagas(kind)
            .await
            .map_err(IssuerError::Database)?;
        Ok(sagas
            .into_iter()
            .map(|saga| saga.operation_id.to_string())
            .collect())
    };
    Ok(Unresolved {
        swaps: open(OperationKind::Swap).await?,
        melts: open(OperationKind::Melt).await?,
    })
}
