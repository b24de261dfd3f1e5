use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use super::moved;
use crate::app::world::Ground;
use crate::app::world::Texts;
use crate::app::world::World;
use crate::manifest::profile::ProfileName;
use crate::runtime::RuntimeKind;
use crate::service::places::Places;
use crate::service::programs::VersionCache;
use crate::service::resolve::MemoryClass;
use crate::store::state::StateDb;
use crate::store::surgery::identity;

fn ground(data: &Path, profile: ProfileName) -> Ground {
    let identity = identity(7);
    Ground {
        profile,
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

fn world(ground: &Ground, data: &Path, choices: &str) -> World {
    let texts = Texts {
        choices: choices.to_owned(),
        ..Texts::read(data, ground.profile).unwrap()
    };
    World::build(ground, texts).unwrap()
}

const ELSEWHERE: &str =
    "[storage.big]\npath = \"/mnt/big\"\n\n[services.relay.volumes]\ndata = \"big\"\n";

#[test]
fn critical_data_that_stay_behind_are_told_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let ground = ground(data, ProfileName::Demo);
    let before = world(&ground, data, "");
    let after = world(&ground, data, ELSEWHERE);
    let volume = data.join("volumes/relay/data");
    assert_eq!(
        moved(&ground.places, &before, &after),
        [],
        "nothing is there"
    );
    std::fs::create_dir_all(&volume).unwrap();
    assert_eq!(moved(&ground.places, &before, &after), [], "it is empty");
    std::fs::write(volume.join("events"), "precious").unwrap();
    let [found] = moved(&ground.places, &before, &after)
        .try_into()
        .expect("one volume");
    assert!(found.protected);
    assert_eq!(found.from, volume);
    assert_eq!(found.to, Path::new("/mnt/big/volumes/relay/data"));
    assert!(found.line().contains("its data are not moved"));
    assert_eq!(moved(&ground.places, &after, &after), []);
    // The same on the way back, and for a service that was left out meanwhile.
    let left_out = world(&ground, data, "[services.relay]\nenabled = false\n");
    assert_eq!(moved(&ground.places, &left_out, &after).len(), 1);
    assert_eq!(moved(&ground.places, &before, &left_out), []);
}
