"""Genesis: the one signed file with which a network begins, `network.toml`.

It names the authorities and the admitted nodes and fixes the parameters. The file is canonical:
one value has one text. The body is every byte before the first `[[signature]]`; each authority
signs the body as it stands, and the network's id is its hash. Spec: docs/spec/directory.md.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from hushmill.crypto import Label, SigningKey, VerifyKey, digest
from hushmill.errors import ExitCode, PeerError, UserError
from hushmill.identifiers import NetworkId, NodeNumber
from hushmill.parameters import Parameters
from pki.admission import check_authorities, check_nodes, check_parameters, is_cascade
from pki.fields import (
    AuthorityField,
    HostField,
    KeyHashField,
    LabelField,
    LayerField,
    NodeField,
    OptionalPortField,
    PortField,
    SignatureField,
    VerifyKeyField,
)

GENESIS_FORMAT: Literal[1] = 1
GENESIS_BYTES_LIMIT = 4 << 20
NETWORK_FILE = "network.toml"
_SIGNATURE_MARK = b"[[signature]]\n"

Role = Literal["mix", "provider"]


class AuthorityPublic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an authority's operator hands out: the text of `authority-public.toml`."""

    name: LabelField
    host: HostField
    port: PortField
    verify_key: VerifyKeyField
    key_hash: KeyHashField


