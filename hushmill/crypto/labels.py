"""Every derivation's and signature's label: one enum, so that no two purposes share a key.

Each value is written in a page of docs/spec; a test fails on one that is in none.
"""

from enum import Enum


class Label(bytes, Enum):
    """`hushmill/<area>/<purpose>`, ASCII, at most 255 bytes."""

    PACKET_HOP = b"hushmill/packet/hop"  # docs/spec/packet.md
    TOMBSTONE = b"hushmill/mailbox/tombstone"  # docs/spec/mailbox.md
    LINK_ACCOUNT = b"hushmill/link/account"  # docs/spec/mailbox.md
    LINK_WORK = b"hushmill/link/work"  # docs/spec/link.md
    NETWORK = b"hushmill/directory/network"  # docs/spec/directory.md
    GENESIS = b"hushmill/directory/genesis"
    DESCRIPTOR = b"hushmill/directory/descriptor"
    VOTE = b"hushmill/directory/vote"
    CONSENSUS = b"hushmill/directory/consensus"
    CONSENSUS_DIGEST = b"hushmill/directory/consensus-digest"
    E2EE_IDENTITY = b"hushmill/e2ee/identity"  # docs/spec/e2ee.md
    E2EE_X25519_PREKEY = b"hushmill/e2ee/x25519-prekey"
    E2EE_BUNDLE = b"hushmill/e2ee/bundle"
    E2EE_X3DH = b"hushmill/e2ee/x3dh"
    E2EE_TRANSCRIPT = b"hushmill/e2ee/transcript"
    E2EE_HANDSHAKE = b"hushmill/e2ee/handshake"
    E2EE_FINGERPRINT = b"hushmill/e2ee/fingerprint"
    E2EE_ROOT_CHAIN = b"hushmill/e2ee/root-chain"
    E2EE_MESSAGE_CHAIN = b"hushmill/e2ee/message-chain"
    E2EE_MESSAGE = b"hushmill/e2ee/message"
    INVITATION_INBOX = b"hushmill/e2ee/invitation-inbox"
    INVITATION_TO_INVITER = b"hushmill/e2ee/invitation-to-inviter"
    INVITATION_TO_INVITED = b"hushmill/e2ee/invitation-to-invited"
    INVITATION_IDENTITY = b"hushmill/e2ee/invitation-identity"
    INVITATION_CHECKSUM = b"hushmill/e2ee/invitation-checksum"
    DEPOSIT_ID = b"hushmill/e2ee/deposit-id"
    FRAGMENT_SEAL = b"hushmill/e2ee/fragment-seal"
    VAULT_PAGES = b"hushmill/vault/pages"
    VAULT_CHECK = b"hushmill/vault/check"
    VAULT_HEADER = b"hushmill/vault/header"
    NODE_BACKUP = b"hushmill/mix/backup"  # docs/spec/mixing.md
    TRAFFIC_SLOT = b"hushmill/traffic/slot"  # docs/spec/traffic.md
    TRAFFIC_LOOP = b"hushmill/traffic/loop"
