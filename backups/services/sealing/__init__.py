"""The sealer: puts each event into the Merkle tree, signs its head, and has it kept outside of the database."""
