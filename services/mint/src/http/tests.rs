use super::escape;

#[test]
fn escaped_text_holds_no_markup_and_no_placeholder() {
    assert_eq!(
        escape("<a href=\"x\">&@URL@"),
        "&lt;a href=&quot;x&quot;&gt;&amp;&#64;URL&#64;"
    );
}
