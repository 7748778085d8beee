"""Worker processes: the supervisor that keeps them, their work-horses that stay warm, and the lanes they serve."""
