"""The judge of the client kits: generated parts are up to date, types are strict, archives install into empty environments,
their own tests and the examples of their READMEs run against a real server, and so does the code of
docs/moving-from-django.md.

    run.py WARDROOM PLACE
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from server import Server, run, say

ROOT = Path(__file__).resolve().parents[3]
CLIENTS = ROOT / "clients"


class Kits:
    def __init__(self, wardroom: Path, place: Path) -> None:
        self.wardroom, self.place = wardroom, place
        self.tools = place.parent / "venv" / "bin"
        self.node = place.parent / "node" / "node_modules" / ".bin"
        self.archives = place / "archives"

    def check_the_generated_parts(self) -> None:
        made = self.place / "generated"
        shutil.rmtree(made, ignore_errors=True)
        run([CLIENTS / "generate", made])
        for kit, folder in (("python", "src/wardroom_client"), ("typescript", "src")):
            for file in sorted((made / kit).iterdir()):
                committed = CLIENTS / kit / folder / file.name
                if committed.read_bytes() != file.read_bytes():
                    raise SystemExit(f"{committed.relative_to(ROOT)} is not what openapi.json makes: run clients/generate")
        # Neither generator leaves an operation out.
        python = (CLIENTS / "python/src/wardroom_client/operations.py").read_text()
        typescript = (CLIENTS / "typescript/src/operations.ts").read_text()
        for path in json.loads((ROOT / "openapi.json").read_text())["paths"].values():
            for name in (operation["operationId"] for operation in path.values() if "operationId" in operation):
                expect(python, f"    def {name}(")
                expect(typescript, f"  {name}: [")

    def build(self) -> None:
        """Makes the archives from copies, so that nothing is written below `clients`."""
        shutil.rmtree(self.archives, ignore_errors=True)
        self.archives.mkdir(parents=True)
        copies = self.place / "copies"
        shutil.rmtree(copies, ignore_errors=True)
        shutil.copytree(CLIENTS, copies)
        for kit in ("python", "django"):
            run([self.tools / "hatchling", "build", "--directory", self.archives], cwd=copies / kit)
        typescript = copies / "typescript"
        run([self.node / "tsc", "--project", "tsconfig.json"], cwd=typescript)
        run(["npm", "pack", "--silent", "--pack-destination", self.archives], cwd=typescript)
        names = sorted(file.name for file in self.archives.iterdir())
        if len(names) != 5:
            raise SystemExit(f"the archives are not complete: {names}")

    def check_the_types(self) -> None:
        environment = {**os.environ, "MYPYPATH": str(CLIENTS / "python" / "src")}
        for kit in ("python", "django"):
            cache = self.place / f"mypy-{kit}"
            run([self.tools / "mypy", "--cache-dir", cache], cwd=CLIENTS / kit, env=environment)
            paths = ["--pythonpath", self.tools / "python"] if kit == "python" else ["--pythonpath", self.django("5.2")]
            run([self.node / "pyright", *paths], cwd=CLIENTS / kit)
            # The oldest Python, which this machine may not have.
            oldest = re.search(r'requires-python = ">=(.+)"', (CLIENTS / kit / "pyproject.toml").read_text()).group(1)  # type: ignore[union-attr]
            run([self.tools / "vermin", "--quiet", "--violations", "--no-tips", "--eval-annotations", f"--target={oldest}-", "src"], cwd=CLIENTS / kit)

    def wheels(self, *kits: str) -> list[Path]:
        return [next(self.archives.glob(f"wardroom_{kit}-*.whl")) for kit in kits]

    def environment(self, name: str, requirements: Path | None, wheels: list[Path]) -> Path:
        """A Python with what is pinned, and the archives. What is pinned is kept; the archives are installed each time."""
        folder = self.place / name
        python = folder / "bin" / "python"
        wanted = f"{sys.version}\n{folder}\n{requirements.read_text() if requirements else ''}"
        stamp = folder / "stamp"
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            run([sys.executable, "-m", "venv", "--without-pip", folder])
            if requirements is not None:
                self.install(python, ["--only-binary", ":all:", "--requirement", requirements])
            stamp.write_text(wanted)
        self.install(python, ["--no-index", "--force-reinstall", *wheels])
        run([sys.executable, "-m", "pip", "--python", python, "check"])
        return python

    @staticmethod
    def install(python: Path, what: list[object]) -> None:
        quiet = ["--quiet", "--no-input", "--no-cache-dir", "--disable-pip-version-check", "--no-deps"]
        run([sys.executable, "-m", "pip", "--python", python, "install", *quiet, *what])

    def django(self, version: str) -> Path:
        return self.place / f"django-{version}" / "bin" / "python"

    def environments(self) -> None:
        here = Path(__file__).parent
        with ThreadPoolExecutor() as workers:
            made = [
                workers.submit(self.environment, "python", None, self.wheels("client")),
                *(
                    workers.submit(
                        self.environment,
                        f"django-{version}",
                        here / f"django-{version}.txt",
                        self.wheels("client", "django"),
                    )
                    for version in ("4.2", "5.2")
                ),
                workers.submit(self.node_project),
            ]
            for one in made:
                one.result()

    def node_project(self) -> None:
        folder = self.place / "node"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        archive = next(self.archives.glob("*.tgz"))
        run(["npm", "install", "--prefix", folder, "--offline", "--silent", "--no-audit", "--no-fund", archive])
        shutil.copytree(CLIENTS / "typescript" / "test", folder / "test")
        (folder / "test" / "readme.ts").write_text("\n".join(text for _, text in blocks(CLIENTS / "typescript" / "README.md", "ts")))

    def judge_python(self, server: Server) -> None:
        python = self.place / "python" / "bin" / "python"
        readme = [text for _, text in blocks(CLIENTS / "python" / "README.md", "python")]
        key_file = self.place / "key"
        key_file.write_text(f"{server.key}\n")
        environment = {**server.environment(), "WARDROOM_KEY_FILE": str(key_file)}
        out = run([python, "-W", "error", "-c", "\n".join(readme)], env=environment, cwd=self.place)
        expect(out, "joan", "404 not_found Not found.", "again: root")
        run([python, CLIENTS / "python" / "tests" / "test_client.py"], env=server.environment(), cwd=self.place)

    def judge_typescript(self, server: Server) -> None:
        folder = self.place / "node"
        tsc = [self.node / "tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext"]
        run([*tsc, "--noEmit", "--lib", "es2022,dom,dom.iterable", "test/types.ts"], cwd=folder)
        # The example runs on Node, whose types are another package: one line says what it uses of them.
        (folder / "test" / "node.d.ts").write_text("declare const process: { env: Record<string, string | undefined> };\n")
        (folder / "package.json").write_text('{ "type": "module", "private": true }\n')
        run([*tsc, "--lib", "es2022,dom,dom.iterable", "test/readme.ts", "test/node.d.ts"], cwd=folder)
        expect(run(["node", "test/readme.js"], cwd=folder, env=server.environment()), "joan", "404 not_found Not found.")
        # The Node of this machine, and the oldest one that the kit is for.
        for node in ["node", self.oldest_node()]:
            run([node, "--test", "test/"], cwd=folder, env=server.environment())

    def oldest_node(self) -> Path:
        found = list(self.node.parent.glob("node-linux-*/bin/node"))
        if len(found) != 1 or not run([found[0], "--version"]).startswith("v18."):
            raise SystemExit(f"Node 18 is missing: {found}")
        return found[0]

    def module(self) -> Path:
        return self.place / "node" / "node_modules" / "wardroom-client" / "dist"

    def judge_django(self, server: Server) -> None:
        for version in ("4.2", "5.2"):
            tests = CLIENTS / "django" / "tests"
            environment = {**server.environment(), "PYTHONPATH": str(tests), "PYTHONDONTWRITEBYTECODE": "1"}
            run([self.django(version), tests / "test_kit.py"], env=environment, cwd=self.place)


def blocks(document: Path, language: str) -> list[tuple[int, str]]:
    """The blocks of a document in a language, with the numbers of their lines."""
    found, kept, begun = [], [], 0
    for number, line in enumerate(document.read_text("utf-8").splitlines(), 1):
        if begun and line.strip() == "```":
            found.append((begun, "\n".join(kept) + "\n"))
            begun = 0
        elif begun:
            kept.append(line)
        elif line.strip() == f"```{language}":
            kept, begun = [], number
    if not found:
        raise SystemExit(f"{document} has no example in {language}")
    return found


def check_versions() -> None:
    """All kits have the version of the server, and its licences."""
    version = re.search(r'(?m)^version = "(.+)"', (ROOT / "Cargo.toml").read_text()).group(1)  # type: ignore[union-attr]
    for file, line in (
        ("python/pyproject.toml", 'version = "{}"'),
        ("python/src/wardroom_client/version.py", 'VERSION = "{}"'),
        ("python/README.md", "wardroom_client-{}-py3"),
        ("django/pyproject.toml", 'version = "{}"'),
        ("django/pyproject.toml", '"wardroom-client=={}"'),
        ("django/src/wardroom_django/__init__.py", '__version__ = "{}"'),
        ("django/README.md", "wardroom_django-{}-py3"),
        ("typescript/package.json", '"version": "{}"'),
        ("typescript/src/version.ts", 'version = "{}"'),
        ("typescript/README.md", "wardroom-client-{}.tgz"),
    ):
        expect((CLIENTS / file).read_text("utf-8"), line.format(version))
    for kit in ("python", "typescript", "django"):
        for licence in ("LICENSE-APACHE", "LICENSE-MIT"):
            if (CLIENTS / kit / licence).read_bytes() != (ROOT / licence).read_bytes():
                raise SystemExit(f"clients/{kit}/{licence} is not the licence of the server")


def expect(text: str, *parts: str) -> None:
    for part in parts:
        if part not in text:
            raise SystemExit(f"{part!r} is not in:\n{text}")


def main() -> None:
    from browser import judge_the_browser
    from project import judge_the_move, judge_the_readme, judge_the_recipe

    kits = Kits(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    kits.place.mkdir(parents=True, exist_ok=True)
    times: list[str] = []

    def step(name: str, work: object, *arguments: object) -> None:
        begun = time.monotonic()
        work(*arguments)  # type: ignore[operator]
        times.append(f"{name} {time.monotonic() - begun:.0f} s")

    step("versions", check_versions)
    step("generated", kits.check_the_generated_parts)
    step("archives", kits.build)
    step("environments", kits.environments)
    step("types", kits.check_the_types)
    with tempfile.TemporaryDirectory() as folder, Server(kits.wardroom, Path(folder) / "data") as server:
        step("python", kits.judge_python, server)
        step("typescript", kits.judge_typescript, server)
        step("browser", judge_the_browser, kits.wardroom, kits.module(), Path(folder))
        step("django", kits.judge_django, server)
        step("example of django", judge_the_readme, kits.django("5.2"), server, CLIENTS / "django" / "README.md", Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        step("recipe of django", judge_the_recipe, kits.django("5.2"), ROOT / "docs" / "forward-auth" / "README.md", Path(folder))
        step("the move", judge_the_move, kits.django("5.2"), kits.wardroom, ROOT / "docs" / "moving-from-django.md", Path(folder))
    say("client kits: " + ", ".join(times))


if __name__ == "__main__":
    main()
