"""Who may include whom: rooms only look down, no two files lead to each other in a circle, each
library is known to one room, and no room or file grows beyond what one can keep in mind.
ARROWS_ROOT is the tree to look at (default: the source)."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.environ.get("ARROWS_ROOT") or os.environ.get("srcdir") or "."

# Every room with those below it that it may include, besides itself. A room has its sub-rooms' place
# unless these stand here by themselves.
BELOW = {
    "core/base": [],
    "core/peers": ["core/base"],
    "core/data": ["core/base"],
    "core/models": ["core/base", "core/data"],
    "core/training": ["core/base", "core/data", "core/models"],
    "core/scan": ["core/base"],
    "core/explain": ["core/base", "core/data", "core/models", "core/peers", "core/scan"],
    "core/retraining": ["core/base", "core/data", "core/models", "core/training", "core/explain"],
    "db/file": ["core"],
    "db/migrations": ["core", "db/file", "db/other_setting.h"],
    "db/tables": ["core", "db/file", "db/other_setting.h"],
    "db": ["core"],
    "api": ["core", "db/follow.h", "db/run.h", "db/samples.h", "db/marks.h", "db/results.h"],
    "server": ["core", "api", "db/follow.h", "db/run.h", "db/samples.h", "db/marks.h", "db/results.h"],
    "cli": ["core", "api", "db/folder.h", "db/follow.h", "db/run.h", "db/samples.h", "db/marks.h", "db/results.h", "db/writer.h", "db/check.h", "db/split.h", "db/upgrade.h"],
}
ONLY = {("cli/serve.c", "server/server.h"), ("cli/serve.c", "server/confine.h")}  # the command that starts the server

# A library and the only rooms that may know it.
LIBRARIES = {
    r"sqlite3": ["db"], r"xxhash": ["db"], r"microhttpd": ["server"], r"seccomp|landlock": ["server"], r"cjson|cJSON": ["api", "server"],
    r"stb_image_write": ["api"], r"stb_image(?!_write)": ["core/data"], r"gdk-pixbuf": ["core/data"], r"librsvg|cairo": ["api/figures"],
    r"uni(?:gbrk|norm|str|wbrk|width|ctype)\.h": ["core/base", "core/data"], r"cblas": ["core"], r"zlib": ["core", "api", "server"],
}
FILE_LINES = 500
ROOM_FILES = 16  # a .c and a .h of one name are one


def sources(root):
    for room in ("core", "db", "api", "server", "cli"):
        for folder, _, files in os.walk(os.path.join(root, room)):
            for name in files:
                if name.endswith((".c", ".h")) and name != "assets_data.c":
                    yield os.path.relpath(os.path.join(folder, name), root)


def includes(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return re.findall(r'^[ \t]*#[ \t]*include[ \t]*[<"](?:\.\./)*([^>"]+)[>"]', file.read(), re.M)


def room_of(path):
    """The longest name of a room that a path begins with."""
    return max((room for room in BELOW if path.startswith(room + "/")), key=len, default=None)


def within(path, room):
    return path == room or path.startswith(room + "/")


def upward(root):
    for path in sources(root):
        room = room_of(path)
        for included in includes(root, path):
            if room_of(included) is None or room_of(included) == room or (path, included) in ONLY:
                continue
            if not any(within(included, below) for below in BELOW[room]) and not (
                    room == "db" and within(included, "db")):
                yield f"{path} includes {included}"


def circles(root):
    """Modules (a .c and a .h of one name) that reach themselves."""
    graph = {}
    for path in sources(root):
        module = re.sub(r"(_private)?\.[ch]$", "", path)  # what is private is its module's
        graph.setdefault(module, set()).update(
            re.sub(r"(_private)?\.[ch]$", "", i) for i in includes(root, path) if room_of(i))
        graph[module].discard(module)
    done, way = set(), []

    def walk(module):
        if module in way:
            yield " -> ".join(way[way.index(module):] + [module])
            return
        if module in done:
            return
        way.append(module)
        for other in sorted(graph.get(module, ())):
            yield from walk(other)
        way.pop()
        done.add(module)

    for module in sorted(graph):
        yield from walk(module)


def foreign_libraries(root):
    for path in sources(root):
        for included in includes(root, path):
            for library, rooms in LIBRARIES.items():
                if re.match(rf"(?:{library})\b", os.path.basename(included)) and not room_of(included) and not any(
                        within(path, room) for room in rooms):
                    yield f"{path} includes {included}"


def flags(root):
    """Flags of the command line in texts of rooms that know none."""
    for path in sources(root):
        if within(path, "core") or within(path, "db"):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
            for found in re.findall(r'"[^"\n]*?(--[a-z][a-z-]+)', text):
                yield f"{path} names {found}"


def crowded(root):
    rooms = {}
    for path in sources(root):
        rooms.setdefault(os.path.dirname(path), set()).add(os.path.splitext(path)[0])
        with open(os.path.join(root, path), encoding="utf-8") as file:
            lines = sum(1 for _ in file)
        if lines > FILE_LINES:
            yield f"{path} has {lines} lines"
    for room, files in rooms.items():
        if len(files) > ROOM_FILES:
            yield f"{room} has {len(files)} files"


CHECKS = (("rooms include only what is below them", upward), ("nothing includes itself in a circle", circles),
          ("libraries are known to their rooms alone", foreign_libraries),
          ("core and db know no flags of the command line", flags),
          ("no file is too long and no room too full", crowded))


def fails(make):
    """The test itself must be able to fail: what make puts into an empty tree is found."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in make.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return subprocess.run([sys.executable, __file__], env={**os.environ, "ARROWS_ROOT": root},
                              capture_output=True, check=False).returncode != 0


def main():
    results = []
    for title, check in CHECKS:
        results.append((title, list(check(ROOT))))
    if "ARROWS_ROOT" not in os.environ:
        for title, tree in (("an arrow upwards", {"core/base/wrong.c": '#include "../../db/run.h"\n'}),
                            ("a circle", {"core/base/a.h": '#include "core/base/b.h"\n',
                                          "core/base/b.h": '#include "core/base/a.h"\n'}),
                            ("a library in a foreign room", {"cli/wrong.c": "#include <sqlite3.h>\n"}),
                            ("a flag in core", {"core/base/wrong.c": 'f("use --force");\n'}),
                            ("a file that is too long", {"core/base/long.c": "\n" * (FILE_LINES + 1)})):
            results.append((f"{title} is found", [] if fails(tree) else ["it is not"]))
    for number, (title, found) in enumerate(results, 1):
        print("not ok" if found else "ok", number, "-", title)
        for line in found:
            print("#", line)
    print(f"1..{len(results)}")
    sys.exit(any(found for _, found in results))


if __name__ == "__main__":
    main()
