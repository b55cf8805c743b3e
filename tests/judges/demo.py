"""What the judges that drive a browser share: the demo and the browser."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request


class Demo:
    """A running `wardroom demo`."""

    def __init__(self, program, *settings):
        command = [program, "demo", "--listen", "127.0.0.1:0", "--log-level", "warn", *settings]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WARDROOM_")}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean)
        self.said = []
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("Ctrl-C"):
                break
        # What it prints first is what a newcomer needs first.
        first = re.fullmatch(r"Open in a browser: +(http://\S+/api/docs)\n", self.said[0])
        assert first, f"the demo begins with {self.said[0]!r}"
        self.page = first[1]
        self.site = self.page.removesuffix("/api/docs")
        self.key = re.search(r"(wrd_\w{36})\n", self.said[1])[1]

    def document(self):
        with urllib.request.urlopen(f"{self.site}/api/openapi.json") as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait() == 0, "the demo did not stop properly"


def chromium():
    for name in ["chromium-headless-shell", "chromium"]:
        found = shutil.which(name)
        if found:
            return found
    sys.exit("missing: chromium-headless-shell or chromium")
