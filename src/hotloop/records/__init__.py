"""What is kept of a session: documents, evidence folders, the history."""
