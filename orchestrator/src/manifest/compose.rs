//! Owns the rules of a whole node: a profile and an operator's choices against the manifests.
//!
//! It does not know the machine: what is installed, which ports are free, which disks are mounted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Catalog;
use super::choices::Choices;
use super::choices::External;
use super::choices::PublicChoice;
use super::choices::ServiceChoice;
use super::error::ManifestErrors;
use super::error::Rule;
use super::error::Subject;
use super::hint;
use super::locate::Path;
use super::locate::place;
use super::profile::Profile;
use super::schema::CredentialKind;
use super::schema::Manifest;
use super::schema::SCHEMA_VERSION;
use super::validate::Findings;
use crate::id::ManifestId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::image::ImageReference;

/// The services of a node, each with its manifest, whether the operator switched it off or not.
struct Node<'a> {
    profile: &'a Profile,
    choices: &'a Choices,
    services: BTreeMap<&'a ServiceId, &'a Manifest>,
}

impl Catalog {
    /// Checks a profile and an operator's choices against the manifests.
    ///
    /// Errors in `node.toml` carry the key's path in place of a line until [`ManifestErrors::in_choices`] is told
    /// the text.
    pub fn validate(&self, profile: &Profile, choices: &Choices) -> Result<(), ManifestErrors> {
        let mut in_profile = Findings::default();
        let mut in_choices = Findings::default();
        let node = self.compose(profile, choices, &mut in_profile, &mut in_choices);
        for (id, instance) in &profile.services {
            if let Some(manifest) = node.services.get(id) {
                let at = place!["services", id];
                check_settings(manifest, &at, &instance.settings, &mut in_profile);
                check_network(profile, id, manifest, choices, &at, &mut in_profile);
            }
        }
        check_storage(choices, &mut in_choices);
        check_images(choices, &mut in_choices);
        let public = choices.access.public.as_ref();
        if let Some((message, hint)) = public.and_then(PublicChoice::mistake) {
            let at = place!["access", "public"];
            in_choices.add_with_hint(Rule::PublicAccess, at, message, hint);
        }
        for (id, choice) in &choices.services {
            if let Some(manifest) = node.services.get(id) {
                let at = place!["services", id];
                if !profile.services.contains_key(id) {
                    check_network(profile, id, manifest, choices, &at, &mut in_choices);
                }
                check_choice(&node, &at, manifest, choice, &mut in_choices);
            }
        }
        check_port_numbers(&node, &mut in_choices);
        check_providers(&node, &mut in_profile, &mut in_choices);
        if let Some(circle) = find_circle(&node) {
            let circle: Vec<&str> = circle.into_iter().map(ServiceId::as_str).collect();
            in_profile.add_with_hint(
                Rule::WaitCycle,
                place!["services"],
                format!(
                    "services wait for each other in a circle: {}",
                    circle.join(" → ")
                ),
                "one of the edges must be optional",
            );
        }
        let (file, text) = profile.name.source();
        let text = (super::profile::parse(text, &file).as_ref() == Ok(profile)).then_some(text);
        ManifestErrors::all([
            ManifestErrors::place(in_profile.0, &Subject::Profile, &file, text),
            ManifestErrors::place(in_choices.0, &Subject::Choices, "node.toml", None),
        ])
    }

    fn compose<'a>(
        &'a self,
        profile: &'a Profile,
        choices: &'a Choices,
        in_profile: &mut Findings,
        in_choices: &mut Findings,
    ) -> Node<'a> {
        if profile.profile != SCHEMA_VERSION {
            let message = format!("schema version {} is not known", profile.profile);
            in_profile.add(Rule::SchemaVersion, place!["profile"], message);
        }
        let mut services = BTreeMap::new();
        for (id, instance) in &profile.services {
            let at = place!["services", id, "manifest"];
            if let Some(manifest) = self.find(&instance.manifest, at, in_profile) {
                services.insert(id, manifest);
            }
        }
        for (id, choice) in &choices.services {
            let at = place!["services", id];
            match (&choice.manifest, profile.services.get(id)) {
                (Some(manifest), Some(instance)) if *manifest != instance.manifest => in_choices
                    .add_with_hint(
                        Rule::ServiceManifest,
                        at.then("manifest"),
                        format!(
                            "the profile makes `{id}` an instance of `{}`",
                            instance.manifest
                        ),
                        "give a further instance a name of its own",
                    ),
                (Some(manifest), None) => {
                    if let Some(manifest) = self.find(manifest, at.then("manifest"), in_choices) {
                        services.insert(id, manifest);
                    }
                }
                (None, None) => {
                    let known = profile.services.keys().map(ServiceId::as_str);
                    let near = hint::nearest(id.as_str(), known);
                    in_choices.add_with_hint(
                        Rule::ServiceUnknown,
                        at,
                        format!("the profile {} has no service `{id}`", profile.name),
                        near.map_or_else(
                            || "a further service names its `manifest`".to_owned(),
                            |word| format!("did you mean `{word}`?"),
                        ),
                    );
                }
                (_, Some(_)) => {}
            }
        }
        Node {
            profile,
            choices,
            services,
        }
    }

    fn find(&self, id: &ManifestId, at: Path, found: &mut Findings) -> Option<&Manifest> {
        let manifest = self.get(id);
        if manifest.is_none() {
            let ids = self.iter().map(|(id, _)| id.as_str());
            found.add_with_hint(
                Rule::ServiceManifest,
                at,
                format!("no manifest has the id `{id}`"),
                hint::among("manifest", id.as_str(), ids),
            );
        }
        manifest
    }
}

