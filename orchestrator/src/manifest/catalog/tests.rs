use super::Catalog;
use crate::manifest::profile;
use crate::manifest::profile::ProfileName;

#[test]
fn the_nine_embedded_manifests_are_read() {
    let catalog = Catalog::load(None).unwrap_or_else(|errors| panic!("{errors}"));
    let ids: Vec<&str> = catalog.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "bitcoind",
            "btcpay",
            "electrs",
            "lnd",
            "mint",
            "nbxplorer",
            "postgres",
            "relay",
            "tor"
        ]
    );
}

#[test]
fn each_template_of_an_embedded_manifest_reads_only_what_it_may() {
    let mut wrong = Vec::new();
    for (id, entry) in Catalog::load(None).unwrap().iter() {
        for template in crate::manifest::template::templates(&entry.manifest) {
            if let Err(error) = crate::manifest::template::check_template(
                &entry.manifest,
                template.scope,
                template.source,
            ) {
                wrong.push(format!("{id}: {}: {error:?}", template.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_four_profiles_are_read() {
    for &name in ProfileName::ALL {
        assert_eq!(profile(name).name, name);
    }
}
