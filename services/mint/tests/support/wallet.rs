//! A small wallet over plain HTTP: what the tests and the load program drive a mint with.
//!
//! Owns blinding and unblinding. Deliberately uses none of cdk's wallet, so that it speaks to any mint.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, header},
};
use cdk_common::{
    dhke::{blind_message, construct_proofs},
    nuts::{BlindSignature, BlindedMessage, Id, Keys, KeysResponse, Proof, PublicKey, SecretKey},
    secret::Secret,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

/// How long a fake invoice may take to count as paid.
const PAID_WITHIN: Duration = Duration::from_secs(30);
/// The largest answer that is read.
const MOST_BYTES: usize = 16 << 20;

/// Blinded messages and what opens their signatures.
#[derive(Debug, Clone)]
pub(crate) struct Outputs {
    /// What the mint sees.
    pub(crate) messages: Vec<BlindedMessage>,
    secrets: Vec<Secret>,
    blinds: Vec<SecretKey>,
}

/// An answer of the mint.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The JSON body, or null where it was none.
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
}

impl Answer {
    /// The Cashu error code, where the mint refused.
    #[must_use]
    pub(crate) fn code(&self) -> Option<u64> {
        if self.status == 200 {
            None
        } else {
            self.body["code"].as_u64()
        }
    }
}

/// A connection that broke, so that nobody knows whether the mint acted.
#[derive(Debug)]
pub(crate) struct Broken;

/// A wallet of one mint and its active keyset.
#[derive(Debug, Clone)]
pub(crate) struct Wallet {
    client: Client<HttpConnector, Body>,
    url: String,
    keyset: Id,
    keys: Keys,
}

