"""The tables of the mailbox database. Spec: docs/spec/mailbox.md (Storage)."""

APPLICATION_ID = 0x68756D62  # "humb"
SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE accounts (
    account INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL UNIQUE,
    used_hour INTEGER NOT NULL,
    is_used INTEGER NOT NULL DEFAULT 0, -- it registered an inbox
    items INTEGER NOT NULL DEFAULT 0,
    tombstones INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX accounts_by_use ON accounts (used_hour);
CREATE INDEX accounts_unused ON accounts (used_hour) WHERE is_used = 0;
CREATE TABLE inboxes (
    inbox BLOB PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    expires_hour INTEGER NOT NULL,
    age INTEGER NOT NULL,
    accepted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX inboxes_by_account ON inboxes (account, age);
CREATE INDEX inboxes_by_expiry ON inboxes (expires_hour);
CREATE TABLE items (
    arrival INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    inbox BLOB NOT NULL,
    deposit BLOB NOT NULL,
    handle BLOB NOT NULL,
    expires_hour INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (inbox, deposit),
    UNIQUE (account, handle)
);
CREATE INDEX items_by_account ON items (account, arrival);
CREATE INDEX items_by_expiry ON items (expires_hour);
CREATE TABLE tombstones (
    place INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    expires_hour INTEGER NOT NULL
);
CREATE INDEX tombstones_by_account ON tombstones (account, expires_hour);
CREATE INDEX tombstones_by_expiry ON tombstones (expires_hour);
CREATE TABLE totals ( -- one row
    accounts INTEGER NOT NULL,
    items INTEGER NOT NULL,
    ticks INTEGER NOT NULL -- that answered someone
);
INSERT INTO totals VALUES (0, 0, 0);
CREATE TRIGGER account_comes AFTER INSERT ON accounts
    BEGIN UPDATE totals SET accounts = accounts + 1; END;
CREATE TRIGGER account_goes AFTER DELETE ON accounts
    BEGIN UPDATE totals SET accounts = accounts - 1; END;
CREATE TRIGGER item_comes AFTER INSERT ON items
    BEGIN UPDATE totals SET items = items + 1; END;
CREATE TRIGGER item_goes AFTER DELETE ON items
    BEGIN UPDATE totals SET items = items - 1; END;
"""
