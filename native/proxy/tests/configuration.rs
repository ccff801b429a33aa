//! What the Python half makes of configuration files is what this crate reads, to the last field.

use std::path::Path;

use metaprotocol_proxy::config::Update;

#[test]
fn what_python_writes_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/unit/xds/golden");
    let mut read = 0;
    for entry in folder.read_dir().expect("the folder of what bootstrap files become") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).expect("text");
            let update: Update =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(!update.listeners.is_empty(), "{}", path.display());
            read += 1;
        }
    }
    assert!(read >= 5, "only {read} files");
}
