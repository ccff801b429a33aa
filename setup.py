"""Builds the Cython modules in place, next to their sources; maturin then packs them into the wheel.

Called by the build backend, `build_backend/metaprotocol_build.py`. All else about the package is in pyproject.toml.
"""

from Cython.Build import cythonize
from setuptools import Extension, setup

MODULES = {
    "metaprotocol._pyconnection": "src/metaprotocol/_pyconnection.pyx",
    "metaprotocol._videopacket": "codecs/videopacket/videopacket.pyx",
}

setup(
    name="metaprotocol-cython",
    packages=[],
    package_dir={"": "src"},
    ext_modules=cythonize(
        [Extension(module, [source], include_dirs=["native/plugin/include"]) for module, source in MODULES.items()],
        include_path=["src"],
        compiler_directives={
            "language_level": 3,
            "binding": True,
            "freethreading_compatible": True,
        },
        build_dir="build/cython",
    ),
)
