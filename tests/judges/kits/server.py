"""A real server for the judges, and how programs are run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Sequence


def say(text: str) -> None:
    print(f"judges: {text}", file=sys.stderr, flush=True)


def run(command: list[Any], input: str | None = None, fails: bool = False, **options: Any) -> str:
    """Runs a program and returns what it prints. A failure shows everything."""
    text = [str(part) for part in command]
    done = subprocess.run(text, capture_output=True, text=True, input=input or "", timeout=300, **options)
    if (done.returncode != 0) != fails:
        raise SystemExit(f"{' '.join(text)[:300]}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr if fails else done.stdout


class Server:
    """Wardroom on SQLite, with an admin."""

    def __init__(self, wardroom: Path, data: Path, is_new: bool = True, settings: Sequence[str] = ()) -> None:
        self.wardroom, self.data = wardroom, data
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("WARDROOM_")}
        if is_new:
            self.command("init")
            self.command("user", "add", "root", "--admin")
            self.key = self.issue("root")
        self._process = subprocess.Popen(
            [wardroom, "serve", "--data-dir", data, "--listen", "127.0.0.1:0", "--log-format", "json", *settings],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=self._environment,
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            said = json.loads(line)
            if said.get("message") == "listening":
                self.url = f"http://{said['address']}"
                break
        else:
            raise SystemExit("the server did not start")
        threading.Thread(target=self._process.stderr.read, daemon=True).start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()

    def command(self, *arguments: str, input: str | None = None) -> str:
        return run([self.wardroom, *arguments, "--data-dir", self.data], input=input, env=self._environment)

    def issue(self, user: str, *flags: str) -> str:
        return self.command("token", "issue", user, "--name", "judge", *flags).split()[-1]

    def environment(self) -> dict[str, str]:
        return {**self._environment, "WARDROOM_URL": self.url, "WARDROOM_KEY": self.key}
