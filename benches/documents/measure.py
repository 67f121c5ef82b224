#!/usr/bin/env python3
"""Lints the documents of packages, and draws a sample of the errors to be judged.

    benches/documents/measure.py FOLDER [packages.txt|held-out.txt] [BINARY]

The packages are fetched once, by cargo, npm, pip and go, to FOLDER (3 GB); BINARY is target/release/interlock by default.
Each package is a project of its own and is linted as its maintainers would: `interlock sequence lint .`. What lies in folders
of tests, fixtures, benchmarks and vendored code is input of programs, not documents, and is left out of the figures.
Writes FOLDER/errors.tsv, every error, and FOLDER/sample.tsv, 120 of them drawn with a fixed seed, to be judged one by one.
"""
import collections, glob, json, os, random, re, shutil, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.abspath(sys.argv[1])
LIST = os.path.join(HERE, sys.argv[2] if len(sys.argv) > 2 else "packages.txt")
BINARY = os.path.abspath(sys.argv[3] if len(sys.argv) > 3 else "target/release/interlock")
ENDINGS = (".md", ".mdx", ".markdown", ".mmd", ".mermaid")
INPUT = re.compile(
    r"(^|/)(tests?|testdata|test_data|__tests__|fixtures?|__fixtures__|snapshots|__snapshots__|vendor|third_party|third-party"
    r"|\.?venv|e2e|spec|benches|bench)(/|$)"
)
# pip builds the metadata of a source distribution when it downloads it; only its files are wanted here.
PIP = """
import os, shutil, sys
from pip._internal.operations import prepare
from pip._internal.cli.main import main
def keep(requirement, *rest, **more):
    shutil.copy(requirement.local_file_path, os.getcwd())
    os._exit(0)
prepare._get_prepared_distribution = keep
main(["download", "-q", "--no-deps", "--no-binary", ":all:", sys.argv[1]])
sys.exit(1)
"""


def run(command, folder, **more):
    environment = {**os.environ, "GITHUB_ACTIONS": "", **more}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


def fetch(registry, name, version, target):
    """The files of a package, in a folder of their own."""
    work = os.path.join(FOLDER, "work")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    if registry == "crate":
        home = os.path.join(FOLDER, "cargo")
        run(["cargo", "info", f"{name}@{version}"], work, CARGO_HOME=home)
        found = glob.glob(f"{home}/registry/src/*/{name}-{version}")
    elif registry == "go":
        home = os.path.join(FOLDER, "go")
        said = run(["go", "mod", "download", "-json", f"{name}@{version}"], work, GOMODCACHE=home, GOFLAGS="-modcacherw")
        found = [json.loads(said.stdout or "{}").get("Dir")]
    else:
        if registry == "npm":
            run(["npm", "pack", "--silent", f"{name}@{version}"], work)
        else:
            run([sys.executable, "-c", PIP, f"{name}=={version}"], work)
        for archive in os.listdir(work):
            shutil.unpack_archive(os.path.join(work, archive), os.path.join(work, "in"), "gztar")
        found = glob.glob(f"{work}/in/*/")
    if not found or not found[0]:
        return False
    shutil.move(found[0], target)
    return True


def documents(folder):
    for root, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".") and f not in ("target", "node_modules")]
        for file in files:
            path = os.path.relpath(os.path.join(root, file), folder)
            if file.endswith(ENDINGS) and not INPUT.search(path):
                yield path


def main():
    codes, errors, totals = collections.Counter(), [], collections.Counter()
    for line in open(LIST):
        registry, name, version = line.split()
        package = f"{name}@{version}"
        folder = os.path.join(FOLDER, "src", registry, package.replace("/", "+"))
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        if not os.path.isdir(folder) and not fetch(registry, name, version, folder):
            sys.exit(f"cannot fetch {registry} {package}")
        # The folder with the repository in it is the project's.
        os.makedirs(os.path.join(folder, ".git"), exist_ok=True)
        here = set(documents(folder))
        said = json.loads(run([BINARY, "sequence", "lint", ".", "--output", "json"], folder).stdout)
        wrong = [f for f in said["findings"] if f["severity"] == "error" and f["file"] in here]
        errors += [(registry, package, f["file"], str(f["line"]), f["code"], f["message"]) for f in wrong]
        codes.update(f["code"] for f in wrong)
        with_errors = len({f["file"] for f in wrong})
        totals.update(packages=1, documents=len(here), with_errors=with_errors, errors=len(wrong))
        print(f"{registry:6} {package:62} {len(here):5} documents, {with_errors:3} with errors, {len(wrong):4} errors")
    print(dict(totals), dict(codes))
    drawn = sorted(random.Random(13).sample(errors, min(120, len(errors))))
    for file, rows in (("errors.tsv", errors), ("sample.tsv", drawn)):
        with open(os.path.join(FOLDER, file), "w") as out:
            out.writelines("\t".join(row) + "\n" for row in rows)


main()
