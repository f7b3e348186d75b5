"""The names of things, each a type of its own; the length is in the comment."""

from typing import NewType

NodeNumber = NewType("NodeNumber", int)  # u16, permanent, given at admission
Epoch = NewType("Epoch", int)  # u32, Unix time // epoch length
InboxId = NewType("InboxId", bytes)  # 32 bytes, random, chosen by the client
DepositId = NewType("DepositId", bytes)  # 16 bytes, derived: a retry is not a second message
ReplyId = NewType("ReplyId", bytes)  # 16 bytes, kept for single-use reply blocks
ReplayTag = NewType("ReplayTag", bytes)  # 16 bytes, derived from the shared secret
NetworkId = NewType("NetworkId", bytes)  # 32 bytes, hash of the genesis body
KeyHash = NewType("KeyHash", bytes)  # 32 bytes, SHA-256 of a certificate's SubjectPublicKeyInfo
AccountKey = NewType("AccountKey", bytes)  # 32 bytes, Ed25519 public key of a mailbox account

NODE_NUMBER_LIMIT = 0xFFFF  # 0xFFFF itself is "no node"
NO_NODE = NodeNumber(0xFFFF)
INBOX_ID_BYTES = 32
DEPOSIT_ID_BYTES = 16
REPLY_ID_BYTES = 16
REPLAY_TAG_BYTES = 16
