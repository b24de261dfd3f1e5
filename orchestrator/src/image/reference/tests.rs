use super::*;

const HEX: &str = "da25cedc66b1daefff9f412ee196c901a899c3fa68a33b20849c3e08b5c40d63";

#[test]
fn every_kind_of_name_reads_back_as_it_was_written() {
    for text in [
        format!("docker.io/bitcoin/bitcoin@sha256:{HEX}"),
        format!("127.0.0.1:5000/lnd@sha256:{HEX}"),
        format!("sha256:{HEX}"),
        format!("self:flash-relay@sha256:{HEX}"),
    ] {
        let read = ImageReference::parse(&text).unwrap();
        assert_eq!(read.to_string(), text);
    }
}

#[test]
fn a_name_that_does_not_pin_its_content_is_refused() {
    for text in [
        "docker.io/bitcoin/bitcoin:31.1".to_owned(),
        "bitcoin".to_owned(),
        "sha256:12".to_owned(),
        format!("bitcoin@sha256:{}", HEX.to_uppercase()),
        format!("@sha256:{HEX}"),
        format!("self:@sha256:{HEX}"),
        format!("self:../sh@sha256:{HEX}"),
        format!("bit coin@sha256:{HEX}"),
    ] {
        let refused = ImageReference::parse(&text).unwrap_err();
        assert!(refused.to_string().contains("64 hex digits"), "{refused}");
    }
}
