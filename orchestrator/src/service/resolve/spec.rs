//! Owns the last step: one service's variables and templates become its specification.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::Interface;
use crate::manifest::schema::NetworkKey;
use crate::manifest::template::templates;
use crate::manifest::template::variables_read;
use crate::secret::SecretRef;
use crate::service::desired::DesiredService;
use crate::service::desired::Wanted;
use crate::service::hash::spec_hash;
use crate::service::render::RenderError;
use crate::service::render::Scope;
use crate::service::resolve::Problem;
use crate::service::resolve::ResolveError;
use crate::service::resolve::bond;
use crate::service::resolve::bond::Provider;
use crate::service::resolve::compose::Part;
use crate::service::resolve::scope::Plot;
use crate::service::resolve::scope::password_file;
use crate::service::resolve::scope::provided_file;
use crate::service::spec::ConsumerSpec;
use crate::service::spec::EdgeSpec;
use crate::service::spec::LimitSpec;
use crate::service::spec::Listener;
use crate::service::spec::ProgramSpec;
use crate::service::spec::ProvidedFile;
use crate::service::spec::ServiceSpec;
use crate::service::spec::StopSpec;
use crate::service::spec::VolumeSpec;

/// Decides what becomes of one service. Errors: everything that is wrong with it.
pub(crate) fn desired_service(
    plot: &Plot<'_>,
    service: &ServiceId,
    part: &Part<'_>,
) -> Result<(DesiredService, Option<Scope>), Vec<ResolveError>> {
    let fail = |problem| vec![ResolveError::new(service, problem)];
    let mut desired = DesiredService {
        manifest: part.manifest.id.clone(),
        title: part.manifest.title.clone(),
        wanted: Wanted::External,
        endpoints: Vec::new(),
        addresses: BTreeMap::new(),
        node_credentials: BTreeMap::new(),
        node_users: BTreeMap::new(),
        settings: part.settings.clone(),
    };
    if let Some(held) = plot.held.get(service) {
        desired.wanted = Wanted::HeldBack {
            code: held.code(),
            text: held.text.clone(),
        };
        return Ok((desired, None));
    }
    for (interface, login) in plot.node_logins(service) {
        desired.node_users.insert(interface.clone(), login.user);
        desired.node_credentials.insert(interface, login.secret);
    }
    if let Some(external) = part.external {
        desired.addresses = external.addresses.clone();
        // Only what the operator gave an address to can be shown.
        desired.endpoints = plot.endpoints(service).unwrap_or_default();
        return Ok((desired, None));
    }
    desired.endpoints = plot.endpoints(service).map_err(fail)?;
    for port in part.manifest.ports.keys() {
        if let Some(address) = plot.node_reaches(service, port).map_err(fail)? {
            desired.addresses.insert(port.clone(), address);
        }
    }
    check_probes(part, &desired.addresses).map_err(fail)?;
    let scope = plot.scope(service).map_err(fail)?;
    let spec = service_spec(plot, service, part, &scope, &desired.addresses)?;
    desired.wanted = Wanted::Run {
        hash: spec_hash(&spec),
        spec: Box::new(spec),
    };
    Ok((desired, Some(scope)))
}

fn service_spec(
    plot: &Plot<'_>,
    service: &ServiceId,
    part: &Part<'_>,
    scope: &Scope,
    addresses: &BTreeMap<Name, std::net::SocketAddr>,
) -> Result<ServiceSpec, Vec<ResolveError>> {
    let manifest = part.manifest;
    let texts = render(service, part, scope)?;
    let listeners = manifest
        .ports
        .iter()
        .filter_map(|(name, port)| {
            let address = addresses.get(name)?;
            let listener = Listener {
                host: address.ip(),
                port: address.port(),
                public: port.public,
            };
            Some((name.clone(), listener))
        })
        .collect();
    let fail = |problem| vec![ResolveError::new(service, problem)];
    let secrets = secret_files(plot, service, &texts).map_err(fail)?;
    Ok(ServiceSpec {
        id: service.clone(),
        manifest: manifest.id.clone(),
        program: ProgramSpec {
            command: manifest.program.command.clone(),
            image: plot.image(part),
            args: texts.args,
            env: texts.env,
            listen: manifest.program.listen,
            folder: plot.folder(part),
        },
        files: texts.files,
        secrets,
        volumes: volumes(plot, service, part),
        listeners,
        provided: provided(plot, service).map_err(fail)?,
        network: plot.network(service).map_err(fail)?,
        edges: edges(plot, service),
        consumers: consumers(plot, service, &manifest.interfaces),
        stop: StopSpec {
            signal: manifest.program.stop_signal,
            grace_seconds: manifest.program.stop_grace_seconds,
        },
        limits: LimitSpec {
            memory_mib: plot.inputs.memory_class.pick(manifest.limits.memory_mib),
            pids: manifest.limits.pids,
        },
    })
}

