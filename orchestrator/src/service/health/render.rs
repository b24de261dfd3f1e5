//! Owns the rendering of what the node asks and says. It is the one place here that knows the template engine.

use minijinja::Environment;
use minijinja::UndefinedBehavior;
use serde_json::Value;

/// Renders `source`. Errors: the engine's, which the caller must not show: it may quote a value.
pub(super) fn text(source: &str, context: &Value) -> Result<String, minijinja::Error> {
    environment().render_str(source, minijinja::value::Serde(context))
}

/// Returns the names at the beginning of each variable that `source` reads.
pub(super) fn names_read(source: &str) -> Vec<String> {
    let environment = environment();
    let Ok(template) = environment.template_from_str(source) else {
        return Vec::new();
    };
    template.undeclared_variables(false).into_iter().collect()
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}
