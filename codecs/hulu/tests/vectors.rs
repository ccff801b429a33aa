//! The vectors of this folder, and what every codec is held to.

use std::sync::Arc;

use metaprotocol_core::AnyCodec;
use metaprotocol_hulu::Hulu;
use metaprotocol_testkit::check_vectors;

#[test]
fn the_vectors_hold() {
    let codec: Arc<dyn AnyCodec> = Arc::new(Hulu);
    check_vectors(&codec, concat!(env!("CARGO_MANIFEST_DIR"), "/vectors"), 12);
}