/// What a service's templates became.
struct Texts {
    args: Vec<String>,
    env: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

fn render(service: &ServiceId, part: &Part<'_>, scope: &Scope) -> Result<Texts, Vec<ResolveError>> {
    let mut errors = Vec::new();
    let mut keep = |place: String, rendered: Result<String, RenderError>| {
        rendered.unwrap_or_else(|problem| {
            errors.push(ResolveError::new(
                service,
                Problem::Template { place, problem },
            ));
            String::new()
        })
    };
    let program = &part.manifest.program;
    let args = (1..)
        .zip(&program.args)
        .map(|(number, arg)| keep(format!("argument {number}"), scope.word(arg)))
        .collect();
    let env = program
        .env
        .iter()
        .map(|(name, value)| {
            let place = format!("environment variable {name}");
            (name.clone(), keep(place, scope.word(value)))
        })
        .collect();
    let files = part
        .manifest
        .files
        .values()
        .map(|file| {
            let place = format!("file {}", file.name);
            (file.name.clone(), keep(place, scope.file(&file.template)))
        })
        .collect();
    // Arguments of init jobs are no part of the specification; here they are only tried.
    let jobs = part.manifest.init.iter();
    for (name, step) in jobs.flat_map(|job| job.steps.iter().map(move |step| (&job.name, step))) {
        for arg in step.run.iter().flat_map(|run| &run.args) {
            keep(format!("init job {name}"), scope.word(arg));
        }
    }
    if errors.is_empty() {
        Ok(Texts { args, env, files })
    } else {
        Err(errors)
    }
}

/// Lists the secrets that the service gets as files: its own, and the password of each edge whose path is named.
fn secret_files(
    plot: &Plot<'_>,
    service: &ServiceId,
    texts: &Texts,
) -> Result<BTreeMap<String, SecretRef>, Problem> {
    let mut secrets = BTreeMap::new();
    let mut add = |name: String, secret: SecretRef| {
        if texts.files.contains_key(&name) || secrets.contains_key(&name) {
            return Err(Problem::FileTwice { name });
        }
        secrets.insert(name, secret);
        Ok(())
    };
    for (name, secret) in plot.own_files(service) {
        add(name, secret)?;
    }
    let read: BTreeSet<String> = templates(plot.parts[service].manifest)
        .iter()
        .flat_map(|template| variables_read(template.source))
        .collect();
    for bond in plot.present(service) {
        let Provider::Service { id, .. } = &bond.provider else {
            continue;
        };
        let Some(login) = bond::login(plot.inputs, &plot.parts[id], &bond.id) else {
            continue;
        };
        if read.contains(&format!("edge.{}.password_path", bond.name)) {
            add(password_file(bond.name), login.secret)?;
        }
    }
    Ok(secrets)
}

/// Lists the copies that the service gets of files that only its providers can make.
fn provided(
    plot: &Plot<'_>,
    service: &ServiceId,
) -> Result<BTreeMap<String, ProvidedFile>, Problem> {
    let mut files = BTreeMap::new();
    if !plot.separated() {
        return Ok(files);
    }
    for bond in plot.present(service) {
        if let Provider::Service { id, interface } = &bond.provider
            && let Some(file) = plot.provider_file(id, interface)?
        {
            files.insert(provided_file(bond.name), file);
        }
    }
    Ok(files)
}

/// Refuses a probe of a port that the node cannot reach.
fn check_probes(
    part: &Part<'_>,
    addresses: &BTreeMap<Name, std::net::SocketAddr>,
) -> Result<(), Problem> {
    let asked = part.manifest.probes.values();
    let steps = part.manifest.init.iter().flat_map(|job| &job.steps);
    let asked = asked.chain(steps.filter_map(|step| step.ask.as_ref()));
    for port in asked.filter_map(|probe| probe.port.as_ref()) {
        if !addresses.contains_key(port) {
            return Err(Problem::Unprobeable { port: port.clone() });
        }
    }
    Ok(())
}

fn volumes(plot: &Plot<'_>, service: &ServiceId, part: &Part<'_>) -> BTreeMap<Name, VolumeSpec> {
    let network = NetworkKey::from(plot.inputs.profile.network);
    part.manifest
        .volumes
        .iter()
        .map(|(name, volume)| {
            let (path, root) = plot.volume(service, name);
            let needs_mib = volume
                .needs_mib
                .get(&network)
                .or_else(|| volume.needs_mib.get(&NetworkKey::Default))
                .copied()
                .unwrap_or(0);
            let spec = VolumeSpec {
                path,
                root,
                class: volume.class,
                needs_mib,
            };
            (name.clone(), spec)
        })
        .collect()
}

fn edges(plot: &Plot<'_>, service: &ServiceId) -> Vec<EdgeSpec> {
    let mut edges: Vec<EdgeSpec> = plot
        .present(service)
        .map(|bond| EdgeSpec {
            id: bond.id.clone(),
            on_loss: bond.edge.on_loss,
            waits_for: bond.edge.waits_for,
            optional: bond.edge.optional,
            allow: bond.edge.allow.clone(),
            credential: match &bond.provider {
                Provider::Internet | Provider::Node { .. } => None,
                Provider::Service { id, .. } => {
                    bond::login(plot.inputs, &plot.parts[id], &bond.id).map(|login| login.secret)
                }
            },
        })
        .collect();
    edges.sort_by(|a, b| a.id.cmp(&b.id));
    edges
}

fn consumers(
    plot: &Plot<'_>,
    service: &ServiceId,
    interfaces: &BTreeMap<Name, Interface>,
) -> Vec<ConsumerSpec> {
    let mut consumers: Vec<ConsumerSpec> = interfaces
        .iter()
        .flat_map(|(name, interface)| {
            plot.consumers(service, name)
                .into_iter()
                .map(|consumer| ConsumerSpec {
                    id: consumer.id,
                    kind: interface.credential,
                    allow: consumer.allow.to_vec(),
                    credential: consumer.login.map(|login| login.secret),
                })
        })
        .collect();
    consumers.sort_by(|a, b| a.id.cmp(&b.id));
    consumers
}
