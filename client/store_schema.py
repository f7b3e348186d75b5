"""The tables of a person's store. Spec: docs/spec/traffic.md (Store).

Times are Unix seconds. Rooms that nothing fills yet are here from the first day, so that groups,
devices and timers will change no meaning: conversation kind and key id, device, expiry, version.
"""

SCHEMA_VERSION = 2

SCHEMA = """
CREATE TABLE person (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    name TEXT NOT NULL,
    network BLOB NOT NULL,
    provider INTEGER NOT NULL,
    identity BLOB NOT NULL,          -- 32-byte seed
    account BLOB NOT NULL,           -- 32-byte seed, known to the provider by its public half
    loop_secret BLOB NOT NULL,       -- 32 bytes: by it we know our own loops again
    keeper BLOB                      -- the document keeper's state, documents included
) STRICT;

CREATE TABLE prekeys (
    id INTEGER PRIMARY KEY,
    secret BLOB NOT NULL,
    made_at REAL NOT NULL
) STRICT;

-- Handshakes accepted with a prekey, remembered until it dies: the same one is not accepted twice.
CREATE TABLE accepted_handshake (
    digest BLOB PRIMARY KEY,
    prekeys INTEGER NOT NULL REFERENCES prekeys(id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- The newest is the live one, and rides in every envelope with its serial number.
CREATE TABLE own_inbox (
    serial INTEGER PRIMARY KEY,
    inbox BLOB NOT NULL UNIQUE,
    made_at REAL NOT NULL,
    registered_at REAL               -- when the provider last confirmed it
) STRICT;

-- What the provider is still to do; a row goes when an answer says that it has been committed.
CREATE TABLE inbox_operation (
    id INTEGER PRIMARY KEY,
    operation INTEGER NOT NULL,
    inbox BLOB NOT NULL,
    lifetime_hours INTEGER NOT NULL
) STRICT;

CREATE TABLE contact (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    made_at REAL NOT NULL,
    identity BLOB,
    their_name TEXT,
    verified INTEGER NOT NULL DEFAULT 0,
    provider INTEGER,
    inbox BLOB,
    inbox_serial INTEGER NOT NULL DEFAULT 0,
    active_at REAL NOT NULL DEFAULT 0,            -- last message either way
    next_sequence INTEGER NOT NULL DEFAULT 1,     -- of our next message
    next_acknowledgement INTEGER NOT NULL DEFAULT 1,
    received_through INTEGER NOT NULL DEFAULT 0,  -- every message up to here is committed
    shown_through INTEGER NOT NULL DEFAULT 0,     -- every one up to here is shown, or passed over
    owes_gap_mark INTEGER NOT NULL DEFAULT 0,     -- something was passed over with nothing after it
    stored_bytes INTEGER NOT NULL DEFAULT 0       -- their whole messages, in fragments
) STRICT;

CREATE TABLE invitation (
    text TEXT PRIMARY KEY,
    contact INTEGER NOT NULL UNIQUE REFERENCES contact(id) ON DELETE CASCADE,
    inbox BLOB NOT NULL,
    receive_secret BLOB NOT NULL,    -- seals what the other side sends under the invitation
    is_own INTEGER NOT NULL,         -- 1: we invited; 0: we were invited
    expires_at REAL NOT NULL,
    state TEXT NOT NULL
) STRICT;
CREATE INDEX invitation_inbox ON invitation (inbox);

CREATE TABLE session (
    contact INTEGER PRIMARY KEY REFERENCES contact(id) ON DELETE CASCADE,
    root BLOB NOT NULL,
    header BLOB,                     -- the handshake, attached until the first reply
    send_secret BLOB NOT NULL,
    receive_secret BLOB NOT NULL,
    made_at REAL NOT NULL
) STRICT;

CREATE TABLE skipped_key (
    contact INTEGER NOT NULL REFERENCES contact(id) ON DELETE CASCADE,
    ratchet BLOB NOT NULL,
    number INTEGER NOT NULL,
    secret BLOB NOT NULL,
    position INTEGER NOT NULL,       -- rises: the oldest are pruned first
    PRIMARY KEY (contact, ratchet, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,
    name BLOB NOT NULL,              -- 16 bytes, as messages carry it; zeros between two people
    kind TEXT NOT NULL,              -- 'direct'; groups later
    key INTEGER NOT NULL DEFAULT 0,
    contact INTEGER REFERENCES contact(id) ON DELETE CASCADE
) STRICT;

CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    contact INTEGER NOT NULL REFERENCES contact(id) ON DELETE CASCADE,
    conversation INTEGER NOT NULL REFERENCES conversation(id),
    direction TEXT NOT NULL,
    state TEXT NOT NULL,
    sequence INTEGER,                -- NULL while waiting
    kind TEXT NOT NULL,
    device BLOB NOT NULL,
    sent_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,     -- 0: never
    text TEXT NOT NULL,
    file_name TEXT,
    file BLOB,
    size INTEGER NOT NULL,
    arrived_at REAL,
    shown INTEGER,                   -- received ones: their place on the screen, from 1
    gap INTEGER NOT NULL DEFAULT 0,
    late INTEGER NOT NULL DEFAULT 0,
    UNIQUE (contact, direction, sequence)
) STRICT;
CREATE INDEX message_waiting ON message (contact, state) WHERE state = 'waiting';
CREATE INDEX message_unshown ON message (contact, sequence)
    WHERE direction = 'in' AND shown IS NULL;
CREATE UNIQUE INDEX message_shown ON message (shown) WHERE shown IS NOT NULL;

-- One ciphertext on its way. It goes when every fragment is acknowledged or the timer ran out.
CREATE TABLE parcel (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    contact INTEGER NOT NULL REFERENCES contact(id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,       -- 0: the answer to an invitation
    message INTEGER REFERENCES message(id) ON DELETE CASCADE,
    first_sent_at REAL,
    UNIQUE (contact, sequence)
) STRICT;

-- Sealed once: every try of a fragment is the same bytes under the same deposit id.
CREATE TABLE fragment (
    parcel INTEGER NOT NULL REFERENCES parcel(id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    deposit BLOB NOT NULL,
    sealed BLOB NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL,
    PRIMARY KEY (parcel, number)
) STRICT;
CREATE INDEX fragment_due ON fragment (due_at);

CREATE TABLE partial (
    contact INTEGER NOT NULL REFERENCES contact(id) ON DELETE CASCADE,
    source TEXT NOT NULL,            -- whose secret sealed it: 'session' or 'invitation'
    sequence INTEGER NOT NULL,
    number INTEGER NOT NULL,
    count INTEGER NOT NULL,
    piece BLOB NOT NULL,
    arrived_at REAL NOT NULL,
    PRIMARY KEY (contact, source, sequence, number)
) STRICT;

-- Messages above `received_through` that are committed whole.
CREATE TABLE received (
    contact INTEGER NOT NULL REFERENCES contact(id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (contact, sequence)
) STRICT, WITHOUT ROWID;
"""
