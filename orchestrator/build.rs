//! Lets a shipped `flash-node` find the libcrypto that lies beside it (`make dist`).
fn main() {
    println!("cargo:rustc-link-arg-bins=-Wl,-rpath,$ORIGIN/lib");
    println!("cargo:rerun-if-changed=build.rs");
    // Manifests are embedded: a changed one is a changed program.
    println!("cargo:rerun-if-changed=../manifests");
    println!("cargo:rerun-if-changed=../web-admin/build");
}
