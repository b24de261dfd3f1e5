use serde_json::json;

use super::RenderError;
use super::Scope;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::service::marker::Form;
use crate::service::marker::marker;

fn secret(key: &str) -> SecretRef {
    SecretRef {
        key: SecretKey(key.to_owned()),
        generation: 1,
    }
}

/// A scope with a port, a setting and one secret of its own.
fn scope() -> Scope {
    let own = secret("service/a/seed");
    let mut scope = Scope::default();
    scope.set("service", "a");
    scope.set_in("port", "rpc", 8332);
    scope.set_in("setting", "name", "plain & simple");
    scope.set_in(
        "secret",
        "seed",
        json!({ "value": marker(&own, Form::Plain) }),
    );
    scope.allow(own);
    scope
}

#[test]
fn values_stand_as_they_are_and_the_last_line_keeps_its_end() {
    let text = scope().file("{{ service }} {{ port.rpc }} {{ setting.name }}\n");
    assert_eq!(text.as_deref(), Ok("a 8332 plain & simple\n"));
}

#[test]
fn a_name_outside_the_set_is_an_error() {
    for template in [
        "{{ nothing }}",
        "{{ port.zmq }}",
        "{% if setting.absent %}x{% endif %}",
    ] {
        assert!(
            matches!(scope().file(template), Err(RenderError::Template(_))),
            "{template}"
        );
    }
}

#[test]
fn a_secret_may_be_written_or_encoded_and_nothing_else() {
    let plain = scope().file("{{ secret.seed.value }}");
    assert_eq!(plain.as_deref(), Ok("⟦service/a/seed#1:plain⟧"));
    let encoded = scope().file("{{ secret.seed.value | base64 }}");
    assert_eq!(encoded.as_deref(), Ok("⟦service/a/seed#1:base64⟧"));
    for spoilt in ["upper", "replace('#', '')", "replace('⟦', '')", "first"] {
        let template = format!("{{{{ secret.seed.value | {spoilt} }}}}");
        assert!(scope().file(&template).is_err(), "{template}");
    }
}

#[test]
fn base64_of_a_text_that_only_holds_a_secret_is_refused() {
    let error = scope().file("{{ ('user:' ~ secret.seed.value) | base64 }}");
    assert!(matches!(error, Err(RenderError::Template(_))), "{error:?}");
    let plain = scope().file("{{ 'user:pass' | base64 }}");
    assert_eq!(plain.as_deref(), Ok("dXNlcjpwYXNz"));
}

#[test]
fn a_marker_written_by_hand_gives_nobody_a_foreign_secret() {
    let stolen = marker(&secret("service/lnd/wallet_password"), Form::Plain);
    assert_eq!(
        scope().file(&format!("x={stolen}")),
        Err(RenderError::ForeignSecret(secret(
            "service/lnd/wallet_password"
        )))
    );
    let mut scope = scope();
    scope.set_in("setting", "name", stolen);
    assert!(matches!(
        scope.file("{{ setting.name }}"),
        Err(RenderError::ForeignSecret(_))
    ));
}

#[test]
fn an_argument_holds_neither_a_secret_nor_a_second_line() {
    assert_eq!(
        scope().word("--seed={{ secret.seed.value }}"),
        Err(RenderError::ExposedSecret)
    );
    assert_eq!(
        scope().word("a\nb"),
        Err(RenderError::ControlCharacter('\n'))
    );
    assert_eq!(
        scope().word("--port={{ port.rpc }}").as_deref(),
        Ok("--port=8332")
    );
}

#[test]
fn a_file_holds_no_control_character_but_the_end_of_a_line() {
    assert_eq!(
        scope().file("a\u{0}b"),
        Err(RenderError::ControlCharacter('\u{0}'))
    );
    assert_eq!(scope().file("a\n\tb").as_deref(), Ok("a\n\tb"));
}

#[test]
fn a_boolean_is_written_as_configuration_files_have_it() {
    let mut scope = scope();
    scope.set_in("setting", "on", true);
    assert_eq!(
        scope
            .file("{{ setting.on }} {{ not setting.on }}")
            .as_deref(),
        Ok("true false")
    );
}
