"""Search documents, the index Protocol and its engines."""
