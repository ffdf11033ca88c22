"""The command: prints a proposal for files."""

import argparse
import json
import sys

from pipeline.errors import BadInput
from pipeline.proposal import propose


def main(arguments: list[str]) -> int:
    """Prints the configuration; reasons and what is not known go to the error stream."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.proposal", description="Propose a params.json for a sample of past demand."
    )
    parser.add_argument("target", help="CSV or Parquet: times, demand, items")
    parser.add_argument("--related", help="a sample of related data, such as prices")
    parser.add_argument("--metadata", help="a sample of item metadata")
    parser.add_argument("--name", default="", help="what the resources are called")
    try:
        given = parser.parse_args(arguments)
        proposal = propose(given.target, given.name, given.related, given.metadata)
    except SystemExit as end:
        return int(end.code or 0)
    except (BadInput, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(proposal.reasons), file=sys.stderr)
    print("\n".join(["Not known:", *(f"- {line}" for line in proposal.unknown)]), file=sys.stderr)
    print(json.dumps(proposal.params, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
