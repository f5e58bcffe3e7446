"""A PEP 517 build backend that builds nothing: it answers pip's question for metadata from PKG-INFO.

`pip download` of a source distribution asks the package's own backend for its metadata, which for a C extension
can mean compiling all of it. Prism only wants the C sources inside. tools/setup puts this module on the path
under the name of the backend which the package asks for and switches build isolation off, so that pip fetches
and checks the archive and runs nothing that came with it.
"""
import os
import shutil
import sys

__legacy__ = sys.modules[__name__]  # what pip asks of setuptools for a package that names no backend


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    with open("PKG-INFO", encoding="utf-8") as file:
        head = dict(line.rstrip("\n").split(": ", 1) for line in file if line.startswith(("Name: ", "Version: ")))
    name = f"{head['Name'].replace('-', '_')}-{head['Version']}.dist-info"
    os.makedirs(os.path.join(metadata_directory, name))
    shutil.copy("PKG-INFO", os.path.join(metadata_directory, name, "METADATA"))
    return name
