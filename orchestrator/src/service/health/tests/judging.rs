//! Tables for every kind of condition, and for the order of rules.

use serde_json::json;

use super::*;
use crate::service::health::judge::Truth;
use crate::service::health::judge::all;
use crate::service::probe::Answer;
use crate::service::probe::ProbeError;

fn answer(status: Option<u16>, text: &str) -> Asked {
    Asked::Answer(Answer {
        reached: true,
        status,
        json: serde_json::from_str(text).ok(),
        text: text.to_owned(),
        error: None,
    })
}

fn answers() -> BTreeMap<Name, Asked> {
    let numbers = r#"{"result":{"blocks":7,"share":0.5,"long":"7","big":"9007199254740993","yes":true,"none":null},"error":null}"#;
    BTreeMap::from([
        (name("json"), answer(Some(200), numbers)),
        (name("plain"), answer(Some(503), "not yet")),
        (name("denied"), answer(Some(401), "")),
        (
            name("silent"),
            Asked::Answer(Answer::missing(ProbeError::Timeout)),
        ),
        (name("sealed"), Asked::Withheld(Withheld::Sealed)),
    ])
}

fn condition(text: &str) -> Condition {
    toml::from_str(text).unwrap()
}

#[test]
fn each_condition_holds_exactly_where_it_should() {
    let table = [
        ("probe = 'json'\nanswered = true", true),
        ("probe = 'json'\nanswered = false", false),
        ("probe = 'plain'\nanswered = true", true),
        ("probe = 'silent'\nanswered = true", false),
        ("probe = 'silent'\nanswered = false", true),
        ("probe = 'json'\nstatus = 200", true),
        ("probe = 'plain'\nstatus = 200", false),
        ("probe = 'plain'\ncontains = 'not'", true),
        ("probe = 'plain'\ncontains = 'ready'", false),
        ("probe = 'silent'\ncontains = ''", false),
        (
            "probe = 'json'\npointer = '/result/blocks'\nexists = true",
            true,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nexists = false",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/nothing'\nexists = false",
            true,
        ),
        ("probe = 'json'\npointer = '/error'\nexists = false", true),
        (
            "probe = 'json'\npointer = '/result/none'\nexists = true",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nequals = 7",
            true,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nequals = 7.0",
            true,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nequals = 8",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nequals = '7'",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/yes'\nequals = true",
            true,
        ),
        (
            "probe = 'json'\npointer = '/result/nothing'\nequals = true",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\ndiffers = 8",
            true,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\ndiffers = 7",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/nothing'\ndiffers = 7",
            true,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nat_least = 7.0",
            true,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nat_least = 7.5",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/long'\nat_least = 7.0",
            true,
        ),
        (
            "probe = 'json'\npointer = '/result/yes'\nat_least = 0.0",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/nothing'\nat_most = 7.0",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/share'\nat_most = 0.5",
            true,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nat_most = 6.0",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nsame_as = { probe = 'json', pointer = '/result/long' }",
            true,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nsame_as = { probe = 'json', pointer = '/result/share' }",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/nothing'\nsame_as = { probe = 'json', pointer = '/nothing' }",
            false,
        ),
        (
            "probe = 'json'\npointer = '/result/blocks'\nsame_as = { probe = 'silent', pointer = '' }",
            false,
        ),
        // Two conditions in one must both hold.
        (
            "probe = 'json'\nstatus = 200\npointer = '/result/blocks'\nequals = 8",
            false,
        ),
        // A probe that was not asked, and a condition that asks nothing.
        ("probe = 'unknown'\nanswered = false", false),
        ("probe = 'json'", false),
    ];
    for (text, wanted) in table {
        let holds = all(&[condition(text)], &answers()) == Truth::True;
        assert_eq!(holds, wanted, "{text}");
    }
}

#[test]
fn nothing_but_its_own_absence_is_ever_true_of_a_silence() {
    for condition_text in [
        "pointer = '/a'\nexists = false",
        "pointer = '/a'\ndiffers = 1",
        "contains = ''",
        "pointer = ''\nsame_as = { probe = 'silent', pointer = '' }",
        "answered = false\npointer = '/a'\nexists = false",
    ] {
        let condition = condition(&format!("probe = 'silent'\n{condition_text}"));
        assert_eq!(
            all(&[condition], &answers()),
            Truth::False,
            "{condition_text}"
        );
    }
}

