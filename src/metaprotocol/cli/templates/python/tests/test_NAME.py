"""What every codec must pass, on the samples; tests of your own go beside."""

from metaprotocol.testing import CodecConformance


class Test{{Name}}(CodecConformance):
    codec = "../{{name}}_codec.py:{{Name}}"
    samples = "../samples"
