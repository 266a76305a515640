#!/usr/bin/env python3
"""Verifies the test vectors with another implementation of COSE: pycose.

    python3 -m venv VENV && VENV/bin/pip install -r requirements.txt
    VENV/bin/python verify.py [FOLDER]

FOLDER holds the vectors (default: this file's folder). For each vector that is good, pycose must decode
the envelope and find every signature by a pinned key right, at least as many of them as the threshold;
for each whose signature is wrong, pycose must say so too. The manifest of a good one is decoded with
cbor2 and encoded again canonically: the same bytes. Prints counts; exits with 1 when one disagrees.
"""

import hashlib
import json
import pathlib
import sys

import cbor2
from pycose.algorithms import EdDSA
from pycose.headers import KID, Algorithm
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import CoseMessage, SignMessage

DOMAIN = b"xenoboot bundle v1\0"
TAG_COSE_SIGN = 98


class Disagreement(Exception):
    """pycose says something else than the vector."""


def pinned_keys(trust):
    """The pinned public keys by their ids."""
    keys = [bytes.fromhex(key) for key in trust["keys"]]
    return {hashlib.sha256(key).digest(): key for key in keys}


def check_signatures(vector):
    """Returns how many signatures by pinned keys are right and how many are wrong."""
    envelope = bytes.fromhex(vector["envelope"])
    if cbor2.loads(envelope).tag != TAG_COSE_SIGN:
        raise Disagreement("not tagged as COSE_Sign")
    message = CoseMessage.decode(envelope)
    if not isinstance(message, SignMessage):
        raise Disagreement("not a COSE_Sign")
    keys = pinned_keys(vector["trust"])
    right, wrong = 0, 0
    for signature in message.signers:
        if signature.phdr[Algorithm] is not EdDSA:
            raise Disagreement("another algorithm than EdDSA")
        public = keys.get(signature.phdr[KID])
        if public is None:
            continue
        signature.external_aad = DOMAIN + bytes.fromhex(vector["trust"]["fleet"])
        signature.key = OKPKey(crv=Ed25519, x=public)
        if signature.verify_signature():
            right += 1
        else:
            wrong += 1
    return message, right, wrong


def check_good(vector):
    """A good vector: enough right signatures, none wrong, and a canonical manifest."""
    message, right, wrong = check_signatures(vector)
    if wrong or right < vector["trust"]["threshold"]:
        raise Disagreement(f"{right} signatures are right, {wrong} wrong")
    manifest = cbor2.loads(message.payload)
    if cbor2.dumps(manifest, canonical=True) != message.payload:
        raise Disagreement("the manifest is not canonical")
    if manifest[6] != bytes.fromhex(vector["trust"]["fleet"]):
        raise Disagreement("the manifest is for another fleet")


def check_bad_signature(vector):
    """A vector with a wrong signature by a pinned key."""
    _, _, wrong = check_signatures(vector)
    if not wrong:
        raise Disagreement("no signature by a pinned key is wrong")


CHECKS = {"ok": check_good, "Signature": check_bad_signature}


def main():
    """Checks every vector of the folder that says something about signatures."""
    here = pathlib.Path(__file__).parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    counts, failures = dict.fromkeys(CHECKS, 0), 0
    for path in sorted(folder.glob("*.json")):
        vector = json.loads(path.read_text())
        check = CHECKS.get(vector["expect"])
        if check is None:
            continue
        try:
            check(vector)
            counts[vector["expect"]] += 1
        except Exception as error:  # whatever a library throws is a disagreement
            failures += 1
            print(f"{path.name}: {type(error).__name__}: {error}", file=sys.stderr)
    good, bad = counts["ok"], counts["Signature"]
    print(f"pycose: {good} good vectors verified, {bad} bad signatures refused, {failures} failed")
    # An empty folder proves nothing.
    return 0 if good and bad and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
