#!/usr/bin/env python3
"""A second verifier, written from docs/protocol.md and docs/formats.md alone. Only Python's standard library.

    reference_verifier.py PROOF --vk NAME.vk [--nonce HEX] [--min-security BITS]
    reference_verifier.py NAME.cert --vk NAME.vk --certificate [--min-security BITS]

Exit codes: 0 accepted, 1 rejected, 2 not readable.
"""
import argparse
import pathlib
import sys

from reference.certificate import verify_certificate
from reference.circuit import read_parameters
from reference.transcript import Rejected, Unreadable
from reference.validity import validate
from reference.verifier import verify


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("proof", type=pathlib.Path)
    parser.add_argument("--vk", type=pathlib.Path, required=True)
    parser.add_argument("--nonce", type=bytes.fromhex, help="the nonce that the statement must have")
    parser.add_argument("--certificate", action="store_true", help="the file is the weight certificate of these parameters")
    parser.add_argument("--min-security", type=int, default=100, help="proven bits (default: 100)")
    args = parser.parse_args()
    try:
        vk = read_parameters(args.vk.read_bytes())
        validate(vk)
        if args.certificate:
            verify_certificate(vk, args.proof.read_bytes(), args.min_security)
            print("accepted")
            return 0
        statement = verify(vk, args.proof.read_bytes(), args.min_security).statement
        if args.nonce is not None and statement.nonce != args.nonce:
            raise Rejected("STATEMENT", "another nonce than the one asked for")
    except Rejected as rejection:
        print(f"rejected: {rejection}")
        return 1
    except (Unreadable, OSError) as error:
        print(f"not readable: {error}", file=sys.stderr)
        return 2
    print("accepted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
