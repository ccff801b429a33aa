"""What every codec must pass, on the samples; tests of your own go beside. Build first: cargo build --release."""

from metaprotocol.testing import CodecConformance


class TestAcorn(CodecConformance):
    codec = "../target/release/libacorn_codec.so"
    samples = "../samples"
