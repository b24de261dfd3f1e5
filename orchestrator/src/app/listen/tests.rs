use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use super::*;

#[tokio::test]
async fn a_port_that_is_taken_is_passed_over_by_really_taking_the_next() {
    let (one, two) = (any().await, any().await);
    let (first, second) = (one.local_addr().unwrap(), two.local_addr().unwrap());
    drop(two);
    let found = first_free([first, second].into_iter()).await.unwrap();
    assert_eq!(found.local_addr().unwrap(), second);
    let none = first_free([first, second].into_iter()).await.unwrap_err();
    assert!(
        matches!(none, BindError::Taken(address) if address == first),
        "{none}"
    );
}

async fn any() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

#[tokio::test]
async fn a_port_that_is_let_go_of_soon_is_waited_for_and_one_that_is_not_is_taken() {
    let held = any().await;
    let address = held.local_addr().unwrap();
    let refused = patiently(address).await.unwrap_err();
    assert!(matches!(refused, BindError::Taken(_)), "{refused}");
    let leaving = async {
        tokio::time::sleep(LEAVING / 2).await;
        drop(held);
    };
    let (listener, ()) = tokio::join!(patiently(address), leaving);
    assert_eq!(listener.unwrap().local_addr().unwrap(), address);
}

#[tokio::test]
async fn a_control_socket_that_still_answers_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = folder.path().join("control.sock");
    let held = UnixListener::bind(&path).unwrap();
    let refused = control(&path).await.unwrap_err();
    assert!(matches!(refused, BindError::Answered(_)), "{refused}");
    let leaving = async {
        tokio::time::sleep(LEAVING / 2).await;
        drop(held);
    };
    let (socket, ()) = tokio::join!(control(&path), leaving);
    assert_eq!(socket.unwrap().path(), path);
}
