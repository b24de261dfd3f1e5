//! Owns an authenticator made of software, for tests: it makes keys, verifies its user, counts, and signs with ES256.
//!
//! Source: Web Authentication Level 3, sections 6.1 (authenticator data), 6.5.4 (attestation `none`) and 5.8.1 (client
//! data); RFC 9053, section 7.1.1 for the shape of its public keys.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use ring::signature::EcdsaKeyPair;
use ring::signature::KeyPair as _;
use serde_json::Value;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// An authenticator with one key, in the browser of one page.
pub(crate) struct Authenticator {
    /// The page that asks it.
    pub(crate) origin: String,
    /// The RP ID that it signs for.
    pub(crate) site: String,
    /// Whether it verifies its user.
    pub(crate) verifies: bool,
    /// How often it signed.
    pub(crate) counter: u32,
    /// Whether the page was in a frame of another site.
    pub(crate) embedded: bool,
    pub(crate) handle: Vec<u8>,
    /// For whom the key was made.
    pub(crate) user: String,
    pub(crate) key: EcdsaKeyPair,
}

impl Authenticator {
    pub(crate) fn at(origin: &str, site: &str) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, made.as_ref(), &random)
            .unwrap();
        let handle = Sha256::digest(key.public_key().as_ref()).to_vec();
        Self {
            origin: origin.to_owned(),
            site: site.to_owned(),
            verifies: true,
            counter: 0,
            embedded: false,
            handle,
            user: String::new(),
            key,
        }
    }

    /// Makes its key known. Shape: `RegistrationResponseJSON`.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        self.user = text(&options["user"]["id"]);
        let mut data = self.data(ATTESTED);
        // No maker's id, then the handle and the key.
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&u16::try_from(self.handle.len()).unwrap().to_be_bytes());
        data.extend_from_slice(&self.handle);
        data.extend_from_slice(&self.public_key());
        // CBOR: {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend_from_slice(&data);
        let client = self.client("webauthn.create", options);
        json!({
            "id": BASE64.encode(&self.handle),
            "rawId": BASE64.encode(&self.handle),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {"credProps": {"rk": true}},
            "response": {
                "attestationObject": BASE64.encode(object),
                "clientDataJSON": BASE64.encode(client),
                "transports": ["internal", "smart-card"],
            },
        })
    }

    /// Shows that it has the key. Shape: `AuthenticationResponseJSON`.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        self.counter += 1;
        let data = self.data(0);
        let client = self.client("webauthn.get", options);
        let mut signed = data.clone();
        signed.extend_from_slice(&Sha256::digest(&client));
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": BASE64.encode(&self.handle),
            "rawId": BASE64.encode(&self.handle),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "authenticatorData": BASE64.encode(data),
                "clientDataJSON": BASE64.encode(client),
                "signature": BASE64.encode(signature.as_ref()),
                "userHandle": self.user,
            },
        })
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let verified = if self.verifies { VERIFIED } else { 0 };
        let mut data = Sha256::digest(self.site.as_bytes()).to_vec();
        data.push(PRESENT | verified | more);
        data.extend_from_slice(&self.counter.to_be_bytes());
        data
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let client = json!({
            "type": kind,
            "challenge": text(&options["challenge"]),
            "origin": self.origin,
            "crossOrigin": self.embedded,
        });
        client.to_string().into_bytes()
    }

    /// As COSE writes it: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let mut key = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".to_vec();
        key.extend_from_slice(&point[1..33]);
        key.extend_from_slice(b"\x22\x58\x20");
        key.extend_from_slice(&point[33..]);
        key
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
