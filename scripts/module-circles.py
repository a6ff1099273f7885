"""Finds circles between the modules of a crate: files that use each other, directly or through others. Called by scripts/steps.sh.

    module-circles.py CRATE...    folders with a Cargo.toml and a src/

Out: a line for each use that is part of a circle, on stdout. Exit code 1 if there is any. Standard library only.

A use is a path that begins with `crate`, `super` or `self`, or with the name of a child in the parent's file. It counts for the file
that defines the name: a name that a parent re-exports counts for the child that it comes from. Uses between a module and its own
children, and code for tests or fuzzing only, are not counted.
"""

import re
import sys
from pathlib import Path

MODULE = re.compile(r"^\s*(?:pub(?:\([^)]*\))? )?mod (\w+)\s*([{;])", re.MULTILINE)
FOR_TESTS = re.compile(r"#\[cfg\((?:test|any\(test\b[^\]]*)\)\]\s*(?:#\[[^\]]*\]\s*)*")
USE = re.compile(r"\b(?:pub(?:\([^)]*\))? )?use ([^;]+);")
PATH = re.compile(r"\b((?:crate|self|super)(?:::\w+)+)")
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'', re.DOTALL)

Module = tuple[str, ...]


def without_comments_and_texts(source: str) -> str:
    return NOT_CODE.sub(lambda found: '""' if '"' in found[0] else " ", source)


def end_of_item(code: str, start: int) -> int:
    """The end of the item that begins at `start`: after its `;`, or after the brace that closes its first one."""
    depth = 0
    for at in range(start, len(code)):
        if code[at] == "{":
            depth += 1
        elif code[at] == "}":
            depth -= 1
            if depth == 0:
                return at + 1
        elif code[at] == ";" and depth == 0:
            return at + 1
    return len(code)


def without_tests(code: str) -> str:
    while found := FOR_TESTS.search(code):
        code = code[: found.start()] + code[end_of_item(code, found.end()) :]
    return code


def read(file: Path, name: Module, folder: Path, into: dict[Module, str]) -> None:
    """The code of a module's file and of all files below it, without tests. A module inside of a file belongs to it."""
    code = without_tests(without_comments_and_texts(file.read_text(encoding="utf-8")))
    into[name] = code
    for child, end in MODULE.findall(code):
        path = folder / f"{child}.rs"
        if end == ";" and path.is_file():
            read(path, (*name, child), folder / child, into)


def leaves(tree: str, prefix: Module = ()) -> list[tuple[Module, str]]:
    """The paths of a `use`, each with its local name."""
    tree = tree.strip()
    if "{" in tree:
        head, rest = tree.split("{", 1)
        before = (*prefix, *(part.strip() for part in head.split("::") if part.strip()))
        parts, depth, part = [], 0, ""
        for letter in rest[: rest.rindex("}")]:
            depth += (letter == "{") - (letter == "}")
            if letter == "," and depth == 0:
                parts.append(part)
                part = ""
            else:
                part += letter
        return [leaf for part in [*parts, part] if part.strip() for leaf in leaves(part, before)]
    path, _, renamed = tree.partition(" as ")
    whole = (*prefix, *(part.strip() for part in path.split("::")))
    if whole[-1] == "self":
        whole = whole[:-1]
    return [(whole, renamed.strip() or whole[-1])]


class Crate:
    def __init__(self, folder: Path):
        self.folder = folder
        self.code: dict[Module, str] = {}
        for root in ("lib.rs", "main.rs"):
            if (folder / "src" / root).is_file():
                read(folder / "src" / root, (), folder / "src", self.code)
                break
        self.imports: dict[Module, dict[str, Module]] = {
            name: {shown: path for tree in USE.findall(code) for path, shown in leaves(tree)}
            for name, code in self.code.items()
        }

    def whole(self, at: Module, path: Module) -> Module | None:
        """A path relative to the crate's root; `None`: a path into another crate."""
        head, *rest = path
        if head == "crate":
            return tuple(rest)
        if head == "self":
            return self.whole(at, ("crate", *at, *rest))
        if head == "super":
            return self.whole(at[:-1], ("self", *rest))
        return (*at, *path) if (*at, head) in self.code else None

    def defines(self, path: Module, tries: int = 8) -> Module | None:
        """The module that defines the item of a path from the root."""
        module: Module = ()
        while len(module) < len(path) and path[: len(module) + 1] in self.code:
            module = path[: len(module) + 1]
        rest = path[len(module) :]
        if not rest or tries == 0:
            return module
        imported = self.imports[module].get(rest[0])
        if imported is None:
            return module
        whole = self.whole(module, imported)
        return None if whole is None else self.defines((*whole, *rest[1:]), tries - 1)

    def uses(self) -> dict[Module, dict[Module, str]]:
        """Module -> the modules that it uses, each with the path of the use."""
        found: dict[Module, dict[Module, str]] = {}
        for at, code in self.code.items():
            trees = [path for tree in USE.findall(code) for path, _ in leaves(tree)]
            inline = [tuple(path.split("::")) for path in PATH.findall(USE.sub("", code))]
            found[at] = {}
            for path in [*trees, *inline]:
                whole = self.whole(at, path)
                used = None if whole is None else self.defines(whole)
                if used is not None and used != at and used[: len(at)] != at:
                    found[at].setdefault(used, "::".join(path))
        return found

    def file(self, module: Module) -> str:
        inside = f"src/{'/'.join(module)}.rs" if module else "src/lib.rs"
        return (self.folder / inside).as_posix()


def reached(uses: dict[Module, dict[Module, str]], start: Module) -> set[Module]:
    seen: set[Module] = set()
    left = [start]
    while left:
        for used in uses[left.pop()]:
            if used not in seen:
                seen.add(used)
                left.append(used)
    return seen


def circles(crate: Crate) -> list[str]:
    uses = crate.uses()
    ways = {module: reached(uses, module) for module in uses}
    return [
        f"{crate.file(module)} uses {crate.file(used)} ({path}), which leads back to it"
        for module in sorted(uses)
        for used, path in sorted(uses[module].items())
        if module in ways[used]
    ]


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    found = 0
    for folder in map(Path, sys.argv[1:]):
        crate = Crate(folder)
        if not crate.code:
            sys.exit(f"{folder} is no crate: it has neither src/lib.rs nor src/main.rs")
        for line in circles(crate):
            print(line)
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
