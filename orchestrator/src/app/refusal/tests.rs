use super::refuse_set;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::choices::SetError;

#[test]
fn what_may_have_been_meant_is_said_once_and_as_the_next_thing_to_do() {
    let hint = "did you mean `mint`?".to_owned();
    let service = ServiceId::new("mnt").unwrap();
    let refusal = refuse_set(&SetError::Service {
        service,
        hint: hint.clone(),
    });
    assert!(!refusal.message.contains("did you mean"));
    assert_eq!(refusal.hint, hint);
    let refusal = refuse_set(&SetError::Setting {
        service: ServiceId::new("mint").unwrap(),
        setting: Name::new("nam").unwrap(),
        hint: "did you mean `name`?".to_owned(),
    });
    assert!(!refusal.message.contains("did you mean"));
    assert!(refusal.hint.starts_with("did you mean `name`?"));
    assert!(refusal.hint.contains("`flash-node set mint`"));
}
