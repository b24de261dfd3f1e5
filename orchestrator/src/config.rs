//! Owns the reading of the environment and the choice of the data folder, once, at the start.
//!
//! It does not know what lies in a data folder beyond its identity card, nor who answers at its socket.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;

use crate::manifest::profile::ProfileName;
use crate::runtime::RuntimeKind;

/// Names the environment variable that names the data folder.
pub const DATA_VARIABLE: &str = "FLASH_NODE_DATA";
/// Names the environment variable that sets what is logged, as a filter of tracing.
pub const LOG_VARIABLE: &str = "FLASH_NODE_LOG";

/// Reads environment variables; the process has one, tests have a map.
pub trait Environment: Send + Sync {
    /// Returns a variable. An empty one is as good as none.
    fn get(&self, key: &str) -> Option<OsString>;
}

/// The process's own environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn get(&self, key: &str) -> Option<OsString> {
        std::env::var_os(key).filter(|value| !value.is_empty())
    }
}

impl Environment for BTreeMap<&str, &str> {
    fn get(&self, key: &str) -> Option<OsString> {
        BTreeMap::get(self, key)
            .filter(|value| !value.is_empty())
            .map(OsString::from)
    }
}

/// Why no data folder could be chosen.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is neither a data home nor a home.
    #[error("no home folder is known, so there is no default data folder")]
    NoHome,
    /// Several daemons run and none was named.
    #[error("several nodes are running: {}", list(.0))]
    SeveralRunning(Vec<PathBuf>),
    /// Several nodes exist, none runs and none was named.
    #[error("no node is running, and there are several data folders: {}", list(.0))]
    SeveralStopped(Vec<PathBuf>),
    /// The identity card cannot be understood.
    #[error("the identity card {path} cannot be read")]
    Card {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn list(folders: &[PathBuf]) -> String {
    let folders: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
    folders.join(", ")
}

/// What is read once from the environment and the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Where data folders lie by default; nothing where no home is known.
    pub base: Option<PathBuf>,
    /// `FLASH_NODE_DATA`.
    pub data: Option<PathBuf>,
    /// The user's runtime folder.
    pub runtime_home: Option<PathBuf>,
    /// Where the user's programs keep their configuration.
    pub config_home: Option<PathBuf>,
    /// Where programs are searched: beside this one, then the search path.
    pub programs: Vec<PathBuf>,
    /// Whether colours are unwanted (`NO_COLOR`, or a terminal that has none).
    pub no_color: bool,
    /// What is logged, where the operator says so.
    pub log_filter: Option<String>,
    /// Who we are.
    pub uid: u32,
}

