"""The vault: credentials, sealed, and which of them serves which device."""