fn check_network(
    profile: &Profile,
    id: &ServiceId,
    manifest: &Manifest,
    choices: &Choices,
    at: &Path,
    found: &mut Findings,
) {
    let off = choices
        .services
        .get(id)
        .is_some_and(|choice| choice.enabled == Some(false));
    if !off && !manifest.runs_on(profile.network) {
        let reason = manifest
            .networks_reason
            .as_deref()
            .unwrap_or("its manifest names others");
        found.add_with_hint(
            Rule::ServiceNetwork,
            at.clone(),
            format!(
                "`{id}` must not run on {}: {reason}",
                profile.network.as_str()
            ),
            format!("leave it out: `enabled = false` under [services.{id}]"),
        );
    }
}

fn check_settings(
    manifest: &Manifest,
    at: &Path,
    settings: &BTreeMap<Name, serde_json::Value>,
    found: &mut Findings,
) {
    for (name, value) in settings {
        let at = at.then("settings").then(name);
        let Some(setting) = manifest.settings.get(name) else {
            let known = manifest.settings.keys().map(Name::as_str);
            found.add_with_hint(
                Rule::SettingUnknown,
                at,
                format!("`{}` has no setting `{name}`", manifest.id),
                hint::among("setting", name.as_str(), known),
            );
            continue;
        };
        if let Err(error) = setting.kind.check(value) {
            found.add_with_hint(
                Rule::SettingValue,
                at,
                format!("the setting `{name}` cannot have this value: {error}"),
                format!("give {}", setting.kind.range()),
            );
        }
    }
}

fn check_storage(choices: &Choices, found: &mut Findings) {
    for (name, root) in &choices.storage {
        if !root.path.is_absolute() {
            found.add_with_hint(
                Rule::StoragePath,
                place!["storage", name, "path"],
                format!(
                    "the storage root `{}` is not an absolute path",
                    root.path.display()
                ),
                "write it from the root of the file system",
            );
        }
        if name.as_str() == "data" {
            found.add(
                Rule::StoragePath,
                place!["storage", name],
                "the name `data` is the data folder's own",
            );
        }
    }
}

fn check_images(choices: &Choices, found: &mut Findings) {
    for (from, to) in &choices.images {
        for image in [from, to] {
            let digest = image.rsplit_once("@sha256:").map(|(_, digest)| digest);
            let local = image.strip_prefix("sha256:");
            let pinned = digest
                .or(local.filter(|_| image == to))
                .is_some_and(|digest| {
                    digest.len() == 64
                        && digest
                            .chars()
                            .all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase())
                });
            if !pinned {
                found.add_with_hint(
                    Rule::ImageDigest,
                    place!["images", from],
                    format!("`{image}` is not pinned by a digest"),
                    "write `repository@sha256:…`; a local image may be its id alone, `sha256:…`",
                );
            }
        }
    }
}

