"""What every codec must pass, on the samples; tests of your own go beside."""

from metaprotocol.testing import CodecConformance


class TestAcorn(CodecConformance):
    codec = "../acorn.yaml"
    samples = "../samples"
