"""Checks responses of a server against its OpenAPI file.

validate.py OPENAPI.json <ANSWERS.json: a list of {"method", "path" (as in the file), "status", "body"}. Says what does not
fit, and fails then. Formats count: a date-time has to be one.
"""

import json
import sys

import jsonschema_rs


def problems(description, answer):
    method, path, status = answer["method"].lower(), answer["path"], str(answer["status"])
    operation = description["paths"].get(path, {}).get(method)
    if operation is None:
        yield "is not in the file"
        return
    response = operation["responses"].get(status)
    if response is None:
        yield "has no answer with this status in the file"
        return
    if "$ref" in response:
        response = description["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    content = response.get("content", {})
    if "application/json" not in content:
        if answer["body"] is not None:
            yield "has a JSON body, and the file knows of none"
        return
    # References point into the file, so the file is the schema, with this one on top.
    schema = {"components": description["components"], "allOf": [content["application/json"]["schema"]]}
    checker = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    for error in checker.iter_errors(answer["body"]):
        yield f"{'/'.join(map(str, error.instance_path)) or 'body'}: {error.message}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        description = json.load(file)
    answers = json.load(sys.stdin)
    failed = 0
    for answer in answers:
        for problem in problems(description, answer):
            print(f"{answer['method']} {answer['path']} {answer['status']}: {problem}", file=sys.stderr)
            failed += 1
    print(f"{len(answers)} answers, {failed} problems")
    sys.exit(1 if failed or not answers else 0)


main()
