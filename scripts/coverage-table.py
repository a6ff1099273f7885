"""Line coverage of host and components as a table, from the lcov file of cargo-llvm-cov. Called by scripts/steps.sh.

In: lcov.info. Out: the table on stdout and in --summary; with --readme the short form between the README's two
coverage markers. Exit code 1 when the total is below --min percent, or when nothing was measured.

Counted are the lines of host/src, of the crates below host (host/*/src) and of components/*/src. Test code is not,
because it would always be covered: the content of a `#[cfg(test)] mod name { ... }`, and the files of a
`#[cfg(test)] mod name;`. Standard library only.
"""

import argparse
import re
import sys
from pathlib import Path

MARKERS = ("<!-- coverage: written by scripts/coverage --readme -->", "<!-- /coverage -->")
COUNTED = re.compile(r"^(host(?:/[^/]+)?|components/[^/]+)/src/")


MODULE = re.compile(r"\s*(?:pub(?:\(.*\))? )?mod (\w+)\s*([{;])")


def test_code(file: Path) -> tuple[set[int], list[Path]]:
    """The test code of a source file: numbers (from 1) of its own lines, and paths of its test modules without `.rs`."""
    source = file.read_text(encoding="utf-8").splitlines()
    lines: set[int] = set()
    modules: list[Path] = []
    folder = file.parent if file.name in ("lib.rs", "main.rs", "mod.rs") else file.with_suffix("")
    number = 0
    while number < len(source):
        if source[number].strip() == "#[cfg(test)]":
            start = number
            while number < len(source) and source[number].strip().startswith("#["):
                number += 1
            module = MODULE.match(source[number]) if number < len(source) else None
            if module and module.group(2) == ";":
                modules.append(folder / module.group(1))
            elif module:
                # rustfmt aligns the closing brace with the `mod`.
                end = source[number][: len(source[number]) - len(source[number].lstrip())] + "}"
                while number < len(source) and source[number].rstrip() != end:
                    number += 1
                lines.update(range(start + 1, number + 2))
        number += 1
    return lines, modules


def read_lcov(path: Path, root: Path) -> dict[str, tuple[int, int]]:
    """Path below the root -> (lines covered, lines with code)."""
    files: dict[str, dict[int, int]] = {}
    current: dict[int, int] | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("SF:"):
            try:
                name = Path(line[3:]).resolve().relative_to(root).as_posix()
            except ValueError:
                name = ""
            # An old test program may still count lines of a file that was moved since.
            counted = COUNTED.match(name) and (root / name).is_file()
            current = files.setdefault(name, {}) if counted else None
        elif line.startswith("DA:") and current is not None:
            number, count = (int(field) for field in line[3:].split(",")[:2])
            current[number] = max(current.get(number, 0), count)
    files.pop("", None)
    tests = {name: test_code(root / name) for name in files}
    # A file without code of its own is in no report, but may declare test modules.
    for file in [file for crates in ("host", "host/*", "components/*") for file in root.glob(f"{crates}/src/**/*.rs")]:
        tests.setdefault(file.relative_to(root).as_posix(), test_code(file))
    test_modules = [module for _, modules in tests.values() for module in modules]
    result = {}
    for name, counts in files.items():
        path = (root / name).with_suffix("")
        if any(module == path or module in path.parents for module in test_modules):
            continue
        counted = [count for number, count in counts.items() if number not in tests[name][0]]
        if counted:
            result[name] = (sum(1 for count in counted if count), len(counted))
    return dict(sorted(result.items()))


def percent(covered: int, lines: int) -> float:
    """Never rounded up: 89.99 is not 90."""
    return int(10000 * covered / lines) / 100 if lines else 0.0


def add(pairs) -> tuple[int, int]:
    pairs = list(pairs)
    return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)


def by_part(files: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Sort order: host, then the crates below it, then each component."""
    of_part: dict[str, list[tuple[int, int]]] = {}
    for name, pair in files.items():
        of_part.setdefault(COUNTED.match(name).group(1), []).append(pair)
    parts = sorted(of_part, key=lambda part: (part.split("/")[0] != "host", part))
    return {part: add(of_part[part]) for part in parts}


def write_readme(path: Path, parts: dict[str, tuple[int, int]], total: tuple[int, int]) -> None:
    text = path.read_text(encoding="utf-8")
    start, end = text.find(MARKERS[0]), text.find(MARKERS[1])
    if start < 0 or end < start:
        sys.exit(f"{path} has no '{MARKERS[0]}' ... '{MARKERS[1]}'")
    rows = [f"| {name} | {pair[0]} of {pair[1]} | {percent(*pair):.2f} % |" for name, pair in parts.items()]
    rows.append(f"| **all** | **{total[0]} of {total[1]}** | **{percent(*total):.2f} %** |")
    table = "\n".join(["| part | lines covered | share |", "|---|---|---|", *rows])
    path.write_text(text[: start + len(MARKERS[0])] + "\n" + table + "\n" + text[end:], encoding="utf-8")


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("lcov", type=Path)
    options.add_argument("--root", type=Path, required=True)
    options.add_argument("--min", type=float, default=0)
    options.add_argument("--summary", type=Path)
    options.add_argument("--readme", type=Path)
    given = options.parse_args()

    files = read_lcov(given.lcov, given.root.resolve())
    parts, total = by_part(files), add(files.values())
    width = max([len(name) for name in files] + [len("TOTAL (host and components)")])
    rows = [(name, pair) for name, pair in files.items()] + [("", None)]
    rows += list(parts.items()) + [("TOTAL (host and components)", total)]
    table = "\n".join(
        f"{name:{width}} {pair[0]:6} of {pair[1]:6} lines {percent(*pair):6.2f} %" if pair else "" for name, pair in rows
    )
    print(table)
    if given.summary:
        given.summary.write_text(table + "\n", encoding="utf-8")
    if given.readme and total[1]:
        write_readme(given.readme, parts, total)
    if not total[1] and given.min > 0:
        print("nothing was measured", file=sys.stderr)
        return 1
    if percent(*total) < given.min:
        print(f"line coverage is {percent(*total):.2f} %, wanted are {given.min:g} %", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
