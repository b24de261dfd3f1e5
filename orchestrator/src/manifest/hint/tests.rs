use super::among;
use super::nearest;

#[test]
fn the_nearest_word_is_found_across_typos_and_swaps() {
    for (wrong, meant) in [
        ("sumary", "summary"),
        ("titel", "title"),
        ("prots", "ports"),
    ] {
        assert_eq!(nearest(wrong, ["summary", "title", "ports"]), Some(meant));
    }
    assert_eq!(nearest("zebra", ["summary", "title"]), None);
}

#[test]
fn a_hint_lists_what_is_known_where_nothing_is_near() {
    assert_eq!(
        among("port", "zebra", ["rpc", "p2p"]),
        "known here: `p2p`, `rpc`"
    );
    assert_eq!(among("port", "zebra", []), "no port is declared here");
}
