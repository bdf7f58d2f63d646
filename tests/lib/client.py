"""A real client of a real server, for tests."""
import http.client
import json
import os
import re
import signal
import subprocess

import tap


class Server:
    """keylight serve on a port of its own; stop() checks that it said nothing on stderr."""

    def __init__(self, *arguments, environment=None):
        self.process = subprocess.Popen([tap.KEYLIGHT, "serve", *arguments, "--port", "0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        self.line = self.process.stdout.readline()
        self.port = int(re.findall(r":(\d+)[/,]", self.line)[-1])  # behind a proxy its own comes last

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, path, method="GET", body=None, **headers):
        """Returns status, headers and body."""
        connection = self.connect()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.headers, content

    def json(self, path):
        status, headers, content = self.ask(path)
        assert status == 200, (path, status, content)
        assert headers["Content-Type"] == "application/json"
        return json.loads(content)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, self.process.returncode
        assert errors == "", errors
