"""What the two people of the demo say to each other."""

ALICE, BOB = "alice", "bob"
FULL_NAMES = {ALICE: "Alice Waterhouse", BOB: "Bob Undershaw"}

LINES: tuple[tuple[str, str], ...] = (
    (ALICE, "Are you there? I walked past the old mill this morning."),
    (BOB, "I am here. Is the wheel still turning?"),
    (ALICE, "Slowly. Nobody at the bridge could say who had gone in, or when."),
    (BOB, "Then it does what it is for. Did you bring the map?"),
    (ALICE, "It follows as a file. Tell me when you have all of it — every byte, please."),
    (BOB, "Grüße vom Fluß. 水車はまだ回っている。"),
    (ALICE, "I will wait by the weir until the noise covers us both."),
    (BOB, "Then we shall both be nobody. See you there."),
)
FILE_NAME = "map.bin"
FILE_BYTES = 64 * 1024
FILE_SENDER = ALICE
