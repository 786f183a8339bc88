"""The bundled network: a FOMM so narrow that it needs help, and gets it from what is known of drawn faces."""