#[test]
fn an_answer_that_is_not_json_has_no_value_that_could_be_absent() {
    for probe in ["plain", "denied"] {
        for condition_text in ["exists = false", "differs = 1"] {
            let text = format!("probe = '{probe}'\npointer = '/error'\n{condition_text}");
            assert_eq!(all(&[condition(&text)], &answers()), Truth::False, "{text}");
        }
    }
}

fn rules(text: &str) -> Vec<Rule> {
    #[derive(serde::Deserialize)]
    struct Rules {
        rule: Vec<Rule>,
    }
    toml::from_str::<Rules>(text).unwrap().rule
}

fn verdict(text: &str) -> Signal {
    judge(
        &rules(text),
        &answers(),
        &BTreeMap::from([(name("word"), json!("hello"))]),
    )
}

#[test]
fn the_first_rule_that_holds_decides() {
    let signal = verdict(
        "[[rule]]\nwhen = [{ probe = 'json', status = 500 }]\nok = false\ncode = 'bad'\ntext = 'x'\n\
         [[rule]]\nwhen = [{ probe = 'json', status = 200 }]\nok = true\ncode = 'good'\ntext = 'Block {{ json.result.blocks }}, {{ setting.word }}, {{ plain }}.'\n\
         [[rule]]\ncode = 'last'\ntext = 'x'\n",
    );
    assert_eq!(
        signal,
        Signal::new(Some(true), "good", "Block 7, hello, not yet.")
    );
}

#[test]
fn what_no_rule_covers_is_not_knowable() {
    let signal = verdict(
        "[[rule]]\nwhen = [{ probe = 'json', status = 500 }]\nok = true\ncode = 'x'\ntext = 'x'\n",
    );
    assert_eq!((signal.ok, signal.code.as_str()), (None, "undecided"));
}

#[test]
fn a_sealed_probe_stops_the_search_unless_its_rule_is_out_anyway() {
    let hangs = "[[rule]]\nwhen = [{ probe = 'sealed', answered = true }, { probe = 'json', status = 200 }]\nok = false\ncode = 'x'\ntext = 'x'\n";
    let out = "[[rule]]\nwhen = [{ probe = 'sealed', answered = true }, { probe = 'json', status = 500 }]\nok = false\ncode = 'x'\ntext = 'x'\n";
    let last = "[[rule]]\nok = true\ncode = 'good'\ntext = 'x'\n";
    let signal = verdict(&format!("{hangs}{last}"));
    assert_eq!((signal.ok, signal.code.as_str()), (None, "sealed"));
    let signal = verdict(&format!("{out}{last}"));
    assert_eq!((signal.ok, signal.code.as_str()), (Some(true), "good"));
}

#[test]
fn a_sentence_that_cannot_be_rendered_becomes_a_plain_one() {
    for text in [
        "{{ silent.a.b }}",
        "{{ json.nothing.at.all }}",
        "{{ broken",
        "{{ 1 | nofilter }}",
        "{% for x in %}",
    ] {
        let signal = verdict(&format!(
            "[[rule]]\nok = true\ncode = 'all_good'\ntext = '{text}'\n"
        ));
        assert_eq!(signal.text, "The service reports all good.", "{text}");
        assert_eq!(signal.ok, Some(true));
    }
}

#[test]
fn a_sentence_is_short_and_on_one_line() {
    let mut answers = answers();
    answers.insert(name("long"), answer(None, &"x".repeat(10_000)));
    let rules = rules("[[rule]]\ncode = 'x'\ntext = '{{ long }}'\n");
    let signal = judge(&rules, &answers, &BTreeMap::new());
    assert_eq!(signal.text.len(), 400);
    answers.insert(name("long"), answer(None, "a\nFAKE LOG LINE\u{1b}[31m"));
    let signal = judge(&rules, &answers, &BTreeMap::new());
    assert!(!signal.text.contains(char::is_control), "{:?}", signal.text);
}
