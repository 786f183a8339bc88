class Arguments:
    tls_keyfile: str | None

args: Arguments