fn check_choice(
    node: &Node<'_>,
    at: &Path,
    manifest: &Manifest,
    choice: &ServiceChoice,
    found: &mut Findings,
) {
    check_settings(manifest, at, &choice.settings, found);
    for (volume, root) in &choice.volumes {
        let at = at.then("volumes").then(volume);
        if !manifest.volumes.contains_key(volume) {
            let known = manifest.volumes.keys().map(Name::as_str);
            let message = format!("`{}` has no volume `{volume}`", manifest.id);
            found.add_with_hint(
                Rule::VolumeUnknown,
                at,
                message,
                hint::among("volume", volume.as_str(), known),
            );
        } else if !node.choices.storage.contains_key(root) {
            let known = node.choices.storage.keys().map(Name::as_str);
            let message = format!("no storage root is named `{root}`");
            found.add_with_hint(
                Rule::StorageUnknown,
                at,
                message,
                hint::among("storage root", root.as_str(), known),
            );
        }
    }
    if let Some(image) = &choice.image
        && let Err(error) = ImageReference::parse(image)
    {
        found.add(Rule::ImageDigest, at.then("image"), error.to_string());
    }
    for port in choice.publish.keys() {
        let at = at.then("publish").then(port);
        let shown = manifest.endpoints.values().any(|one| one.port == *port);
        let published = manifest
            .ports
            .get(port)
            .is_some_and(|known| known.public || shown);
        if !published {
            let known = manifest.ports.keys().map(Name::as_str);
            let message = format!("`{}` publishes no port `{port}`", manifest.id);
            found.add_with_hint(
                Rule::PortChoice,
                at,
                message,
                hint::among("port", port.as_str(), known),
            );
        }
    }
    for (port, number) in &choice.ports {
        let at = at.then("ports").then(port);
        if !manifest.ports.contains_key(port) {
            let known = manifest.ports.keys().map(Name::as_str);
            let message = format!("`{}` has no port `{port}`", manifest.id);
            found.add_with_hint(
                Rule::PortChoice,
                at,
                message,
                hint::among("port", port.as_str(), known),
            );
        } else if *number == 0 {
            found.add(Rule::PortChoice, at, "a port cannot have the number 0");
        }
    }
    for (edge, provider) in &choice.edges {
        check_edge_choice(
            node,
            &at.then("edges").then(edge),
            manifest,
            edge,
            provider,
            found,
        );
    }
    if let Some(external) = &choice.external {
        check_external(&at.then("external"), manifest, external, found);
    }
}

fn check_edge_choice(
    node: &Node<'_>,
    at: &Path,
    manifest: &Manifest,
    name: &Name,
    provider: &ServiceId,
    found: &mut Findings,
) {
    let Some(edge) = manifest.edges.get(name) else {
        let known = manifest.edges.keys().map(Name::as_str);
        let message = format!("`{}` has no edge `{name}`", manifest.id);
        found.add_with_hint(
            Rule::EdgeChoice,
            at.clone(),
            message,
            hint::among("edge", name.as_str(), known),
        );
        return;
    };
    if node
        .services
        .get(provider)
        .is_none_or(|given| given.id != edge.to)
    {
        let instances = node.instances_of(&edge.to);
        let instances: Vec<&str> = instances.into_iter().map(ServiceId::as_str).collect();
        found.add_with_hint(
            Rule::EdgeChoice,
            at.clone(),
            format!("`{provider}` is not an instance of `{}`", edge.to),
            hint::among("instance", provider.as_str(), instances),
        );
    }
}

fn check_external(at: &Path, manifest: &Manifest, external: &External, found: &mut Findings) {
    for port in external
        .addresses
        .keys()
        .filter(|port| !manifest.ports.contains_key(*port))
    {
        let known = manifest.ports.keys().map(Name::as_str);
        let message = format!("`{}` has no port `{port}`", manifest.id);
        let at = at.then("addresses").then(port);
        found.add_with_hint(
            Rule::ExternalAddress,
            at,
            message,
            hint::among("port", port.as_str(), known),
        );
    }
    let mut needed = BTreeSet::new();
    for interface in manifest.interfaces.values() {
        needed.extend(std::iter::once(&interface.port).chain(&interface.also));
    }
    for port in needed
        .into_iter()
        .filter(|port| !external.addresses.contains_key(*port))
    {
        found.add_with_hint(
            Rule::ExternalAddress,
            at.then("addresses"),
            format!("the port `{port}` has no address"),
            "others call it: say where the server answers",
        );
    }
    for (name, interface) in &manifest.interfaces {
        let asked = interface
            .credential
            .is_some_and(|kind| kind != CredentialKind::ProviderFile);
        if asked && !external.credentials.contains_key(name) {
            found.add_with_hint(
                Rule::ExternalCredential,
                at.clone(),
                format!("the interface `{name}` has no credential"),
                format!("add [services.NAME.external.credentials.{name}] with `user` and `password_file`"),
            );
        }
    }
    for (name, credential) in &external.credentials {
        let at = at.then("credentials").then(name);
        if !manifest.interfaces.contains_key(name) {
            let known = manifest.interfaces.keys().map(Name::as_str);
            let message = format!("`{}` has no interface `{name}`", manifest.id);
            found.add_with_hint(
                Rule::ExternalCredential,
                at,
                message,
                hint::among("interface", name.as_str(), known),
            );
        } else if !credential.password_file.is_absolute() {
            found.add(
                Rule::ExternalCredential,
                at.then("password_file"),
                "the password's file is not an absolute path",
            );
        }
    }
}

