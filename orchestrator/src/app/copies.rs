//! Owns the copies of what only a provider can make: a cookie that is new at each of its starts reaches those who use it
//! without a restart of theirs.
//!
//! It lays out nothing that was not there before: that is done at a start.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::services::LONGEST_FILE;
use crate::app::services::RealServices;
use crate::id::ServiceId;
use crate::runtime::layout;
use crate::secret::SecretBytes;
use crate::service::desired::Wanted;
use crate::service::volume_file;

/// How often the originals are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One file of a provider, and its copy beside the files of who uses it.
struct Copy {
    service: ServiceId,
    provider: ServiceId,
    volume: PathBuf,
    below: String,
    folder: PathBuf,
    name: String,
}

/// Renews, until the token is cancelled, each copy whose original is another by now.
pub(super) async fn follow(services: Arc<RealServices>, token: CancellationToken) {
    loop {
        // Nothing is held across the wait.
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        for copy in copies(&services) {
            let (service, provider) = (copy.service.clone(), copy.provider.clone());
            let below = copy.below.clone();
            let renewed = tokio::task::spawn_blocking(move || renew(&copy)).await;
            match renewed
                .map_err(io::Error::other)
                .and_then(|renewed| renewed)
            {
                Ok(true) => {
                    let text = format!("{service} was given the new {below} of {provider}");
                    let at = services.clock.wall();
                    let told = services.ground.state.append_event(
                        Some(&service),
                        "copy_renewed",
                        &text,
                        at,
                    );
                    if let Err(error) = told {
                        tracing::warn!(%error, "an event could not be written: {text}");
                    }
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(
                    service.id = %service, %error, "{service} could not be given the new {below} of {provider}"
                ),
            }
        }
    }
}

fn copies(services: &RealServices) -> Vec<Copy> {
    let world = services.world();
    let mut all = Vec::new();
    for (id, service) in &world.resolved.desired.services {
        let Wanted::Run { spec, .. } = &service.wanted else {
            continue;
        };
        for (name, file) in &spec.provided {
            all.push(Copy {
                service: id.clone(),
                provider: file.provider.clone(),
                volume: file.volume.clone(),
                below: file.below.clone(),
                folder: services.ground.places.files_on_host(id),
                name: name.clone(),
            });
        }
    }
    all
}

/// Renews a copy where both are there and differ. Returns whether it did.
fn renew(copy: &Copy) -> io::Result<bool> {
    // Who does not run has no copy, and gets one at its start; a provider that is starting has no original yet.
    let Some(old) = there(std::fs::read(copy.folder.join(&copy.name)))? else {
        return Ok(false);
    };
    let Some(new) = there(volume_file::read(&copy.volume, &copy.below, LONGEST_FILE))? else {
        return Ok(false);
    };
    // An empty one is being written.
    if new == old || new.is_empty() {
        return Ok(false);
    }
    layout::replace_file(&copy.folder, &copy.name, &SecretBytes::new(new))?;
    Ok(true)
}

fn there(read: io::Result<Vec<u8>>) -> io::Result<Option<Vec<u8>>> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
