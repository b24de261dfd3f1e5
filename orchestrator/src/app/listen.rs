//! Owns where a node listens: the control socket, and the API's port, chosen once and kept.
//!
//! It does not know what is served there (`http`).

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;

use super::Base;
use super::store_failure;
use crate::cli::Failure;
use crate::cli::Launch;
use crate::http;
use crate::http::BindError;
use crate::http::ControlSocket;
use crate::manifest::profile;

/// Where the API listens unless the operator says otherwise.
const API_PORT: u16 = 4420;
/// How many ports after it are tried at the first start of a play-money profile.
const API_PORTS_TRIED: u16 = 200;
/// How long what the last daemon of this folder listened on may stay taken: a child that it was about to start when
/// it was killed holds its sockets until it becomes its program.
const LEAVING: Duration = Duration::from_secs(2);
/// How often such a socket is tried.
const LOOK: Duration = Duration::from_millis(20);

/// Opens the control socket. The caller holds the folder's lock, so that whoever answers there is at its end.
pub(super) async fn control(path: &Path) -> Result<ControlSocket, BindError> {
    let mut looks = LEAVING.as_millis() / LOOK.as_millis();
    loop {
        match http::bind_unix(path) {
            Err(BindError::Answered(_)) if looks > 0 => looks -= 1,
            done => return done,
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Opens the API's port: the one that the operator names, else the kept one, else a free one, which is kept.
pub(super) async fn api(launch: &Launch, base: &Base) -> Result<TcpListener, Failure> {
    let state = &base.state;
    if let Some(address) = launch.listen {
        return Ok(patiently(address).await?);
    }
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let kept = state.api_port().map_err(|error| store_failure(&error))?;
    if let Some(port) = kept {
        return Ok(patiently(loopback(port)).await?);
    }
    let may_move = profile(base.folder.identity().profile).next_free_port;
    let tries = if may_move { API_PORTS_TRIED } else { 1 };
    let listener = first_free((API_PORT..API_PORT + tries).map(loopback)).await?;
    let port = listener
        .local_addr()
        .map_err(|error| Failure::internal(error.to_string()))?
        .port();
    state
        .keep_api_port(port)
        .map_err(|error| store_failure(&error))?;
    crate::fail::point("app.api_port_kept");
    Ok(listener)
}

/// Listens on `address`, which a daemon that was killed may hold for a moment longer.
async fn patiently(address: SocketAddr) -> Result<TcpListener, BindError> {
    let mut looks = LEAVING.as_millis() / LOOK.as_millis();
    loop {
        match http::bind_tcp(address).await {
            Err(BindError::Taken(_)) if looks > 0 => looks -= 1,
            done => return done,
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Listens on the first of `addresses` that can be had. Each is taken, not only looked at: two nodes that start at
/// the same moment would find the same one free. Errors: that of the first, where none can be had.
async fn first_free(addresses: impl Iterator<Item = SocketAddr>) -> Result<TcpListener, BindError> {
    let mut first = None;
    for address in addresses {
        match http::bind_tcp(address).await {
            Err(taken @ BindError::Taken(_)) => {
                first.get_or_insert(taken);
            }
            done => return done,
        }
    }
    Err(first
        .unwrap_or_else(|| BindError::Taken(SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT)))))
}

#[cfg(test)]
mod tests;
