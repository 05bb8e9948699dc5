"""What a collection's specifications ask of its documents, and whether a document meets it."""
