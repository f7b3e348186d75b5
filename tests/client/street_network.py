"""The small network of the street: one layer of two mixes, two providers, and its genesis."""

import hashlib
from functools import cache

from hushmill.crypto import SigningKey
from hushmill.identifiers import KeyHash, NodeNumber
from hushmill.parameters import Parameters
from pki import (
    AuthorityPublic,
    Genesis,
    GenesisNode,
    assemble_genesis,
    sign_genesis,
    with_signatures,
)

START = 1_800_000_000.0
PARAMETERS = Parameters(
    suite="x25519",
    layers=1,
    epoch_seconds=600,
    skew_seconds=2,
    delay_mean_seconds=0.2,
    payload_rate=5.0,
    loop_rate=0.5,
    drop_rate=0.5,
    acknowledgement_active_seconds=2.0,
    acknowledgement_idle_seconds=20.0,
)
MIXES = (NodeNumber(1), NodeNumber(2))
PROVIDERS = (NodeNumber(3), NodeNumber(4))


@cache
def authority_keys() -> tuple[SigningKey, ...]:
    return tuple(SigningKey.from_raw(hashlib.shake_256(b"a%d" % n).digest(64)) for n in range(4))


@cache
def genesis_of(parameters: Parameters) -> Genesis:
    keys = authority_keys()
    authorities = [
        AuthorityPublic(
            name=f"authority{n}",
            host="127.0.0.1",
            port=9000 + n,
            verify_key=key.public.raw,
            key_hash=KeyHash(hashlib.sha256(b"authority%d" % n).digest()),
        )
        for n, key in enumerate(keys)
    ]
    nodes = [
        GenesisNode(
            number=number,
            name=f"node{number}",
            operator=f"operator{0 if number in MIXES else number}",
            role="mix" if number in MIXES else "provider",
            layer=1 if number in MIXES else 0,
            host="127.0.0.1",
            port=9100 + number,
            client_port=0 if number in MIXES else 9200 + number,
            verify_key=SigningKey.from_raw(
                hashlib.shake_256(b"n%d" % number).digest(64)
            ).public.raw,
            key_hash=KeyHash(hashlib.sha256(b"node%d" % number).digest()),
        )
        for number in (*MIXES, *PROVIDERS)
    ]
    genesis = assemble_genesis("street", parameters, authorities, nodes)
    signatures = [sign_genesis(genesis, number, key) for number, key in enumerate(keys)]
    return with_signatures(genesis, signatures)
