use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use super::Ground;
use super::Texts;
use super::World;
use super::WorldError;
use crate::manifest::profile::ProfileName;
use crate::runtime::RuntimeKind;
use crate::service::places::Places;
use crate::service::programs::VersionCache;
use crate::service::resolve::MemoryClass;
use crate::store::state::StateDb;
use crate::store::surgery::identity;

fn ground(data: &Path) -> Ground {
    let identity = identity(7);
    Ground {
        profile: ProfileName::Demo,
        places: Places {
            kind: RuntimeKind::Process,
            data: data.to_owned(),
            files: data.join("files"),
        },
        search: Vec::new(),
        node_id: identity.node_id.clone(),
        memory_class: MemoryClass::of_mib(4096),
        state: Arc::new(StateDb::create(&data.join("state.db"), &identity).unwrap()),
        versions: Mutex::new(VersionCache::default()),
    }
}

#[test]
fn a_mistake_in_node_toml_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let texts = Texts {
        choices: "# mine\n\n[services.relay.settings]\nnmae = \"x\"\n".to_owned(),
        ..Texts::read(folder.path(), ProfileName::Demo).unwrap()
    };
    let error = World::build(&ground(folder.path()), texts).unwrap_err();
    assert!(matches!(error, WorldError::Texts(_)), "{error}");
    let said = error.to_string();
    assert!(said.starts_with("node.toml:4:1: "), "{said}");
}