/// Fixed port numbers are the operator's: no two services may be given the same.
fn check_port_numbers(node: &Node<'_>, found: &mut Findings) {
    let mut taken: BTreeMap<u16, String> = BTreeMap::new();
    for (id, choice) in &node.choices.services {
        for (port, number) in choice.ports.iter().filter(|(_, number)| **number != 0) {
            let name = format!("{id}.{port}");
            if let Some(first) = taken.insert(*number, name.clone()) {
                found.add(
                    Rule::PortChoice,
                    place!["services", id, "ports", port],
                    format!("`{first}` and `{name}` are both given the port {number}"),
                );
            }
        }
    }
}

impl<'a> Node<'a> {
    fn instances_of(&self, manifest: &ManifestId) -> Vec<&'a ServiceId> {
        let instances = self
            .services
            .iter()
            .filter(|(_, given)| given.id == *manifest);
        instances.map(|(id, _)| *id).collect()
    }

    fn off(&self, id: &ServiceId) -> bool {
        self.choices
            .services
            .get(id)
            .is_some_and(|choice| choice.enabled == Some(false))
    }

    fn external(&self, id: &ServiceId) -> bool {
        self.choices
            .services
            .get(id)
            .is_some_and(|choice| choice.external.is_some())
    }

    /// Returns who provides an edge: the operator's choice, else the only instance there is.
    fn provider(&self, consumer: &ServiceId, edge: &Name, of: &ManifestId) -> Provider<'a> {
        let chosen = self
            .choices
            .services
            .get(consumer)
            .and_then(|choice| choice.edges.get(edge));
        if let Some(chosen) = chosen {
            return Provider::One(chosen);
        }
        let mut instances = self.instances_of(of);
        if instances.len() > 1 {
            instances.retain(|id| !self.off(id));
        }
        match instances.as_slice() {
            [] => Provider::None,
            [one] => Provider::One(one),
            _ => Provider::Several(instances),
        }
    }
}

enum Provider<'a> {
    None,
    One(&'a ServiceId),
    Several(Vec<&'a ServiceId>),
}

fn check_providers(node: &Node<'_>, in_profile: &mut Findings, in_choices: &mut Findings) {
    for (id, manifest) in &node.services {
        if node.off(id) || node.external(id) {
            continue;
        }
        let (found, at) = if node.profile.services.contains_key(*id)
            && !node.choices.services.contains_key(*id)
        {
            (&mut *in_profile, place!["services", *id])
        } else {
            (&mut *in_choices, place!["services", *id])
        };
        for (name, edge) in &manifest.edges {
            if matches!(edge.to.as_str(), "internet" | "node") {
                continue;
            }
            match node.provider(id, name, &edge.to) {
                Provider::None if !edge.optional => found.add_with_hint(
                    Rule::ProviderMissing,
                    at.clone(),
                    format!(
                        "`{id}` needs an instance of `{}` for its edge `{name}`",
                        edge.to
                    ),
                    format!(
                        "add [services.{0}] with `manifest = \"{0}\"` to node.toml",
                        edge.to
                    ),
                ),
                Provider::Several(instances) => {
                    let instances: Vec<&str> =
                        instances.into_iter().map(ServiceId::as_str).collect();
                    found.add_with_hint(
                        Rule::ProviderMissing,
                        at.clone(),
                        format!(
                            "`{id}` has several providers for its edge `{name}`: {}",
                            hint::list(&instances)
                        ),
                        format!("choose one under [services.{id}.edges]"),
                    );
                }
                Provider::None | Provider::One(_) => {}
            }
        }
    }
}

/// Finds services that wait for each other at their first start. Optional edges are waited for by nobody.
fn find_circle<'a>(node: &Node<'a>) -> Option<Vec<&'a ServiceId>> {
    let mut done: BTreeSet<&ServiceId> = BTreeSet::new();
    for id in node.services.keys() {
        if let Some(circle) = walk(node, id, &mut Vec::new(), &mut done) {
            return Some(circle);
        }
    }
    None
}

fn walk<'a>(
    node: &Node<'a>,
    id: &'a ServiceId,
    above: &mut Vec<&'a ServiceId>,
    done: &mut BTreeSet<&'a ServiceId>,
) -> Option<Vec<&'a ServiceId>> {
    if let Some(start) = above.iter().position(|seen| *seen == id) {
        let mut circle = above[start..].to_vec();
        circle.push(id);
        return Some(circle);
    }
    let manifest = node.services.get(id)?;
    if done.contains(id) || node.external(id) {
        return None;
    }
    above.push(id);
    for (name, edge) in manifest.edges.iter().filter(|(_, edge)| !edge.optional) {
        if let Provider::One(provider) = node.provider(id, name, &edge.to)
            && let Some(circle) = walk(node, provider, above, done)
        {
            return Some(circle);
        }
    }
    above.pop();
    done.insert(id);
    None
}
