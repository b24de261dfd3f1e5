use serde_json::json;

use super::Scope;
use super::TemplateError;
use super::check_template;
use super::render;
use crate::manifest::schema::Manifest;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::service::marker;
use crate::service::marker::Form;

fn manifest() -> Manifest {
    let text = include_str!("../../../../manifests/examples/maximal.toml");
    crate::manifest::parse(text, "maximal.toml").unwrap()
}

#[test]
fn a_value_with_a_control_character_is_refused() {
    for value in ["a\nlisten=1", "a\rb", "a\u{1b}[2J", "a\0"] {
        let rendered = render("name = {{ name }}", json!({ "name": value }));
        assert_eq!(
            rendered,
            Err(TemplateError::Fails(
                "invalid operation, a value holds a control character".to_owned()
            )),
            "{value:?}"
        );
    }
    // As JSON text it is escaped, so that it stays on its line.
    let rendered = render("name = {{ name | tojson }}", json!({ "name": "a\nb" }));
    assert_eq!(rendered.as_deref(), Ok("name = \"a\\nb\""));
}

#[test]
fn a_missing_value_is_an_error_that_names_no_value() {
    let rendered = render(
        "{{ secret.other }}",
        json!({ "secret": { "word": "hunter2" } }),
    );
    let Err(TemplateError::Fails(text)) = rendered else {
        panic!("{rendered:?}")
    };
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn an_error_never_quotes_a_value() {
    for source in [
        "{{ word | base64_to_hex }}",
        "{{ word | percent }}",
        "{{ word | int }}",
        "{{ word / 2 }}",
    ] {
        let rendered = render(source, json!({ "word": "hunter2" }));
        let Err(TemplateError::Fails(text)) = rendered else {
            panic!("{source}: {rendered:?}")
        };
        assert!(!text.contains("hunter2"), "{source}: {text}");
    }
}

#[test]
fn percent_rounds_down_so_that_all_means_all() {
    for (share, percent) in [
        (0.1234, "12.3"),
        (0.9999, "99.9"),
        (1.0, "100.0"),
        (0.0, "0.0"),
    ] {
        let rendered = render("{{ share | percent }}", json!({ "share": share }));
        assert_eq!(rendered.as_deref(), Ok(percent));
    }
}

#[test]
fn base64_of_a_marker_marks_the_encoded_secret() {
    let secret = SecretRef {
        key: SecretKey("service/lnd/wallet_password".to_owned()),
        generation: 1,
    };
    let context = json!({ "word": marker::marker(&secret, Form::Plain) });
    let rendered = render("{{ word | base64 }}", &context).unwrap();
    assert_eq!(rendered, marker::marker(&secret, Form::Base64));
    // A text around a marker cannot be encoded before the value is there.
    assert!(render("{{ ('user:' ~ word) | base64 }}", &context).is_err());
    assert_eq!(
        render("{{ 'user' | base64 }}", json!({})).as_deref(),
        Ok("dXNlcg==")
    );
    assert_eq!(
        render("{{ '3q2+7w==' | base64_to_hex }}", json!({})).as_deref(),
        Ok("deadbeef")
    );
}

#[test]
fn switches_are_written_in_lower_case() {
    let context = json!({ "on": true, "off": false });
    assert_eq!(
        render("{{ on }} {{ off }}", context).as_deref(),
        Ok("true false")
    );
}

#[test]
fn lines_that_hold_a_block_alone_leave_nothing_behind() {
    let source = "a\n{% for x in list %}\n  {% if x %}\n{{ x }}\n  {% endif %}\n{% endfor %}\nb\n";
    assert_eq!(
        render(source, json!({ "list": [1, 2] })).as_deref(),
        Ok("a\n1\n2\nb\n")
    );
}

#[test]
fn each_scope_reads_its_own_variables_only() {
    let manifest = manifest();
    let check = |scope, source| check_template(&manifest, scope, source);
    for (scope, source) in [
        (
            Scope::Argument,
            "{{ port.http }} {{ bind.http }} {{ volume.data.path }} {{ secret.key.path }}",
        ),
        (
            Scope::File,
            "{{ secret.key.value }} {{ edge.chain.password }} {{ edge.chain.ports.zmq_block }}",
        ),
        (
            Scope::File,
            "{% for c in interface.api.consumers %}{{ c.user }}:{{ c.password }}{% endfor %}",
        ),
        (
            Scope::Ask,
            "{{ node_credential.api.user }} {{ node_credential.api.password }}",
        ),
        (
            Scope::Text,
            "{{ status.any.thing[0].there | percent }} {{ setting.name }}",
        ),
    ] {
        assert_eq!(check(scope, source), Ok(()), "{source}");
    }
    for source in [
        "{{ secret.key.value }}",
        "{{ edge.chain.password }}",
        "{{ interface.api.consumers }}",
    ] {
        assert!(
            matches!(
                check(Scope::Argument, source),
                Err(TemplateError::Secret { .. })
            ),
            "{source}"
        );
    }
    for (scope, source) in [
        (Scope::Argument, "{{ node_credential.api.password }}"),
        (Scope::File, "{{ edge }}"),
        (Scope::File, "{{ edge.chain }}"),
        (Scope::File, "{% set e = edge.chain %}{{ e.password }}"),
        (Scope::File, "{{ edge['chain']['password'] }}"),
        (Scope::File, "{{ range(9) }}"),
        (Scope::Text, "{{ secret.key.value }}"),
        (Scope::Text, "{{ other.answer }}"),
    ] {
        assert!(
            matches!(check(scope, source), Err(TemplateError::Unknown { .. })),
            "{source}"
        );
    }
    for (scope, source) in [
        (
            Scope::File,
            "{% for c in interface.api.consumers %}{{ c.shoe_size }}{% endfor %}",
        ),
        (Scope::File, "{{ edge.tor.host }}"),
        (Scope::Text, "{{ status.share | per_cent }}"),
    ] {
        assert!(
            matches!(check(scope, source), Err(TemplateError::Fails(_))),
            "{source}"
        );
    }
}
