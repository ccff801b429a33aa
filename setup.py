"""Builds the Cython modules in place, next to their sources; maturin then packs them into the wheel.

Called by the build backend, `build_backend/metaprotocol_build.py`. All else about the package is in pyproject.toml.
"""

from Cython.Build import cythonize
from setuptools import Extension, setup

MODULES = ["metaprotocol._pyconnection"]

setup(
    name="metaprotocol-cython",
    packages=[],
    package_dir={"": "src"},
    ext_modules=cythonize(
        [Extension(module, [f"src/{module.replace('.', '/')}.pyx"]) for module in MODULES],
        compiler_directives={
            "language_level": 3,
            "binding": True,
            "freethreading_compatible": True,
        },
        build_dir="build/cython",
    ),
)
