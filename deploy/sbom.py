#!/usr/bin/env python3
"""Prints what the program is made of, as a CycloneDX 1.6 document.

    deploy/sbom.py TARGET [BINARY]     the crates that a build for TARGET is made of, as Cargo.lock has them

Listed are the crates whose code is in the program (scope required), those that only take part in its making (macros, build
scripts: excluded), SQLite, which one of the crates brings along in C, the standard library of Rust, and, where BINARY is
linked statically, the C library. Crates for tests and other systems are none of it. The same sources give the same bytes.
"""

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
MACRO = "proc-macro"


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def features():
    """What the program is built with besides, as config/dist.sh has it."""
    names = os.environ.get("FEATURES")
    return ["--features", names] if names else []


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(output(*command, *features()))


def checksums():
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}


def built(target):
    """Name and version of each crate of a build: the metadata has those, too, that come with features of tests."""
    command = ["cargo", "tree", "--locked", "--edges", "normal,build", "--target", target, "--prefix", "none"]
    lines = output(*command, *features(), "--format", "{p}").splitlines()
    return {(words[0], words[1].removeprefix("v")) for words in map(str.split, lines)}


def parts(data, target):
    """The ids of the crates that are in the program, and of those that only take part in its making."""
    crates = built(target)
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    root = data["resolve"]["root"]
    seen = set()
    waiting = [(root, True)]
    while waiting:
        at, inside = waiting.pop()
        if (at, inside) in seen:
            continue
        seen.add((at, inside))
        for dependency in nodes[at]["deps"]:
            to = dependency["pkg"]
            if (packages[to]["name"], packages[to]["version"]) not in crates:
                continue
            kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
            macro = any(MACRO in target["kind"] for target in packages[to]["targets"])
            if None in kinds:
                waiting.append((to, inside and not macro))
            if "build" in kinds:
                waiting.append((to, False))
    program = {at for at, inside in seen if inside}
    making = {at for at, inside in seen} - program
    return root, program, making


def links(data, among):
    """Who needs whom, without what only tests need."""
    needed = {}
    for node in data["resolve"]["nodes"]:
        if node["id"] in among:
            deps = node["deps"]
            ids = (dep["pkg"] for dep in deps if any(kind["kind"] != "dev" for kind in dep["dep_kinds"]))
            needed[node["id"]] = sorted(to for to in ids if to in among)
    return needed


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def crate(package, scope, sums):
    component = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "scope": scope,
        "purl": purl(package),
    }
    checksum = sums[package["name"], package["version"]]
    if checksum:
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("license"):
        # Of old crates `/` stands for OR.
        component["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]
    if package.get("repository"):
        component["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return component


def other(kind, name, version, licence, scope="required"):
    address = f"pkg:{kind}/{name}@{version.replace('+', '%2B')}"
    return {
        "type": "library",
        "bom-ref": address,
        "name": name.rsplit("/", 1)[-1],
        "version": version,
        "scope": scope,
        "purl": address,
        "licenses": [{"expression": licence}],
    }


def sqlite(packages):
    """The C sources that come with a crate."""
    for package in packages:
        if package["name"] == "libsqlite3-sys":
            header = pathlib.Path(package["manifest_path"]).parent / "sqlite3" / "sqlite3.h"
            version = re.search(r'^#define SQLITE_VERSION\s+"([^"]+)"', header.read_text(), re.MULTILINE)
            return purl(package), other("generic", "sqlite", version[1], "blessing")
    sys.exit("deploy/sbom.py: no crate brings SQLite along: who does now?")


def rust():
    version = re.search(r"^release: (.+)$", output("rustc", "-vV"), re.MULTILINE)
    return other("generic", "rust-std", version[1], "MIT OR Apache-2.0")


def is_static(binary):
    """No interpreter is asked for that would load libraries."""
    headers = output("readelf", "--program-headers", "--wide", binary)
    return "INTERP" not in headers


def c_library():
    version = output("dpkg-query", "--show", "--showformat=${Version}", "libc6-dev").strip()
    return other("deb/debian", "glibc", version, "LGPL-2.1-or-later")


def when():
    """The time of the sources, so that the same ones give the same list."""
    time = os.environ.get("SOURCE_DATE_EPOCH") or output("git", "log", "-1", "--format=%ct")
    return datetime.datetime.fromtimestamp(int(time), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def document(target, binary):
    data = metadata(target)
    packages = {package["id"]: package for package in data["packages"]}
    root, program, making = parts(data, target)
    sums = checksums()
    program -= {root}
    components = [crate(packages[at], "required", sums) for at in program]
    components += [crate(packages[at], "excluded", sums) for at in making]
    needed = links(data, program | making | {root})
    graph = {purl(packages[at]): [purl(packages[to]) for to in ids] for at, ids in needed.items()}
    holder, engine = sqlite([packages[at] for at in program])
    components += [engine, rust()]
    graph[holder].append(engine["bom-ref"])
    graph[purl(packages[root])].append(components[-1]["bom-ref"])
    if binary and is_static(binary):
        components.append(c_library())
        graph[purl(packages[root])].append(components[-1]["bom-ref"])
    for component in components:
        graph.setdefault(component["bom-ref"], [])
    own = crate(packages[root], "required", sums) | {"type": "application"}
    del own["scope"]
    found = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": when(),
            "tools": {"components": [{"type": "application", "name": "deploy/sbom.py"}]},
            "component": own,
            "properties": [{"name": "cargo:target", "value": target}],
        },
        "components": sorted(components, key=lambda component: component["bom-ref"]),
        "dependencies": [{"ref": ref, "dependsOn": sorted(set(to))} for ref, to in sorted(graph.items())],
    }
    name = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(found, sort_keys=True))
    return {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "serialNumber": f"urn:uuid:{name}"} | found


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: deploy/sbom.py TARGET [BINARY]")
    target, binary = sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None
    print(json.dumps(document(target, binary), indent=2))
