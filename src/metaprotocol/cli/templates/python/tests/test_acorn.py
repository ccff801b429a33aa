"""What every codec must pass, on the samples; tests of your own go beside."""

from acorn_codec import Acorn

from metaprotocol.testing import CodecConformance


class TestAcorn(CodecConformance):
    codec = Acorn
    samples = "../samples"
