//! Owns the SQL probe: one query at a Postgres server, one row, one column, as text.
//!
//! An error of the server is an answer; its JSON is `{"sqlstate": …, "message": …}`, so that a rule can tell
//! "starting up" (57P03) from a refused password (28P01).

use std::net::SocketAddr;

use serde_json::json;
use tokio_postgres::Config;
use tokio_postgres::NoTls;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::DbError;

use super::Answer;
use super::Credential;
use super::ProbeError;
use super::connection;

pub(super) async fn ask(
    address: SocketAddr,
    credential: Option<&Credential>,
    query: &str,
    database: &str,
) -> Result<Answer, ProbeError> {
    let credential = credential.ok_or(ProbeError::Question)?;
    let connection = connection::connect(address).await?;
    let connected = Config::new()
        .user(&credential.user)
        .password(credential.password.expose())
        .dbname(database)
        .application_name("flash-node")
        .connect_raw(connection, NoTls)
        .await;
    let (client, driver) = match connected {
        Ok(connected) => connected,
        Err(error) => return sql_error(&error),
    };
    // The client speaks only while the connection is driven.
    match connection::driven(client.simple_query(query), driver).await {
        Ok(messages) => Ok(one_value(&messages)),
        Err(error) => sql_error(&error),
    }
}

fn one_value(messages: &[SimpleQueryMessage]) -> Answer {
    let mut rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    match (rows.next(), rows.next()) {
        (Some(row), None) if row.len() == 1 => match row.get(0) {
            Some(value) => Answer::whole(None, value.as_bytes()),
            // NULL is an answer without a value.
            None => Answer::whole(None, b""),
        },
        _ => Answer::cut(None, b"", ProbeError::Malformed),
    }
}

fn sql_error(error: &tokio_postgres::Error) -> Result<Answer, ProbeError> {
    let Some(database) = error.as_db_error() else {
        let cause = std::error::Error::source(error)
            .and_then(|cause| cause.downcast_ref::<std::io::Error>());
        return Err(match cause {
            Some(cause) => connection::io_error(cause),
            None if error.is_closed() => ProbeError::Closed,
            None => ProbeError::Malformed,
        });
    };
    Ok(refusal(database))
}

fn refusal(error: &DbError) -> Answer {
    let state = error.code().code();
    // Class 28 is "invalid authorization specification".
    let kind = if state.starts_with("28") {
        ProbeError::Denied
    } else {
        ProbeError::Failed
    };
    let mut answer = Answer::cut(None, error.message().as_bytes(), kind);
    answer.json = Some(json!({"sqlstate": state, "message": answer.text}));
    answer
}