class GenesisAuthority(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An authority as the genesis names it; `number` is its place in the list, from 0."""

    number: AuthorityField
    name: LabelField
    host: HostField
    port: PortField
    verify_key: VerifyKeyField
    key_hash: KeyHashField


class GenesisNode(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An admitted node. `layer` counts from 1 for mixes and is 0 for providers; `client_port` is 0
    for mixes."""

    number: NodeField
    name: LabelField
    operator: LabelField
    role: Role
    layer: LayerField
    host: HostField
    port: PortField
    client_port: OptionalPortField
    verify_key: VerifyKeyField
    key_hash: KeyHashField


class GenesisSignature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One authority's hybrid signature over the body."""

    authority: AuthorityField
    signature: SignatureField


class _GenesisFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: Literal[1]
    network: LabelField
    parameters: Parameters
    authorities: tuple[GenesisAuthority, ...] = msgspec.field(name="authority")
    nodes: tuple[GenesisNode, ...] = msgspec.field(name="node")
    signatures: tuple[GenesisSignature, ...] = msgspec.field(name="signature", default=())


@dataclass(frozen=True, slots=True)
class Genesis:
    """A checked genesis. Made by `read_genesis` (signatures verified) or `assemble_genesis`."""

    network: str
    parameters: Parameters
    authorities: tuple[GenesisAuthority, ...]
    nodes: tuple[GenesisNode, ...]
    signatures: tuple[GenesisSignature, ...]
    network_id: NetworkId
    authority_keys: tuple[VerifyKey, ...]  # by authority number
    node_keys: dict[NodeNumber, VerifyKey]

    @property
    def faults(self) -> int:
        """f: how many of the 3f + 1 authorities may be hostile."""
        return (len(self.authorities) - 1) // 3

    @property
    def quorum(self) -> int:
        """2f + 1: how many distinct authorities must sign a document."""
        return 2 * self.faults + 1

    @property
    def narrowest(self) -> int:
        """How many mixes a layer has at least: two, or one where the genesis is a cascade."""
        return 1 if is_cascade(self.nodes, self.parameters.layers) else 2

    def node(self, number: NodeNumber) -> GenesisNode | None:
        """The admitted node of that number."""
        return next((node for node in self.nodes if node.number == number), None)

    def node_named(self, name: str) -> GenesisNode | None:
        return next((node for node in self.nodes if node.name == name), None)


def assemble_genesis(
    network: str,
    parameters: Parameters,
    authorities: Sequence[AuthorityPublic],
    nodes: Iterable[GenesisNode],
) -> Genesis:
    """An unsigned genesis; authorities are numbered in the order given.

    Raises UserError(CONFIGURATION) naming what is wrong.
    """
    numbered = tuple(
        GenesisAuthority(
            number=number,
            name=public.name,
            host=public.host,
            port=public.port,
            verify_key=public.verify_key,
            key_hash=public.key_hash,
        )
        for number, public in enumerate(authorities)
    )
    file = _GenesisFile(
        format=GENESIS_FORMAT,
        network=network,
        parameters=parameters,
        authorities=numbered,
        nodes=tuple(sorted(nodes, key=lambda node: node.number)),
    )
    # The fields' own limits are only checked by decoding, so the text is read back.
    return _checked(_parse(_body(file)))


def sign_genesis(genesis: Genesis, number: int, key: SigningKey) -> GenesisSignature:
    """Authority `number`'s signature over the body."""
    return GenesisSignature(
        authority=number, signature=key.sign(Label.GENESIS, genesis_body(genesis))
    )


def with_signatures(genesis: Genesis, signatures: Iterable[GenesisSignature]) -> Genesis:
    """The genesis as its file will carry it; `read_genesis` verifies the signatures."""
    ordered = tuple(sorted(signatures, key=lambda signature: signature.authority))
    return replace(genesis, signatures=ordered)


def write_genesis(genesis: Genesis) -> bytes:
    """The canonical text of `network.toml`."""
    return genesis_body(genesis) + b"".join(
        _SIGNATURE_MARK + _table(signature) for signature in genesis.signatures
    )


def genesis_body(genesis: Genesis) -> bytes:
    """The bytes that authorities sign."""
    return _body(
        _GenesisFile(
            format=GENESIS_FORMAT,
            network=genesis.network,
            parameters=genesis.parameters,
            authorities=genesis.authorities,
            nodes=genesis.nodes,
        )
    )


def read_genesis(data: bytes) -> Genesis:
    """The genesis in `data`, which every authority that it names has signed.

    Raises UserError: CONFIGURATION when it does not parse or contradicts itself, SECURITY_STOP when
    a signature is missing or wrong, or the text is not the canonical one.
    """
    genesis = _checked(_parse(data))
    if write_genesis(genesis) != data:
        raise UserError(
            "The network file is not in its canonical form: it was edited after it was signed. "
            "Get it again from where your network publishes it.",
            ExitCode.SECURITY_STOP,
        )
    signers = [signature.authority for signature in genesis.signatures]
    if signers != [authority.number for authority in genesis.authorities]:
        raise UserError(
            "The network file does not carry the signature of every authority that it names.",
            ExitCode.SECURITY_STOP,
        )
    body = genesis_body(genesis)
    for signature in genesis.signatures:
        try:
            genesis.authority_keys[signature.authority].verify(
                Label.GENESIS, signature.signature, body
            )
        except PeerError as error:
            raise UserError(
                f"The network file's signature of authority {signature.authority} is not valid: "
                "do not use this file.",
                ExitCode.SECURITY_STOP,
            ) from error
    return genesis


def write_public(public: AuthorityPublic) -> bytes:
    """The text of `authority-public.toml`."""
    return _table(public)


def read_public(data: bytes) -> AuthorityPublic:
    """The inverse of `write_public`. Raises UserError(CONFIGURATION)."""
    try:
        return msgspec.toml.decode(data, type=AuthorityPublic)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _configuration(f"The authority's public file is not valid: {error}") from error


def write_node_public(node: GenesisNode) -> bytes:
    """The text of `node-public.toml`: what a node's operator hands out, and the genesis takes."""
    return _table(node)


def read_node_public(data: bytes) -> GenesisNode:
    """The inverse of `write_node_public`. Raises UserError(CONFIGURATION)."""
    try:
        return msgspec.toml.decode(data, type=GenesisNode)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _configuration(f"The node's public file is not valid: {error}") from error


def _parse(data: bytes) -> _GenesisFile:
    if len(data) > GENESIS_BYTES_LIMIT:
        raise _configuration("The network file is too large.")
    try:
        return msgspec.toml.decode(data, type=_GenesisFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _configuration(f"The network file is not valid: {error}") from error


def _checked(file: _GenesisFile) -> Genesis:
    try:
        check_parameters(file.parameters)
        check_authorities(file.authorities)
        layers = file.parameters.layers
        is_valid_layer = all(0 <= node.layer <= layers for node in file.nodes)
        narrowest = 1 if is_valid_layer and is_cascade(file.nodes, layers) else 2
        check_nodes(file.nodes, layers, narrowest)
        parties: list[GenesisAuthority | GenesisNode] = [*file.authorities, *file.nodes]
        keys = [party.verify_key for party in parties]
        hashes = [party.key_hash for party in parties]
        if len(set(keys)) != len(keys) or len(set(hashes)) != len(hashes):
            raise ValueError("two parties have the same key")
    except ValueError as error:
        raise _configuration(f"The network file contradicts itself: {error}.") from error
    try:
        authority_keys = tuple(VerifyKey(authority.verify_key) for authority in file.authorities)
        node_keys = {node.number: VerifyKey(node.verify_key) for node in file.nodes}
    except PeerError as error:
        raise _configuration("The network file holds an invalid public key.") from error
    return Genesis(
        network=file.network,
        parameters=file.parameters,
        authorities=file.authorities,
        nodes=file.nodes,
        signatures=file.signatures,
        network_id=NetworkId(digest(Label.NETWORK, _body(file))),
        authority_keys=authority_keys,
        node_keys=node_keys,
    )


def _body(file: _GenesisFile) -> bytes:
    parts = [f'format = {file.format}\nnetwork = "{file.network}"\n\n'.encode()]
    parts += [b"[parameters]\n", _table(file.parameters)]
    parts += [b"[[authority]]\n" + _table(authority) for authority in file.authorities]
    parts += [b"[[node]]\n" + _table(node) for node in file.nodes]
    return b"".join(parts)


def _table(record: msgspec.Struct) -> bytes:
    """One TOML table: fields in the struct's order, an empty line after the last. No string here
    needs escaping: labels, hosts and base64 hold neither quotes nor backslashes (`_parse` checks
    what `assemble_genesis` was given)."""
    lines = []
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, bytes):
            text = f'"{base64.b64encode(value).decode()}"'
        elif isinstance(value, str):
            text = f'"{value}"'
        elif field.type is float:
            text = repr(float(value))
        else:
            text = str(value)
        lines.append(f"{field.encode_name} = {text}\n")
    return "".join([*lines, "\n"]).encode()


def _configuration(message: str) -> UserError:
    return UserError(message, ExitCode.CONFIGURATION)