impl Wallet {
    /// Reads the active satoshi keyset of the mint at `url`.
    pub(crate) async fn connect(url: &str) -> Self {
        let mut wallet = Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            url: url.to_owned(),
            keyset: Id::from_bytes(&[0; 8]).expect("eight bytes are an id"),
            keys: Keys::new(BTreeMap::new()),
        };
        let answer = wallet.get("/v1/keys").await.expect("the mint answers");
        let response: KeysResponse = serde_json::from_value(answer.body).expect("keys are JSON");
        let keyset = response
            .keysets
            .into_iter()
            .find(|keyset| keyset.unit.to_string() == "sat")
            .expect("the mint has a satoshi keyset");
        wallet.keyset = keyset.id;
        wallet.keys = keyset.keys;
        wallet
    }

    /// Makes outputs of `amounts`.
    #[must_use]
    pub(crate) fn outputs(&self, amounts: &[u64]) -> Outputs {
        let mut outputs = Outputs {
            messages: Vec::new(),
            secrets: Vec::new(),
            blinds: Vec::new(),
        };
        for amount in amounts {
            let secret = Secret::generate();
            let (blinded, blind) =
                blind_message(&secret.to_bytes(), None).expect("a random secret blinds");
            outputs
                .messages
                .push(BlindedMessage::new((*amount).into(), self.keyset, blinded));
            outputs.secrets.push(secret);
            outputs.blinds.push(blind);
        }
        outputs
    }

    /// Opens the signatures in `answer`, which belong to `outputs` in order.
    #[must_use]
    pub(crate) fn open(&self, outputs: &Outputs, signatures: &Value) -> Vec<Proof> {
        let promises: Vec<BlindSignature> =
            serde_json::from_value(signatures.clone()).expect("the mint answers with signatures");
        construct_proofs(
            promises,
            outputs.blinds.clone(),
            outputs.secrets.clone(),
            &self.keys,
        )
        .expect("the signatures open")
    }

    /// Posts `body` to `path`.
    ///
    /// Errors: the connection broke.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answer, Broken> {
        self.send(Method::POST, path, body.to_string().into()).await
    }

    /// Gets `path`.
    ///
    /// Errors: the connection broke.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Broken> {
        self.send(Method::GET, path, Body::empty()).await
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> Result<Answer, Broken> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .expect("the request is well formed");
        let response = self.client.request(request).await.map_err(|_| Broken)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = to_bytes(Body::new(response.into_body()), MOST_BYTES)
            .await
            .map_err(|_| Broken)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Answer {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        })
    }

    /// Asks for an invoice over `amount_sat` and waits until it is paid; gives the quote's id.
    pub(crate) async fn paid_quote(&self, amount_sat: u64, lock: Option<&PublicKey>) -> String {
        let mut request = json!({ "amount": amount_sat, "unit": "sat" });
        if let Some(key) = lock {
            request["pubkey"] = json!(key);
        }
        let answer = self
            .post("/v1/mint/quote/bolt11", &request)
            .await
            .expect("the mint answers");
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let quote = answer.body["quote"]
            .as_str()
            .expect("a quote has an id")
            .to_owned();
        let waiting = async {
            loop {
                let answer = self
                    .get(&format!("/v1/mint/quote/bolt11/{quote}"))
                    .await
                    .expect("the mint answers");
                if answer.body["state"] == "PAID" {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PAID_WITHIN, waiting)
            .await
            .expect("the invoice is paid in time");
        quote
    }

    /// Mints proofs of `amounts`.
    pub(crate) async fn mint(&self, amounts: &[u64]) -> Vec<Proof> {
        let quote = self.paid_quote(amounts.iter().sum(), None).await;
        let outputs = self.outputs(amounts);
        let answer = self
            .post(
                "/v1/mint/bolt11",
                &json!({ "quote": quote, "outputs": outputs.messages }),
            )
            .await
            .expect("the mint answers");
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        self.open(&outputs, &answer.body["signatures"])
    }

    /// The body of a swap.
    #[must_use]
    pub(crate) fn swap_body(proofs: &[Proof], outputs: &Outputs) -> Value {
        json!({ "inputs": proofs, "outputs": outputs.messages })
    }

    /// Swaps `proofs` for `outputs`.
    ///
    /// Errors: as [`Wallet::post`].
    pub(crate) async fn swap(&self, proofs: &[Proof], outputs: &Outputs) -> Result<Answer, Broken> {
        self.post("/v1/swap", &Self::swap_body(proofs, outputs))
            .await
    }

    /// The states of `proofs`, in order: SPENT, UNSPENT or PENDING.
    pub(crate) async fn states(&self, proofs: &[Proof]) -> Vec<String> {
        let ys: Vec<PublicKey> = proofs
            .iter()
            .map(|proof| proof.y().expect("a secret is a point"))
            .collect();
        let mut states = Vec::new();
        for some in ys.chunks(200) {
            let answer = self
                .post("/v1/checkstate", &json!({ "Ys": some }))
                .await
                .expect("the mint answers");
            assert_eq!(answer.status, 200, "{:?}", answer.body);
            let list = answer.body["states"]
                .as_array()
                .expect("states are a list")
                .clone();
            let by_y: BTreeMap<String, String> = list
                .iter()
                .map(|s| {
                    (
                        s["Y"].as_str().unwrap_or_default().to_owned(),
                        s["state"].as_str().unwrap_or_default().to_owned(),
                    )
                })
                .collect();
            states.extend(
                some.iter()
                    .map(|y| by_y.get(&y.to_string()).cloned().unwrap_or_default()),
            );
        }
        states
    }

    /// Asks again for the signatures of `outputs` (NUT-09); none where the mint never signed them.
    pub(crate) async fn restore(&self, outputs: &Outputs) -> Option<Vec<Proof>> {
        let answer = self
            .post("/v1/restore", &json!({ "outputs": outputs.messages }))
            .await
            .expect("the mint answers");
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let found = answer.body["signatures"].as_array().map_or(0, Vec::len);
        assert!(
            found == 0 || found == outputs.messages.len(),
            "a swap is signed whole or not at all"
        );
        (found > 0).then(|| self.open(outputs, &answer.body["signatures"]))
    }
}
