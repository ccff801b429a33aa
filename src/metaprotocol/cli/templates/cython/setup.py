"""Compiles the codec; all else is in pyproject.toml."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import metaprotocol

setup(
    ext_modules=cythonize(
        [Extension("acorn_codec._acorn", ["src/acorn_codec/_acorn.pyx"], include_dirs=[metaprotocol.get_include()])]
    ),
    package_dir={"": "src"},
    packages=["acorn_codec"],
)
