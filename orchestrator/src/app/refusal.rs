//! Owns how a mistake below becomes a refusal: its code, what was refused, and what to do next.
//!
//! It does not know HTTP or exit codes.

use crate::app::moved::Moved;
use crate::app::sentence::sentence;
use crate::app::world::WorldError;
use crate::manifest::choices::SetError;
use crate::node::Refusal;
use crate::store::StoreError;
use crate::store::vault::VaultError;

/// Says that something inside failed.
pub(super) fn internal(message: &str) -> Refusal {
    Refusal {
        code: "internal".to_owned(),
        message: message.to_owned(),
        hint: "look at the daemon's log".to_owned(),
    }
}

/// Says why the node's memory or a file could not be used.
pub(super) fn refuse_store(error: &StoreError) -> Refusal {
    Refusal {
        code: "database".to_owned(),
        message: sentence(error),
        hint: error.hint().to_owned(),
    }
}

/// Says why the vault refused.
pub(super) fn refuse_vault(error: &VaultError) -> Refusal {
    Refusal {
        code: error.code().to_owned(),
        message: sentence(error),
        hint: error.hint().to_owned(),
    }
}

/// Says why a setting was not changed.
pub(super) fn refuse_set(error: &SetError) -> Refusal {
    // What there is instead is what to do next, and is said once.
    let (code, message, hint) = match error {
        SetError::Service { service, hint } => (
            "unknown_service",
            format!("no service is named `{service}`"),
            hint.clone(),
        ),
        SetError::Setting {
            service,
            setting,
            hint,
        } => (
            "unknown_setting",
            format!("`{service}` has no setting `{setting}`"),
            format!("{hint} (`flash-node set {service}` lists them all)"),
        ),
        SetError::Value { .. } => (
            "bad_value",
            sentence(error),
            "nothing was changed; choose a value that it takes".to_owned(),
        ),
        SetError::File(_) | SetError::NotATable(_) => (
            "bad_choices",
            sentence(error),
            "mend node.toml; nothing was changed".to_owned(),
        ),
    };
    Refusal {
        code: code.to_owned(),
        message,
        hint,
    }
}

/// Refuses to start a service without its data. Nothing was changed.
pub(super) fn refuse_moved(moved: &Moved) -> Refusal {
    let Moved {
        service,
        volume,
        from,
        to,
        ..
    } = moved;
    Refusal {
        code: "data_not_moved".to_owned(),
        message: format!(
            "the data in volume {volume} of {service} lie in {}: {service} would start without them",
            from.display()
        ),
        hint: format!(
            "stop it by `enabled = false` and `flash-node apply`, move that folder to {}, then enable it there",
            to.display()
        ),
    }
}

/// Says why the files make no desired state.
pub(super) fn refuse_world(error: &WorldError) -> Refusal {
    let (code, hint) = match error {
        WorldError::Texts(_) | WorldError::Resolve(_) => {
            ("bad_manifest", "mend it; nothing was changed")
        }
        WorldError::Subnets(_) => (
            "no_addresses",
            "name a pool that is free on this machine in node.toml, then try again",
        ),
        WorldError::Ports(_) => (
            "port_taken",
            "stop that program, or choose another port in node.toml",
        ),
        WorldError::Read { .. } => (
            "bad_manifest",
            "make the file readable; nothing was changed",
        ),
        WorldError::Storage(error) => (error.code(), error.hint()),
        WorldError::Store(error) => return refuse_store(error),
    };
    Refusal {
        code: code.to_owned(),
        message: sentence(error),
        hint: hint.to_owned(),
    }
}

#[cfg(test)]
mod tests;
