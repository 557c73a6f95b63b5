#!/usr/bin/env python3
"""Prints the licences of all crates that are in the program, which whoever passes it on has to pass on, too.

    deploy/licences.py TARGET

Which crates these are is said by sbom.py; what is printed are the files that come with them.
"""

import pathlib
import sys

sys.dont_write_bytecode = True
import sbom  # noqa: E402

NAMES = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")


def texts(folder):
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.upper().startswith(NAMES):
            yield path.name, path.read_text(errors="replace").strip()


def main(target):
    data = sbom.metadata(target)
    packages = {package["id"]: package for package in data["packages"]}
    root, program, _ = sbom.parts(data, target)
    holders = {}
    bare = []
    for at in program - {root}:
        package = packages[at]
        name = f"{package['name']} {package['version']} ({package.get('license') or 'see its files'})"
        found = list(texts(pathlib.Path(package["manifest_path"]).parent))
        for _, text in found:
            holders.setdefault(text, set()).add(name)
        if not found:
            bare.append(name)
    print("The program contains the crates below, under these licences.")
    for text, names in sorted(holders.items(), key=lambda entry: sorted(entry[1])):
        print("\n" + "=" * 100 + "\n" + "\n".join(sorted(names)) + "\n" + "-" * 100 + "\n\n" + text)
    if bare:
        print("\n" + "=" * 100 + "\nWithout a file of their own:\n")
        print("\n".join(sorted(bare)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: deploy/licences.py TARGET")
    main(sys.argv[1])
