use super::*;

fn sh(script: &str, timeout: Duration) -> io::Result<String> {
    run_for_output(
        Path::new("/bin/sh"),
        &["-c".to_owned(), script.to_owned()],
        timeout,
    )
}

#[test]
fn both_outputs_are_returned_whatever_the_exit_code() {
    let answer = sh("echo one; echo two >&2; exit 3", Duration::from_secs(20)).unwrap();
    assert_eq!(answer, "one\ntwo\n");
}

#[test]
fn nothing_of_the_environment_is_inherited() {
    let answer = sh("env", Duration::from_secs(20)).unwrap();
    assert!(
        answer.contains("PATH=/usr/local/bin:/usr/bin:/bin\n"),
        "{answer}"
    );
    assert!(!answer.contains("CARGO"), "{answer}");
}

#[test]
fn program_that_hangs_is_killed_with_its_children() {
    let clock = SystemClock::new();
    let error = sh("sleep 600 & sleep 600", Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(clock.monotonic() < Duration::from_secs(60));
}

#[test]
fn child_that_keeps_the_output_open_is_not_waited_for() {
    let answer = sh("sleep 600 & echo done", Duration::from_secs(60)).unwrap();
    assert_eq!(answer, "done\n");
}

#[test]
fn missing_program_is_an_error() {
    let error =
        run_for_output(Path::new("/nonexistent/x"), &[], Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
