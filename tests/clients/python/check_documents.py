"""Checks every GraphQL example in documents against the schema.

check_documents.py SCHEMA DOCUMENT.md... Prints how many examples there are; says what does not fit, and fails then.
"""

import re
import sys

import graphql


def main(schema_file, *documents):
    with open(schema_file, encoding="utf-8") as file:
        schema = graphql.build_schema(file.read())
    count, wrong = 0, []
    for document in documents:
        with open(document, encoding="utf-8") as file:
            examples = re.findall(r"^```graphql\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)
        for example in examples:
            count += 1
            try:
                errors = graphql.validate(schema, graphql.parse(example))
            except graphql.GraphQLSyntaxError as error:
                errors = [error]
            wrong.extend(f"{document}: {error.message}, in\n{example}" for error in errors)
    print("\n".join(wrong) or count)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
