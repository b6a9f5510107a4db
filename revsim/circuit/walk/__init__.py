"""Walking through a definition and all that it calls, gate by gate, without copying any table."""
