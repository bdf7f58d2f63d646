"""A real client of a real server, for tests."""
import http.client
import json
import os
import re
import signal
import subprocess

import tap


class Server:
    """keylight serve on a port of its own, perhaps under another program; stop() checks that it said nothing on stderr."""

    def __init__(self, *arguments, environment=None, under=()):
        self.folder = arguments[0] if arguments else ""
        self.process = subprocess.Popen([*under, tap.KEYLIGHT, "serve", *arguments, "--port", "0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        self.line = self.process.stdout.readline()
        ports = re.findall(r":(\d+)[/,]", self.line)  # behind a proxy its own comes last; none: it did not start
        self.port = int(ports[-1]) if ports else None

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

    def validate(self, name, document):
        """Whether an answer is as the server's own description has it."""
        try:
            import jsonschema
        except ImportError as missing:
            raise tap.Skip("python3-jsonschema is missing") from missing
        api = self.json("/api/v1/openapi.json")
        schema = {"$ref": f"#/components/schemas/{name}", "components": api["components"]}
        jsonschema.Draft202012Validator(schema).validate(document)

    def problem(self, path, status, parameter=None, **options):
        """Asks what is to be refused, of that parameter; returns the problem document."""
        got, headers, content = self.ask(path, **options)
        assert got == status, (path, got, content)
        assert headers["Content-Type"] == "application/problem+json"
        document = json.loads(content)
        assert document["status"] == status and document["detail"]
        assert document.get("parameter") == parameter, (path, document)
        self.validate("Problem", document)
        return document

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, self.process.returncode
        assert errors == "", errors