impl Surroundings {
    /// Reads `environment`. `uid` is the effective user, `exe` the path of this program where it is known.
    pub fn read(environment: &dyn Environment, uid: u32, exe: Option<&Path>) -> Self {
        let absolute = |key| {
            environment
                .get(key)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let base = if uid == 0 {
            Some(PathBuf::from("/var/lib"))
        } else {
            absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|h| h.join(".local/share")))
        };
        let mut programs: Vec<PathBuf> = exe
            .and_then(Path::parent)
            .map(Path::to_owned)
            .into_iter()
            .collect();
        if let Some(path) = environment.get("PATH") {
            programs.extend(std::env::split_paths(&path).filter(|path| path.is_absolute()));
        }
        Self {
            base: base.map(|base| base.join("flash-node")),
            data: environment.get(DATA_VARIABLE).map(PathBuf::from),
            runtime_home: absolute("XDG_RUNTIME_DIR"),
            config_home: absolute("XDG_CONFIG_HOME")
                .or_else(|| absolute("HOME").map(|home| home.join(".config"))),
            programs,
            no_color: environment.get("NO_COLOR").is_some()
                || environment.get("TERM").is_some_and(|term| term == "dumb"),
            log_filter: environment
                .get(LOG_VARIABLE)
                .and_then(|filter| filter.into_string().ok()),
            uid,
        }
    }

    /// Returns the data folder that `up` uses.
    ///
    /// Errors: [`ConfigError::NoHome`].
    pub fn data_for_up(
        &self,
        named: Option<&Path>,
        profile: Option<ProfileName>,
    ) -> Result<PathBuf, ConfigError> {
        if let Some(named) = named.or(self.data.as_deref()) {
            return Ok(named.to_owned());
        }
        let base = self.base.as_ref().ok_or(ConfigError::NoHome)?;
        Ok(base.join(profile_name(profile.unwrap_or(ProfileName::Demo))))
    }

    /// Returns the data folder that a command speaks to: the named one, else the only one with a running
    /// daemon, else the demo's, else the only one there is.
    ///
    /// Errors: [`ConfigError`] where the choice is not clear; nothing is guessed then.
    pub fn data_for_client(
        &self,
        named: Option<&Path>,
        profile: Option<ProfileName>,
    ) -> Result<PathBuf, ConfigError> {
        if named.is_some() || self.data.is_some() || profile.is_some() {
            return self.data_for_up(named, profile);
        }
        let base = self.base.as_ref().ok_or(ConfigError::NoHome)?;
        let demo = base.join("demo");
        let mut nodes = nodes_in(base);
        let running: Vec<PathBuf> = nodes
            .iter()
            .filter(|data| self.running_socket(data).is_some())
            .cloned()
            .collect();
        match running.as_slice() {
            [one] => return Ok(one.clone()),
            [] => {}
            _ => return Err(ConfigError::SeveralRunning(running)),
        }
        if nodes.contains(&demo) || nodes.is_empty() {
            return Ok(demo);
        }
        if nodes.len() > 1 {
            return Err(ConfigError::SeveralStopped(nodes));
        }
        Ok(nodes.remove(0))
    }

    /// Lists where the runtime folder of a node may lie, best first. The daemon takes the first that is a tmpfs
    /// it can write; a client looks into each.
    #[must_use]
    pub fn run_folders(&self, node_id: &str) -> Vec<PathBuf> {
        let short = node_id.get(..6).unwrap_or(node_id);
        let mut folders = Vec::new();
        if self.uid == 0 {
            folders.push(PathBuf::from(format!("/run/flash-node-{short}")));
        } else if let Some(home) = &self.runtime_home {
            folders.push(home.join(format!("flash-node-{short}")));
        }
        folders.push(PathBuf::from(format!(
            "/dev/shm/flash-node-{}-{short}",
            self.uid
        )));
        folders
    }

    /// Returns the control socket of a node whose daemon answers.
    #[must_use]
    pub fn running_socket(&self, data: &Path) -> Option<PathBuf> {
        let card = Card::read(data).ok()??;
        // A copy names the node that it was copied from, whose daemon must not be taken for its own.
        if card.made_elsewhere(data).is_some() {
            return None;
        }
        self.sockets(data, &card.node_id)
            .into_iter()
            .find(|socket| UnixStream::connect(socket).is_ok())
    }

    /// Lists where the control socket of the node in `data` may lie: ours, and for root that of the folder's owner.
    #[must_use]
    pub fn sockets(&self, data: &Path, node_id: &str) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = kept_run_folder(data).into_iter().collect();
        folders.extend(self.run_folders(node_id));
        let owner = std::fs::metadata(data).map(|meta| meta.uid());
        if let Ok(owner) = owner
            && self.uid == 0
            && owner != 0
        {
            let theirs = Self {
                uid: owner,
                runtime_home: Some(PathBuf::from(format!("/run/user/{owner}"))),
                ..self.clone()
            };
            folders.extend(theirs.run_folders(node_id));
        }
        folders
            .into_iter()
            .map(|folder| folder.join("control.sock"))
            .collect()
    }
}

/// Where the container engine listens. Source: Docker, `docs/reference/commandline/dockerd.md`.
pub const ENGINE_SOCKET: &str = "/var/run/docker.sock";

/// The file of a data folder that keeps where its run folder lies: chosen once, as rendered paths name it.
pub const RUN_NOTE: &str = "run.path";

/// The file of a data folder by which a daemon says, at its end, that it stopped every service. Shape: its process id.
pub const STOPPED_NOTE: &str = "stopped";

/// Returns the run folder that a node chose before, if it did.
#[must_use]
pub fn kept_run_folder(data: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(data.join(RUN_NOTE)).ok()?;
    Some(PathBuf::from(text.trim_end())).filter(|path| path.is_absolute())
}

/// Lists the folders under `base` that hold a node.
fn nodes_in(base: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(base) else {
        return Vec::new();
    };
    let mut nodes: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("node.json").is_file())
        .collect();
    nodes.sort();
    nodes
}

/// What a client reads of a data folder's identity card; the daemon keeps more in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Card {
    /// The node's random id, 32 hexadecimal digits.
    pub node_id: String,
    /// What the node is for.
    pub profile: ProfileName,
    /// Where the folder lay when it was made, or last moved knowingly.
    pub canonical_path: PathBuf,
    /// What runs the services.
    #[serde(default)]
    pub runtime: Option<RuntimeKind>,
}

impl Card {
    /// Returns where the folder was made, where that is not where it lies: then it was copied or moved.
    #[must_use]
    pub fn made_elsewhere(&self, data: &Path) -> Option<&Path> {
        let here = data.canonicalize().unwrap_or_else(|_| data.to_owned());
        (self.canonical_path != here).then_some(self.canonical_path.as_path())
    }

    /// Reads `node.json` of a data folder; nothing where there is none. Errors: [`ConfigError::Card`].
    pub fn read(data: &Path) -> Result<Option<Self>, ConfigError> {
        let path = data.join("node.json");
        let failed = |source| ConfigError::Card {
            path: path.clone(),
            source,
        };
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| failed(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Returns a profile's name as it is typed and as its default folder is called.
#[must_use]
pub fn profile_name(profile: ProfileName) -> &'static str {
    match profile {
        ProfileName::Demo => "demo",
        ProfileName::Regtest => "regtest",
        ProfileName::Signet => "signet",
        ProfileName::Mainnet => "mainnet",
    }
}

#[cfg(test)]
mod tests;
